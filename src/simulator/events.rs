//! What the centre tells its clients on its own, as it goes over the wire.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::engagement::Engagement;
use super::event_kind::EventKind;
use super::ids::{EngagementId, Party};

/// An event, before it has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CentreEvent {
    CustomerJoined,
    EngagementCreated,
    AgentJoined,
    AgentMessage { number: u32 },
    Left(Party),
}

/// How ids are written in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventIds {
    /// `engagementId` is a number.
    pub numeric: bool,
    /// All participants have one id, and all messages.
    pub constant: bool,
}

impl EventIds {
    fn participant(self, chat: EngagementId, party: Party) -> String {
        if self.constant {
            "participant".to_owned()
        } else {
            chat.participant(party)
        }
    }

    fn message(self, chat: EngagementId, number: u32) -> String {
        if self.constant {
            "message".to_owned()
        } else {
            chat.message(number)
        }
    }
}

impl CentreEvent {
    pub fn kind(self) -> EventKind {
        match self {
            Self::CustomerJoined => EventKind::CustomerJoined,
            Self::EngagementCreated => EventKind::EngagementCreated,
            Self::AgentJoined => EventKind::AgentJoined,
            Self::AgentMessage { .. } => EventKind::AgentMessage,
            Self::Left(_) => EventKind::ParticipantLeft,
        }
    }

    /// The body of this event of that chat.
    pub fn body(self, chat: &Engagement, ids: EventIds) -> Bytes {
        let kind = self.kind();
        let engagement_id = if ids.numeric {
            Id::Number(chat.id.number())
        } else {
            Id::Text(chat.id.text(false))
        };
        let wire = Wire {
            event_type: kind.event_type(),
            engagement_id,
            session_id: chat.session.text(),
            dialog_id: chat.id.dialog(),
            correlation_id: chat.id.correlation(),
            tenant_id: &chat.tenant,
            channel_provider_id: &chat.provider,
            event_date: epoch_millis(),
            detail: self.detail(chat, ids),
        };
        // Strings, numbers and maps with string keys: nothing here can fail to be JSON.
        Bytes::from(serde_json::to_vec(&wire).unwrap_or_default())
    }

    fn detail(self, chat: &Engagement, ids: EventIds) -> Detail<'_> {
        let participant = |party| Participant {
            party,
            id: ids.participant(chat.id, party),
            display_name: match party {
                Party::Customer => chat.customer.clone(),
                Party::Agent => chat.agent_name(),
            },
            connection_id: chat.id.connection(party),
        };
        match self {
            Self::CustomerJoined => Detail::Participant(participant(Party::Customer)),
            Self::AgentJoined => Detail::Participant(participant(Party::Agent)),
            Self::Left(party) => Detail::Participant(participant(party)),
            Self::EngagementCreated => Detail::Created {
                conversation: chat.conversation.as_deref().unwrap_or_default(),
                customer_identifiers: [&chat.customer],
            },
            Self::AgentMessage { number } => Detail::Message {
                sender_type: Party::Agent,
                sender_name: chat.agent_name(),
                message_id: ids.message(chat.id, number),
                status: "DELIVERED",
                recipient_participants: [Recipient {
                    participant_id: ids.participant(chat.id, Party::Customer),
                    participant_type: Party::Customer,
                }],
                body: Body {
                    element_type: "Text",
                    element_text: Text {
                        text: chat.agent_text(number),
                        text_format: "PLAINTEXT",
                    },
                },
            },
        }
    }
}

fn epoch_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    event_type: &'static str,
    engagement_id: Id,
    session_id: String,
    dialog_id: String,
    correlation_id: String,
    tenant_id: &'a str,
    channel_provider_id: &'a str,
    event_date: u64,
    #[serde(flatten)]
    detail: Detail<'a>,
}

/// An id as this server writes it.
pub(super) enum Id {
    Number(u64),
    Text(String),
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => to.serialize_u64(*number),
            Self::Text(text) => to.serialize_str(text),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Detail<'a> {
    Participant(Participant),
    Created {
        conversation: &'a str,
        customer_identifiers: [&'a str; 1],
    },
    Message {
        sender_type: Party,
        sender_name: String,
        message_id: String,
        status: &'static str,
        recipient_participants: [Recipient; 1],
        body: Body,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    #[serde(rename = "participantType")]
    party: Party,
    #[serde(rename = "participantId")]
    id: String,
    display_name: String,
    connection_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    participant_id: String,
    participant_type: Party,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    element_type: &'static str,
    element_text: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    text: String,
    text_format: &'static str,
}
