//! One chat of the support desk.

use tokio::time::Instant;

use super::{
    directory::{ClientId, Directory},
    protocol::{ServerFrame, SupportEnd},
};
use crate::simulator::{
    agenda::Key,
    agents::Agent,
    engagement::{ChatStage, Desk},
};

/// Names a chat of the support desk. Ids grow, so the smallest is the oldest.
pub(super) type SupportId = u64;

/// What may come due in a chat; each at most once at a time.
#[derive(Debug, Clone, Copy)]
pub(super) enum SupportTimer {
    Join,
    Write,
    Handled,
    Desert,
    Silence,
}

#[derive(Debug)]
pub(super) struct SupportChat {
    pub client: ClientId,
    pub room: String,
    pub rng: fastrand::Rng,
    pub stage: ChatStage,
    pub desk: Desk,
    /// When the customer last did something, or the agent joined.
    pub heard: Instant,
    pub said: String,
    /// The customer said goodbye and is about to get an answer to it.
    pub leaving: bool,
    pub timers: [Option<Key>; 5],
    /// The agent, if he acts by hand.
    pub hand: Option<AtHand>,
}

/// An agent who acts by hand.
#[derive(Debug, Clone)]
pub(super) struct AtHand {
    pub client: ClientId,
    pub name: String,
}

impl SupportChat {
    /// Tells the customer that the agent is gone.
    pub fn tell_left(
        &self,
        agent: Agent,
        reason: SupportEnd,
        directory: &mut Directory,
        now: Instant,
    ) {
        let left = ServerFrame::AgentLeft {
            room: &self.room,
            agent: &self
                .hand
                .as_ref()
                .map_or_else(|| name_of(agent), |hand| hand.name.clone()),
            reason,
        };
        directory.post(self.client, &left, now);
    }
}

/// What customers call an agent.
pub(super) fn name_of(agent: Agent) -> String {
    format!("Agent {}", agent.0)
}
