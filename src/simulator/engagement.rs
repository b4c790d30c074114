//! One chat: who takes part, what stage it is at, what the agent has yet to write.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::agenda::Key;
use super::agents::Agent;
use super::event_kind::EventKind;
use super::ids::{EngagementId, SessionId};
use super::requests::NewEngagement;
use super::transcript::Transcript;

/// Where a chat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChatStage {
    /// In the queue.
    Waiting,
    /// Nobody will ever come.
    Unattended,
    /// Picked up, the agent is on his way.
    Joining(Agent),
    Talking(Agent),
    /// The agent has left the customer behind.
    Deserted(Agent),
}

impl ChatStage {
    /// The agent whom the chat keeps from others.
    pub fn holds(self) -> Option<Agent> {
        match self {
            Self::Joining(agent) | Self::Talking(agent) => Some(agent),
            Self::Waiting | Self::Unattended | Self::Deserted(_) => None,
        }
    }
}

/// What may come due in a chat; each at most once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    Join,
    Write,
    Handled,
    Leave,
    Silence,
    /// An event held back to be overtaken goes out in any case.
    Release,
}

/// A message in the agent's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    /// Answers a message of the customer.
    Answer,
    /// Follows of its own accord.
    Unasked,
}

/// What the agent has yet to write, one message after the other, and what he writes now.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub unanswered: u32,
    pub unasked: u32,
    pub draft: Option<Draft>,
    /// Messages written so far.
    pub written: u32,
}

impl Desk {
    /// Takes up the next message unless one is being written; unasked ones come first.
    pub fn take_up(&mut self) -> Option<Draft> {
        if self.draft.is_some() {
            return None;
        }
        let (pile, draft) = if self.unasked > 0 {
            (&mut self.unasked, Draft::Unasked)
        } else {
            (&mut self.unanswered, Draft::Answer)
        };
        *pile = pile.checked_sub(1)?;
        self.draft = Some(draft);
        self.draft
    }

    pub fn is_clear(&self) -> bool {
        self.draft.is_none() && self.unanswered == 0 && self.unasked == 0
    }
}

/// An event with its body, before it has receivers.
#[derive(Debug)]
pub(super) struct Parcel {
    pub kind: EventKind,
    pub body: Bytes,
    pub twice: bool,
    pub late: Duration,
    pub requested: Option<Instant>,
}

/// One open chat.
#[derive(Debug)]
pub(super) struct Engagement {
    pub id: EngagementId,
    pub session: SessionId,
    pub tenant: String,
    pub provider: String,
    pub customer: String,
    pub conversation: Option<String>,
    /// Everything random about this chat.
    pub rng: fastrand::Rng,
    /// When the request for it came in.
    pub requested: Instant,
    /// When the customer last did something, or the agent joined.
    pub heard: Instant,
    pub stage: ChatStage,
    pub desk: Desk,
    /// The customer said goodbye and is about to get an answer to it.
    pub leaving: bool,
    /// No event of this chat goes out before.
    pub gate: Instant,
    /// The name of the agent, if he acts by hand.
    pub agent: Option<String>,
    /// What an agent who acts by hand wrote last.
    pub written: Option<String>,
    /// What was said, where somebody may ask for it.
    pub transcript: Option<Transcript>,
    /// The customer gets no events, and asks instead.
    pub polled: bool,
    /// An event that lets the next one pass.
    pub held: Option<Parcel>,
    timers: [Option<Key>; 6],
}

impl Engagement {
    pub fn new(
        id: EngagementId,
        session: SessionId,
        new: NewEngagement,
        rng: fastrand::Rng,
        requested: Instant,
        now: Instant,
    ) -> Self {
        Self {
            id,
            session,
            tenant: new.tenant_id,
            provider: new.channel_provider_id,
            customer: new.customer_identifier,
            conversation: new.conversation,
            rng,
            requested,
            heard: now,
            stage: ChatStage::Waiting,
            desk: Desk::default(),
            leaving: false,
            gate: now,
            agent: None,
            written: None,
            transcript: new.polled.then(Transcript::default),
            polled: new.polled,
            held: None,
            timers: [None; 6],
        }
    }

    pub fn timer(&mut self, timer: Timer) -> &mut Option<Key> {
        &mut self.timers[timer as usize]
    }

    pub fn timers(&self) -> impl Iterator<Item = Key> {
        self.timers.iter().flatten().copied()
    }

    /// The name of the agent who is or was in the chat.
    pub fn agent_name(&self) -> String {
        if let Some(name) = &self.agent {
            return name.clone();
        }
        match self.stage {
            ChatStage::Joining(agent) | ChatStage::Talking(agent) | ChatStage::Deserted(agent) => {
                format!("Agent {}", agent.0)
            }
            ChatStage::Waiting | ChatStage::Unattended => "Agent".to_owned(),
        }
    }

    /// The message of that number of the agent, which is the last.
    pub fn agent_text(&self, number: u32) -> String {
        match &self.written {
            Some(text) => text.clone(),
            None => format!("Message {number} from {}", self.agent_name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_writes_one_message_at_a_time() {
        let mut desk = Desk {
            unanswered: 2,
            unasked: 1,
            ..Desk::default()
        };
        assert_eq!(desk.take_up(), Some(Draft::Unasked));
        assert_eq!(desk.take_up(), None, "one is being written");
        desk.draft = None;
        assert_eq!(desk.take_up(), Some(Draft::Answer));
        desk.draft = None;
        assert_eq!(desk.take_up(), Some(Draft::Answer));
        desk.draft = None;
        assert!(desk.take_up().is_none() && desk.is_clear());
    }
}
