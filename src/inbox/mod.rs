//! Inbound events of one chat: kept until a wait takes them, and each accounted for once.
//!
//! # Sources
//!
//! An [`Inbox`] exists before the first request of its chat. A source of events holds an [`EventSender`]: a pointer that
//! any number of tasks may clone, and that needs no key. The callback listener is one such source: it finds the
//! chat of an event by a key, and then sends into the inbox of this chat. The connections of the chat are others: a frame
//! belongs to the chat whose connection it came on.
//!
//! [`EventSender::send`] records an event as received and decides what becomes of it in one step, under the lock of this
//! one inbox:
//! - the inbox is closed: the event is [late](crate::event::Fate::Late);
//! - it is equal to an earlier event of the chat: a [duplicate](crate::event::Fate::Duplicate). The identities of the
//!   latest events are kept in a ring, so recognition works however many events came before;
//! - otherwise it is kept, under a number that rises. An inbox is bounded in events and bytes ([`MOST_EVENTS`],
//!   [`MOST_BYTES`]). Beyond either the oldest events fall out, settled as
//!   [ignored](crate::event::Fate::Ignored) like those that no wait took; a wait that times out says how many.
//!
//! [`EventSender::send_of_connection`] keeps a frame in the same bounds. Frames are not recorded one by one: only one that
//! falls out is counted, as [dropped](crate::scenario::SocketEvent::Dropped). The end of a connection is an entry behind
//! its frames, which says how it ended, does not fall out and is taken by no wait.
//!
//! The closing of an inbox settles what is left in it. An open inbox belongs to a run that is not over, so the run
//! hears of the receipt and of the settlement of each event, or of neither.
//!
//! # Waits
//!
//! A wait looks at events of callbacks, or at frames of some connections: once it has met the ends of all of these, it is
//! over.
//!
//! Each wait has a cursor of its own: the number of the next event that it looks at, and what it found out so far.
//! So a wait judges an event once, in the order of arrival, and several waits may go on at a time. Looking takes
//! nothing away; the wait that an event decides takes it, and where two want the same event the first one has it.
//! Tracks of a chat that go on side by side each have an event of a callback: it is settled when the first of them takes
//! it, and stays until the last has.
//!
//! A cursor clones the next event under the lock, which copies no content, and releases the lock. Only then the
//! expressions of the scenario judge the event. However long that takes, the inbox goes on receiving, and a wait
//! that judges for long lets other tasks of its worker run in between.
//!
//! An event that arrived before the request that a wait wants an answer to can decide this wait only by saying that
//! the other side left. Once a wait has found that it does not say so, later waits skip it, and judge it only if
//! they time out, to say what came instead.

mod alarm;
mod bounds;
mod content;
mod cursor;
mod deliveries;
mod identity;
mod inbound;
mod kept;
mod kept_bytes;
mod owner;
mod sender;
#[cfg(test)]
mod tests;
mod timeout;
mod tracks;
mod waiters;
mod waits;

pub use bounds::{MOST_BYTES, MOST_EVENTS};
pub use identity::{IdSpread, IdUse, Identity};
pub use inbound::{Inbound, Incoming};
pub use kept_bytes::KeptBytes;
pub use owner::Owner;
pub use sender::{EventSender, Intake};
pub use timeout::{Duplicates, WaitError};
pub use tracks::{TrackSet, TrackWait};
pub use waits::Inbox;
