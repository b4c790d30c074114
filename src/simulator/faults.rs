//! What goes wrong in the contact centre on purpose, and how often.

use serde::{Deserialize, Serialize};

use super::event_kind::EventKind;
use super::fault_shapes::{
    DelayShare, ErrorAnswers, FaultShare, Probability, RequestFate, TransitFaults, request_fate,
};
use super::requests::RequestKind;
use crate::units::{BoundsSwapped, Distribution};

/// All that goes wrong; nothing by default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Requests answered with an error and otherwise without effect. The first that hits wins.
    pub errors: Vec<ErrorAnswers<RequestKind>>,
    /// Requests carried out at once but answered late. The first that hits wins.
    pub slow: Vec<DelayShare<RequestKind>>,
    /// Requests read to the end, without effect, whose connection is then reset without an answer.
    /// Drawn before `errors`.
    pub resets: Vec<FaultShare<RequestKind>>,
    /// What happens to events on their way out.
    pub events: TransitFaults<EventKind>,
    /// What agents do wrong.
    pub agents: AgentFaults,
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

impl Faults {
    /// Refuses what serde cannot see.
    pub fn validate(&self) -> Result<(), BoundsSwapped> {
        for slow in &self.slow {
            slow.by.validate()?;
        }
        self.events.validate()?;
        if let Some(leave) = &self.agents.leave {
            leave.after.validate()?;
        }
        Ok(())
    }

    /// Draws what becomes of a request.
    pub(super) fn request(&self, kind: RequestKind, rng: &mut fastrand::Rng) -> RequestFate {
        request_fate(&self.resets, &self.errors, &self.slow, &kind, rng)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
