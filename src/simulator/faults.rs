//! What goes wrong on purpose, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event_kind::EventKind;
use super::requests::RequestKind;
use crate::units::Distribution;

/// A share of cases, from 0 (never) to 1 (always).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// A probability that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("probability {0} is not between 0 and 1")]
pub struct NotAProbability(f64);

impl TryFrom<f64> for Probability {
    type Error = NotAProbability;

    fn try_from(share: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(NotAProbability(share))
        }
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0.0);
    /// Always.
    pub const ALWAYS: Self = Self(1.0);

    /// One draw; `rng` moves on whatever the probability is, so that a changed probability does
    /// not shift the draws that follow.
    pub fn hits(self, rng: &mut fastrand::Rng) -> bool {
        rng.f64() < self.0
    }
}

/// The status of an answer that reports a failure, 400 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ErrorStatus(u16);

/// A status that reports no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("status {0} reports no failure; use one from 400 to 599")]
pub struct NotAnErrorStatus(u16);

impl TryFrom<u16> for ErrorStatus {
    type Error = NotAnErrorStatus;

    fn try_from(status: u16) -> Result<Self, NotAnErrorStatus> {
        if (400..600).contains(&status) {
            Ok(Self(status))
        } else {
            Err(NotAnErrorStatus(status))
        }
    }
}

impl From<ErrorStatus> for u16 {
    fn from(status: ErrorStatus) -> Self {
        status.0
    }
}

/// All that goes wrong; nothing by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Requests answered with an error and otherwise without effect. The first that hits wins.
    pub errors: Vec<ErrorAnswers>,
    /// Requests carried out at once but answered late. The first that hits wins.
    pub slow: Vec<SlowAnswers>,
    /// Requests read to the end, without effect, whose connection is then reset without an answer.
    /// Drawn before `errors`.
    pub resets: Vec<Resets>,
    /// What happens to events on their way out.
    pub events: EventFaults,
    /// What agents do wrong.
    pub agents: AgentFaults,
}

/// See [`Faults::errors`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswers {
    /// The share of requests.
    pub probability: Probability,
    /// The status of the answer.
    pub status: ErrorStatus,
    /// The requests concerned; all when empty.
    #[serde(default)]
    pub only: Vec<RequestKind>,
}

/// See [`Faults::slow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowAnswers {
    /// The share of requests.
    pub probability: Probability,
    /// How much later the answer is sent.
    pub by: Distribution,
    /// The requests concerned; all when empty.
    #[serde(default)]
    pub only: Vec<RequestKind>,
}

/// See [`Faults::resets`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resets {
    /// The share of requests.
    pub probability: Probability,
    /// The requests concerned; all when empty.
    #[serde(default)]
    pub only: Vec<RequestKind>,
}

/// What happens to events on their way out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFaults {
    /// Events that are never sent. A dropped event meets no other fault.
    pub drop: Option<EventFault>,
    /// Events that are sent twice, one after the other.
    pub duplicate: Option<EventFault>,
    /// Events that are sent late. Those that follow in the same chat wait behind them.
    pub delay: Option<EventDelay>,
    /// Events that change places with the next of their chat. Without a next one they go out
    /// after a second.
    pub reorder: Option<EventFault>,
}

/// A fault of some events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFault {
    /// The share of events.
    pub probability: Probability,
    /// The events concerned; all when empty.
    #[serde(default)]
    pub only: Vec<EventKind>,
}

/// See [`EventFaults::delay`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDelay {
    /// The share of events.
    pub probability: Probability,
    /// How much later the event is sent.
    pub by: Distribution,
    /// The events concerned; all when empty.
    #[serde(default)]
    pub only: Vec<EventKind>,
}

/// What agents do wrong.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentFaults {
    /// Chats that no agent ever picks up, free or not.
    pub never_come: Probability,
    /// Agents who leave mid-chat; the customer stays behind alone.
    pub leave: Option<AgentLeaves>,
    /// Agents who write first, unasked, once they have joined.
    pub write_first: Probability,
    /// Answers that are followed by another message.
    pub write_twice: Probability,
}

/// See [`AgentFaults::leave`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentLeaves {
    /// The share of agents who join.
    pub probability: Probability,
    /// How long after having joined.
    pub after: Distribution,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFate {
    /// Carried out, answered this much late.
    Served { late: Duration },
    /// Answered with an error.
    Refused(ErrorStatus),
    /// Not answered: the connection is reset.
    Reset,
}

/// What becomes of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventFate {
    Dropped,
    Sent {
        twice: bool,
        late: Duration,
        swapped: bool,
    },
}

fn concerns<K: PartialEq>(only: &[K], kind: &K) -> bool {
    only.is_empty() || only.contains(kind)
}

impl Faults {
    /// Refuses what serde cannot see.
    pub fn validate(&self) -> Result<(), crate::units::BoundsSwapped> {
        for slow in &self.slow {
            slow.by.validate()?;
        }
        if let Some(delay) = &self.events.delay {
            delay.by.validate()?;
        }
        if let Some(leave) = &self.agents.leave {
            leave.after.validate()?;
        }
        Ok(())
    }

    /// Draws what becomes of a request.
    pub(super) fn request(&self, kind: RequestKind, rng: &mut fastrand::Rng) -> RequestFate {
        if self
            .resets
            .iter()
            .any(|reset| concerns(&reset.only, &kind) && reset.probability.hits(rng))
        {
            return RequestFate::Reset;
        }
        let error = self
            .errors
            .iter()
            .find(|error| concerns(&error.only, &kind) && error.probability.hits(rng));
        if let Some(error) = error {
            return RequestFate::Refused(error.status);
        }
        let late = self
            .slow
            .iter()
            .find(|slow| concerns(&slow.only, &kind) && slow.probability.hits(rng))
            .map_or(Duration::ZERO, |slow| slow.by.sample(rng));
        RequestFate::Served { late }
    }
}

impl EventFault {
    fn hits(&self, kind: EventKind, rng: &mut fastrand::Rng) -> bool {
        concerns(&self.only, &kind) && self.probability.hits(rng)
    }
}

impl EventFaults {
    /// Draws what becomes of an event.
    pub(super) fn event(&self, kind: EventKind, rng: &mut fastrand::Rng) -> EventFate {
        let hits = |fault: &Option<EventFault>, rng: &mut fastrand::Rng| {
            fault.as_ref().is_some_and(|fault| fault.hits(kind, rng))
        };
        if hits(&self.drop, rng) {
            return EventFate::Dropped;
        }
        let late = self
            .delay
            .as_ref()
            .filter(|delay| concerns(&delay.only, &kind) && delay.probability.hits(rng))
            .map_or(Duration::ZERO, |delay| delay.by.sample(rng));
        EventFate::Sent {
            twice: hits(&self.duplicate, rng),
            late,
            swapped: hits(&self.reorder, rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_outside_zero_to_one_is_refused() {
        for wrong in ["1.1", "-0.1", ".nan"] {
            let error = serde_yaml::from_str::<Probability>(wrong)
                .expect_err(wrong)
                .to_string();
            assert!(error.contains("not between 0 and 1"), "{error}");
        }
        assert_eq!(
            serde_yaml::from_str::<Probability>("1").unwrap(),
            Probability::ALWAYS
        );
    }

    #[test]
    fn a_status_that_reports_no_failure_is_refused() {
        let yaml = "errors: [{ probability: 1, status: 200 }]";
        let error = serde_yaml::from_str::<Faults>(yaml)
            .unwrap_err()
            .to_string();
        assert!(error.contains("reports no failure"), "{error}");
    }

    #[test]
    fn only_the_requests_named_are_concerned() {
        let yaml = "errors: [{ probability: 1, status: 503, only: [send_chat] }]";
        let faults: Faults = serde_yaml::from_str(yaml).unwrap();
        let mut rng = fastrand::Rng::with_seed(1);
        assert!(matches!(
            faults.request(RequestKind::SendChat, &mut rng),
            RequestFate::Refused(_)
        ));
        let served = RequestFate::Served {
            late: Duration::ZERO,
        };
        assert_eq!(faults.request(RequestKind::SessionCreate, &mut rng), served);
    }

    #[test]
    fn a_share_of_requests_is_that_share() {
        let yaml = "errors: [{ probability: 0.2, status: 503 }]";
        let faults: Faults = serde_yaml::from_str(yaml).unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        let refused = (0..10_000)
            .filter(|_| {
                let fate = faults.request(RequestKind::SendChat, &mut rng);
                matches!(fate, RequestFate::Refused(_))
            })
            .count();
        assert!((1_850..2_150).contains(&refused), "{refused}");
    }

    #[test]
    fn faults_written_as_yaml_come_back_the_same_through_json() {
        let yaml = "
            errors: [{ probability: 0.1, status: 503, only: [send_chat] }]
            slow: [{ probability: 0.5, by: { uniform: [1s, 3s] } }]
            resets: [{ probability: 0.01 }]
            events:
              drop: { probability: 0.1, only: [agent_joined] }
              delay: { probability: 0.1, by: 2s }
            agents: { never_come: 0.1, leave: { probability: 1, after: 5s } }
        ";
        let faults: Faults = serde_yaml::from_str(yaml).unwrap();
        let json = serde_json::to_string(&faults).unwrap();
        assert_eq!(serde_json::from_str::<Faults>(&json).unwrap(), faults);
    }
}
