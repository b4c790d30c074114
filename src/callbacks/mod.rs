//! Inbound events: from the socket to the chat that waits for them, and none lost to a race.
//!
//! A request on a run's unguessable path is stamped and read by the [`receiver`]. The [`Exchange`]
//! finds the path's route, which answers verifications, refuses what the scenario does not accept,
//! finds the key of each event and hands it to the [`Mailbox`] of the chat that claimed this key. An event whose key nobody has claimed yet waits in a bounded buffer. Keys are looked
//! up per scenario and target, not per run: a server that knows a single callback address sends
//! the events of one run to the path of another.

mod exchange;
mod identity;
mod inbound;
mod key_registry;
mod mailbox;
mod owner;
pub mod receiver;
mod refusal;
mod refusal_log;
mod request;
mod route;
#[cfg(test)]
mod tests;

pub use exchange::{Exchange, Path};
pub use inbound::Inbound;
pub use mailbox::{ClaimError, Duplicates, Mailbox, Match, WaitError};
pub use refusal::Refusal;
pub use request::Request;
pub use route::Reception;
