//! Inbound events: from the socket to the chat that waits for them, and none lost to a race.
//!
//! A request on a run's unguessable path is stamped and read by the [`receiver`], whose
//! [`Exchange`] finds the key in it and hands the event to the [`Mailbox`] of the chat that claimed
//! this key. An event whose key nobody has claimed yet waits in a bounded buffer. Keys are looked
//! up per scenario and target, not per run: a server that knows a single callback address sends
//! the events of one run to the path of another.

mod exchange;
mod inbound;
mod line;
mod mailbox;
pub mod receiver;

use std::time::Duration;

use serde::Deserialize;

pub use exchange::{Exchange, Path};
pub use inbound::Inbound;
pub use mailbox::{ClaimError, Mailbox, Match, WaitError};

/// How much is kept of what nobody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest body of an event, in bytes; a larger one is answered with 413.
    pub max_body_bytes: usize,
    /// How long an event waits for its key to be claimed.
    #[serde(with = "crate::units::duration")]
    pub early_for: Duration,
    /// How many events wait so, per scenario and target; the oldest goes first.
    pub early_events: usize,
    /// How many bytes of body they may have together.
    pub early_bytes: usize,
    /// How long the keys of ended chats and the paths of ended runs are remembered, to tell a late
    /// event from an unknown one.
    #[serde(with = "crate::units::duration")]
    pub remember_for: Duration,
    /// How many of these keys are remembered, per scenario and target.
    pub remember_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024,
            early_for: Duration::from_secs(30),
            early_events: 10_000,
            early_bytes: 32 * 1024 * 1024,
            remember_for: Duration::from_secs(300),
            remember_keys: 100_000,
        }
    }
}
