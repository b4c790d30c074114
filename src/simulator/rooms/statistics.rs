//! The rooms' own count of what happened, to hold against what their clients counted.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tokio::time::Instant;

use super::protocol::{ClientFrameKind, FrameRefusal, ServerFrameKind, SupportEnd};

/// What became of the frames of one kind. Summed over all kinds,
/// `emitted + duplicated = dropped + overflowed + sent`, [`RoomCounts::unsent`] and what is queued or being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FrameCounts {
    /// For one client each.
    pub emitted: u64,
    /// Lost on purpose.
    pub dropped: u64,
    /// Sent once more on purpose.
    pub duplicated: u64,
    /// Late on purpose.
    pub delayed: u64,
    /// Overtaken on purpose, counted at the frame that overtook.
    pub reordered: u64,
    /// The queue of the client was full.
    pub overflowed: u64,
    /// Handed to the system.
    pub sent: u64,
}

impl FrameCounts {
    /// Adds what became of more frames.
    pub(super) fn add(&mut self, more: &Self) {
        self.emitted += more.emitted;
        self.dropped += more.dropped;
        self.duplicated += more.duplicated;
        self.delayed += more.delayed;
        self.reordered += more.reordered;
        self.overflowed += more.overflowed;
        self.sent += more.sent;
    }
}

/// Who ended a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketCloser {
    /// The client, with a close frame.
    Client,
    /// The server.
    Server,
    /// It ended without a close frame.
    Network,
}

/// What Redis took and brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SharedCounts {
    /// Messages that Redis took.
    pub published: u64,
    /// To how many backends Redis handed them, in sum.
    pub receivers: u64,
    /// Messages that Redis did not take.
    pub unpublished: u64,
    /// Messages that came from Redis, those of this backend too.
    pub received: u64,
    /// Messages that were published, by this backend or another, and did not come.
    pub missed: u64,
    /// What came from Redis and was no message of a backend.
    pub malformed: u64,
    /// Subscriptions that began.
    pub subscriptions: u64,
    /// Subscriptions that ended, whoever ended them.
    pub lost_subscriptions: u64,
}

/// What was counted since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RoomCounts {
    /// Handshakes by the status of the answer.
    pub handshakes: BTreeMap<u16, u64>,
    /// Sockets that ended, by who ended them and the code of the close frame, or `none`.
    pub closed: BTreeMap<SocketCloser, BTreeMap<String, u64>>,
    /// Sockets that were closed because their queue was full.
    pub slow_disconnected: u64,
    /// Frames from clients that were understood.
    pub received: BTreeMap<ClientFrameKind, u64>,
    /// Frames from clients that nothing came of.
    pub refused: BTreeMap<FrameRefusal, u64>,
    /// Frames to clients.
    pub frames: BTreeMap<ServerFrameKind, FrameCounts>,
    /// Frames that waited for a client when its socket ended.
    pub unsent: u64,
    /// Agents who joined a customer.
    pub agents_joined: u64,
    /// Chats of the support desk that ended, and agents who left, by cause.
    pub support_ended: BTreeMap<SupportEnd, u64>,
    /// What Redis took and brought.
    pub redis: SharedCounts,
}

/// See [`RoomCounts`].
#[derive(Debug)]
pub(super) struct RoomStatistics(Mutex<RoomSums>);

#[derive(Debug)]
struct RoomSums {
    since: Instant,
    counts: RoomCounts,
}

impl RoomStatistics {
    pub fn new() -> Self {
        Self(Mutex::new(RoomSums {
            since: Instant::now(),
            counts: RoomCounts::default(),
        }))
    }

    fn sums(&self) -> MutexGuard<'_, RoomSums> {
        // Numbers that are whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes some counts.
    pub fn count(&self, change: impl FnOnce(&mut RoomCounts)) {
        change(&mut self.sums().counts);
    }

    /// Adds to what became of the frames of one kind.
    pub fn frames(&self, kind: ServerFrameKind, change: impl FnOnce(&mut FrameCounts)) {
        change(self.sums().counts.frames.entry(kind).or_default());
    }

    pub fn handshake(&self, status: u16) {
        self.count(|counts| *counts.handshakes.entry(status).or_default() += 1);
    }

    pub fn refused(&self, refusal: FrameRefusal) {
        self.count(|counts| *counts.refused.entry(refusal).or_default() += 1);
    }

    /// A socket ended, with so many frames waiting.
    pub fn closed(&self, by: SocketCloser, code: Option<u16>, unsent: usize) {
        let code = code.map_or_else(
            || "none".to_owned(),
            |code| match code {
                1000..=1015 => code.to_string(),
                3000..=4999 => "app".to_owned(),
                _ => "other".to_owned(),
            },
        );
        self.count(|counts| {
            *counts
                .closed
                .entry(by)
                .or_default()
                .entry(code)
                .or_default() += 1;
            counts.unsent += u64::try_from(unsent).unwrap_or(u64::MAX);
        });
    }

    pub fn support_ended(&self, end: SupportEnd) {
        self.count(|counts| *counts.support_ended.entry(end).or_default() += 1);
    }

    /// Starts to count anew.
    pub fn reset(&self) {
        let mut sums = self.sums();
        sums.since = Instant::now();
        sums.counts = RoomCounts::default();
    }

    /// The counts, and the seconds that they cover.
    pub fn read(&self) -> (RoomCounts, f64) {
        let sums = self.sums();
        (sums.counts.clone(), sums.since.elapsed().as_secs_f64())
    }
}
