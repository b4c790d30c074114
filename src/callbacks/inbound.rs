use std::sync::Arc;

use minijinja::Value;
use tokio::time::Instant;

use super::{identity::Identity, owner::Owner};
use crate::{event::Fate, scenario::Delivery};

/// An inbound event.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// When its request reached the socket.
    pub arrived: Instant,
    /// The run on whose path it came, whosever chat it is for.
    pub(super) path: Arc<Owner>,
    /// What it says.
    pub event: Value,
    /// What its redeliveries have in common with it, if the scenario can tell. In a box, because a chat that waits
    /// has little room.
    pub(super) identity: Option<Box<Identity>>,
    /// An equal event that arrived before, if its id does not tell whether the two are one. It is
    /// taken for a redelivery unless the chat has sent a request in between.
    pub(super) repeats: Option<Repeated>,
    /// The request that brought it, if the scenario looks at it.
    pub delivery: Option<Arc<Delivery>>,
    /// The size of its body.
    pub bytes: usize,
}

/// An event that an inbound event is equal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated {
    /// When it arrived last.
    pub(super) before: Instant,
    /// What the later one is if both are one.
    pub(super) fate: Fate,
}

impl Inbound {
    /// Whether it is a redelivery for a wait for the answer to a request that was sent at `since`.
    pub(super) fn is_redelivery(&self, since: Instant) -> bool {
        self.repeats
            .is_some_and(|repeated| repeated.before >= since)
    }

    /// What becomes of it if no wait takes it.
    pub(super) fn fate_if_left(&self) -> Fate {
        self.repeats.map_or(Fate::Ignored, |repeated| repeated.fate)
    }
}
