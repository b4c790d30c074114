//! How real servers differ from the contract, each difference a switch of its own.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::requests::RequestKind;

/// The header `Content-Type` of events; the body is JSON in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventContentType {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// No such header.
    None,
}

/// The method that events are delivered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventMethod {
    /// As the contract says.
    #[default]
    Post,
    /// `GET`, with the event as the body.
    Get,
}

/// Differences from the contract; none by default, the preset `reference` for all of the kind of
/// server that the reference load test was run against.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each on or off"
)]
pub struct Quirks {
    /// Requests answered 200 where the contract says 201: `webhook_create`, `session_create`.
    pub ok_for_created: Vec<RequestKind>,
    /// The answer to `engagement_create` leaves out `correlationId`, `dialogId` and `sessionId`.
    pub sparse_answers: bool,
    /// `webhookId` is a number; `engagementId` is a numeric string in answers, a number in events.
    pub numeric_ids: bool,
    /// Every participant of every chat has the same `participantId`, every message the same
    /// `messageId`.
    pub constant_ids: bool,
    /// One callback URL for everybody: the last one registered wins.
    pub shared_callback: bool,
    /// The header `Content-Type` of events.
    pub event_content_type: EventContentType,
    /// The method of events.
    pub event_method: EventMethod,
    /// `PARTICIPANT_DISCONNECTED` is sent twice.
    pub disconnected_twice: bool,
    /// The agent answers the BYE as any other message; the chat ends after that answer.
    pub answers_bye: bool,
}

impl Quirks {
    /// Everything that the server of the reference load test does.
    pub fn reference() -> Self {
        Self {
            ok_for_created: vec![RequestKind::WebhookCreate],
            sparse_answers: true,
            numeric_ids: true,
            constant_ids: true,
            shared_callback: true,
            event_content_type: EventContentType::Form,
            event_method: EventMethod::Post,
            disconnected_twice: true,
            answers_bye: true,
        }
    }
}

/// Reads the name of a preset or the switches themselves.
pub(super) fn preset_or_switches<'de, D: Deserializer<'de>>(from: D) -> Result<Quirks, D::Error> {
    struct PresetOrSwitches;

    impl<'de> Visitor<'de> for PresetOrSwitches {
        type Value = Quirks;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("`none`, `reference`, or the single quirks")
        }

        fn visit_str<E: de::Error>(self, preset: &str) -> Result<Quirks, E> {
            match preset {
                "none" => Ok(Quirks::default()),
                "reference" => Ok(Quirks::reference()),
                other => Err(E::unknown_variant(other, &["none", "reference"])),
            }
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Quirks, A::Error> {
            Quirks::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(PresetOrSwitches)
}
