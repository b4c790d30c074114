use serde::{Deserialize, Serialize};

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// `PARTICIPANT_ADDED` of the customer.
    CustomerJoined,
    /// `ENGAGEMENT_CREATED`.
    EngagementCreated,
    /// `PARTICIPANT_ADDED` of the agent.
    AgentJoined,
    /// `MESSAGES` from the agent.
    AgentMessage,
    /// `PARTICIPANT_DISCONNECTED`.
    ParticipantLeft,
}

impl EventKind {
    /// The `eventType` on the wire, which webhooks subscribe to.
    pub(super) fn event_type(self) -> &'static str {
        match self {
            Self::CustomerJoined | Self::AgentJoined => "PARTICIPANT_ADDED",
            Self::EngagementCreated => "ENGAGEMENT_CREATED",
            Self::AgentMessage => "MESSAGES",
            Self::ParticipantLeft => "PARTICIPANT_DISCONNECTED",
        }
    }
}
