use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Measurements besides the duration of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// How long customers wait for an agent.
    AgentJoin,
}

/// Every one, by the word for it.
pub(super) const OBSERVATIONS: [(&str, Observation); 1] = [("agent_join", Observation::AgentJoin)];
