use std::sync::Arc;

use minijinja::Value;
use tokio::time::Instant;

use super::identity::Identity;
use crate::{event::Fate, scenario::Delivery};

/// An inbound event.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// When its request reached the socket.
    pub arrived: Instant,
    /// What it says.
    pub event: Value,
    /// What its redeliveries have in common with it, if the scenario can tell.
    pub(super) identity: Option<Identity>,
    /// When an equal event arrived before, if its id does not tell whether the two are one. It is
    /// taken for a redelivery unless the chat has sent a request in between.
    pub(super) repeats: Option<Instant>,
    /// The request that brought it, if the scenario looks at it.
    pub delivery: Option<Arc<Delivery>>,
    /// The size of its body.
    pub bytes: usize,
}

impl Inbound {
    /// Whether it is a redelivery for a wait for the answer to a request that was sent at `since`.
    pub(super) fn is_redelivery(&self, since: Instant) -> bool {
        self.repeats.is_some_and(|before| before >= since)
    }

    /// What becomes of it if no wait takes it.
    pub(super) fn fate_if_left(&self) -> Fate {
        match self.repeats {
            Some(_) => Fate::Duplicate,
            None => Fate::Ignored,
        }
    }
}
