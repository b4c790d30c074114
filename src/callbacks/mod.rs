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
mod owner;
pub mod receiver;
#[cfg(test)]
mod tests;

pub use exchange::{Exchange, Path};
pub use inbound::Inbound;
pub use mailbox::{ClaimError, Mailbox, Match, WaitError};
