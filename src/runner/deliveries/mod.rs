//! Whether what a chat publishes to a room reaches everybody who is expected to receive it.
//!
//! The [`Ledger`] of a run knows who is in which room and which messages are open. A message is registered before it is
//! sent, and expected by whoever is in the room at that moment, its sender excluded. The first receipt of a member in
//! time is a delivery and a further one a duplicate. Once the time is over, who has received nothing is settled: as
//! excused, who left meanwhile, and as lost, who stayed. So every expected delivery is settled exactly once, as
//! delivered, lost or excused.
//!
//! A delivery is the hot path, so it takes no lock that excludes another one: it finds the message under the read lock
//! of a shard and sets the bit of the member. To settle a message, it is first taken out of its shard, after which no
//! bit of it changes any more. Locks are taken in the order rooms, room, shard, queue; none is held for long, and none
//! while an event is emitted.

mod ledger;
mod member;
mod message;
mod messages;
mod room;
#[cfg(test)]
mod tests;

pub(super) use ledger::{Ledger, Membership};
pub(super) use member::Member;
#[cfg(test)]
use member::Receipt;
