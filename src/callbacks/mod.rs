//! Inbound events that targets send over HTTP: from the socket to the inbox of their chat, and none lost to a race.
//!
//! A request on a run's unguessable path is stamped and read by the [`receiver`]. The [`Exchange`]
//! finds the path's route, which answers verifications, refuses what the scenario does not accept,
//! finds the key of each event and sends it into the [inbox](crate::inbox) of the chat that claimed this key. An event
//! whose key nobody has claimed yet waits in a buffer bounded in events, bytes and time, at the same cost however many
//! wait. Keys are looked up per scenario and target, not per run: a server that knows a single callback address sends
//! the events of one run to the path of another.
//!
//! Expressions of the scenario read a request before anything is locked. The lock of the keys covers the lookup of one
//! key; an event is sent into its inbox after it was released, and so are the early events of a key that is claimed.

mod claims;
mod early;
mod exchange;
mod key_registry;
mod known_ids;
mod limits;
pub mod receiver;
mod refusal;
mod refusal_log;
mod request;
mod route;
#[cfg(test)]
mod tests;

pub use claims::Claims;
pub use exchange::{Exchange, Path};
pub use key_registry::ClaimError;
pub use limits::CallbackLimits;
pub use refusal::CallbackRefusal;
pub use request::Request;
pub use route::Reception;
