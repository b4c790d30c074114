//! What the simulated centre is like.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;
use super::faults::Faults;
use super::quirks::{Quirks, preset_or_switches};
use super::requests::RequestKind;
use crate::units::{Distribution, duration};

/// Chats that a limited team can hold at once: each takes memory from the start.
const MOST_CHATS: u64 = 1_000_000;

/// Events in flight at once: each takes a task from the start.
const MOST_CONNECTIONS: u32 = 10_000;

/// How many agents there are: a number, or `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agents {
    /// Nobody ever waits in the queue.
    Unlimited,
    /// So many.
    Limited(NonZeroU32),
}

/// Whether agents act by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staffing {
    /// They come, answer and leave as the settings and faults say.
    #[default]
    Automatic,
    /// They log in and act by requests or at a socket.
    ByHand,
}

/// The simulated centre. The default is a small one in good health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CentreSettings {
    /// Where all randomness comes from: the same seed draws the same for the same chats.
    pub seed: u64,
    /// Whether agents act by themselves.
    pub floor: Staffing,
    /// Who picks up chats; by hand, how many may log in.
    pub agents: Agents,
    /// How many chats an agent holds at once.
    pub chats_per_agent: NonZeroU32,
    /// From the moment a free agent picks up a chat to the moment he joins it.
    pub join: Distribution,
    /// How long an agent thinks about a message before he types.
    pub answer: Distribution,
    /// How long an agent types a message.
    pub typing: Distribution,
    /// How long after having joined an agent closes the chat himself; absent: never.
    pub handling: Option<Distribution>,
    /// A chat whose customer was silent for so long is closed, waiting or not.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// From the request to the first two events of a chat.
    #[serde(with = "duration")]
    pub first_events: Duration,
    /// A session without an open chat is forgotten after so long without a request.
    #[serde(with = "duration")]
    pub session_idle: Duration,
    /// A keep-alive connection is closed after so long without a request; absent: only after an hour.
    #[serde(with = "duration::option")]
    pub idle_close: Option<Duration>,
    /// How events are sent.
    pub delivery: DeliverySettings,
    /// What bounds the memory.
    pub limits: SimulatorLimits,
    /// Differences from the contract.
    #[serde(deserialize_with = "preset_or_switches")]
    pub quirks: Quirks,
    /// What goes wrong; can be replaced while the simulator runs.
    pub faults: Faults,
}

/// How events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// Events in flight at once, hence connections to receivers.
    pub connections: NonZeroU32,
    /// Events that wait to be sent; what comes on top is dropped and counted as `overflowed`.
    pub queue: NonZeroU32,
    /// How long a receiver may take to acknowledge an event.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

/// What bounds the memory. A request beyond a bound is answered 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorLimits {
    /// Open sessions.
    pub sessions: NonZeroU32,
    /// Open engagements.
    pub engagements: NonZeroU32,
    /// Registered webhooks; beyond it the oldest is forgotten instead.
    pub webhooks: NonZeroU32,
    /// Connections from clients at once; more wait to be accepted.
    pub connections: NonZeroU32,
}

/// A number that is not zero, for defaults.
pub(super) const fn count(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for CentreSettings {
    fn default() -> Self {
        let millis = Duration::from_millis;
        Self {
            seed: 1,
            floor: Staffing::default(),
            agents: Agents::Limited(count(20)),
            chats_per_agent: NonZeroU32::MIN,
            join: Distribution::Uniform(millis(300), millis(1_000)),
            answer: Distribution::Uniform(millis(500), millis(1_500)),
            typing: Distribution::Uniform(millis(500), millis(1_500)),
            handling: None,
            silence: Duration::from_mins(5),
            first_events: millis(20),
            session_idle: Duration::from_mins(5),
            idle_close: None,
            delivery: DeliverySettings::default(),
            limits: SimulatorLimits::default(),
            quirks: Quirks::default(),
            faults: Faults::default(),
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            connections: count(256),
            queue: count(50_000),
            timeout: Duration::from_secs(5),
        }
    }
}

impl Default for SimulatorLimits {
    fn default() -> Self {
        Self {
            sessions: count(200_000),
            engagements: count(100_000),
            webhooks: count(64),
            connections: count(16_000),
        }
    }
}

impl CentreSettings {
    /// Refuses what single fields cannot see.
    pub fn validate(&self) -> Result<(), Error> {
        let invalid = |what: &str, reason: String| Error::Settings {
            what: what.to_owned(),
            reason,
        };
        let distributions = [
            ("join", &self.join),
            ("answer", &self.answer),
            ("typing", &self.typing),
        ];
        let handling = self.handling.iter().map(|handling| ("handling", handling));
        for (name, distribution) in distributions.into_iter().chain(handling) {
            distribution
                .validate()
                .map_err(|error| invalid(name, error.to_string()))?;
        }
        self.faults
            .validate()
            .map_err(|error| invalid("faults", error.to_string()))?;
        let may_create = [RequestKind::WebhookCreate, RequestKind::SessionCreate];
        if let Some(kind) = self
            .quirks
            .ok_for_created
            .iter()
            .find(|kind| !may_create.contains(kind))
        {
            let reason = format!("{kind} never answers 201; name webhook_create or session_create");
            return Err(invalid("quirks.ok_for_created", reason));
        }
        if let Agents::Limited(agents) = self.agents
            && u64::from(agents.get()) * u64::from(self.chats_per_agent.get()) > MOST_CHATS
        {
            let reason =
                format!("with chats_per_agent more than {MOST_CHATS} chats; use `unlimited`");
            return Err(invalid("agents", reason));
        }
        if self.delivery.connections.get() > MOST_CONNECTIONS {
            let reason = format!("must not exceed {MOST_CONNECTIONS}");
            return Err(invalid("delivery.connections", reason));
        }
        let positive = [
            ("silence", self.silence),
            ("session_idle", self.session_idle),
            ("delivery.timeout", self.delivery.timeout),
            ("idle_close", self.idle_close.unwrap_or(Duration::MAX)),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(invalid(name, "must be longer than zero".to_owned()));
        }
        Ok(())
    }
}

impl Serialize for Agents {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => to.serialize_str("unlimited"),
            Self::Limited(agents) => agents.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Agents {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AgentsVisitor;

        impl Visitor<'_> for AgentsVisitor {
            type Value = Agents;

            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("a number of agents from 1 up, or `unlimited`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Agents, E> {
                match text {
                    "unlimited" => Ok(Agents::Unlimited),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Agents, E> {
                u32::try_from(number)
                    .ok()
                    .and_then(NonZeroU32::new)
                    .map(Agents::Limited)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }

        from.deserialize_any(AgentsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<CentreSettings, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_written_is_the_default_and_valid() {
        let settings = read("{}").unwrap();
        assert_eq!(settings, CentreSettings::default());
        settings.validate().unwrap();
    }

    #[test]
    fn settings_come_back_the_same_through_yaml_and_json() {
        let settings = CentreSettings {
            agents: Agents::Unlimited,
            handling: Some(Distribution::Exponential(Duration::from_secs(30))),
            idle_close: Some(Duration::from_millis(250)),
            quirks: Quirks::reference(),
            ..CentreSettings::default()
        };
        assert_eq!(
            read(&serde_yaml::to_string(&settings).unwrap()),
            Ok(settings.clone())
        );
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<CentreSettings>(&json).unwrap(),
            settings
        );
    }

    #[test]
    fn quirks_are_a_preset_or_single_switches() {
        assert_eq!(
            read("quirks: reference").unwrap().quirks,
            Quirks::reference()
        );
        let single = read("quirks: { event_method: get, numeric_ids: true }")
            .unwrap()
            .quirks;
        assert!(single.numeric_ids && !single.shared_callback);
        assert!(read("quirks: refrence").unwrap_err().contains("refrence"));
        assert!(
            read("quirks: { numeric: true }")
                .unwrap_err()
                .contains("unknown field `numeric`")
        );
    }

    #[test]
    fn mistakes_are_refused_with_what_is_wrong() {
        for (yaml, says) in [
            ("agents: 0", "from 1 up"),
            ("agents: many", "`unlimited`"),
            ("agent: 5", "unknown field `agent`"),
            ("join: { uniform: [2s, 1s] }", "swap the two"),
            (
                "faults: { agents: { never_come: 2 } }",
                "not between 0 and 1",
            ),
        ] {
            let error = read(yaml).expect_err(yaml);
            assert!(error.contains(says), "{yaml}: {error}");
        }
        for (yaml, says) in [
            (
                "quirks: { ok_for_created: [send_chat] }",
                "send_chat never answers 201",
            ),
            ("silence: 0s", "silence"),
            ("{ agents: 1000001 }", "unlimited"),
            (
                "{ delivery: { connections: 10001 } }",
                "delivery.connections",
            ),
        ] {
            let error = read(yaml).unwrap().validate().expect_err(yaml).to_string();
            assert!(error.contains(says), "{yaml}: {error}");
        }
    }
}
