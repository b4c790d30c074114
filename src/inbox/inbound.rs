use std::sync::Arc;

use minijinja::Value;
use tokio::time::Instant;

use super::{Identity, Owner};
use crate::scenario::{Delivery, InboundSource};

/// An entry of an inbox: an inbound event, a frame, or the end of a connection. A clone shares its content.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// When it reached the socket.
    pub arrived: Instant,
    /// Where it comes from.
    pub source: InboundSource,
    /// What it says; of the end of a connection how it ended, for people.
    pub event: Value,
    /// The request that brought it, if there is one and the scenario looks at it.
    pub delivery: Option<Arc<Delivery>>,
    /// What this takes in memory, in bytes.
    pub bytes: usize,
}

/// An inbound event on its way into an inbox.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The event.
    pub inbound: Inbound,
    /// What its redeliveries have in common with it, if that can be told.
    pub identity: Option<Box<Identity>>,
    /// The run whose source brought it, whosever chat it is for.
    pub through: Arc<Owner>,
}
