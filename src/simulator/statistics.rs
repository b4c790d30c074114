//! The simulator's own count of what happened, to hold against what its clients counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use super::Error;
use super::event_kind::EventKind;
use super::request_counts::RequestCounts;
use super::requests::RequestKind;

/// The longest join delay that is told apart, in microseconds: an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// Why a chat ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The customer said goodbye.
    Bye,
    /// The customer disconnected.
    Disconnected,
    /// The customer's session was terminated.
    Terminated,
    /// The agent closed the chat after the handling time.
    Handled,
    /// The customer was silent for too long.
    Silent,
}

/// What became of the events of one kind. With one webhook and nothing held back,
/// `emitted + duplicated = dropped + unaddressed + overflowed + sent + queued`; and
/// `sent = acknowledged + failed + in flight` since the start or the last reset, but for events
/// that were in flight at that reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EventCounts {
    /// Happened in the centre.
    pub emitted: u64,
    /// Lost on purpose.
    pub dropped: u64,
    /// Sent once more on purpose.
    pub duplicated: u64,
    /// Late on purpose.
    pub delayed: u64,
    /// Overtaken on purpose.
    pub reordered: u64,
    /// Wanted by no webhook.
    pub unaddressed: u64,
    /// Fell out of the full queue.
    pub overflowed: u64,
    /// Handed to the HTTP client, one for each receiver.
    pub sent: u64,
    /// Answered with a 2xx status in time.
    pub acknowledged: u64,
    /// Not so.
    pub failed: u64,
}

/// From the arrival of `engagement_create` to the hand-over of the agent's joining to the HTTP
/// client, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Joins {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// What was counted since the start or the last reset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// Seconds since the start or the last reset.
    pub since_seconds: f64,
    /// By kind, then by status, `reset` or `abandoned`.
    pub requests: BTreeMap<RequestKind, BTreeMap<String, u64>>,
    /// By kind.
    pub events: BTreeMap<EventKind, EventCounts>,
    /// The agents' joinings.
    pub joins: Joins,
    /// Chats that ended, by cause.
    pub ended: BTreeMap<End, u64>,
}

/// Marks the time between two resets, so that what began before a reset is not settled after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

#[derive(Debug)]
pub(super) struct Statistics {
    pub requests: RequestCounts<RequestKind>,
    sums: Mutex<Sums>,
}

#[derive(Debug)]
struct Sums {
    epoch: u64,
    since: Instant,
    events: BTreeMap<EventKind, EventCounts>,
    joins: Histogram<u64>,
    join_total: Duration,
    join_longest: Duration,
    ended: BTreeMap<End, u64>,
}

impl Statistics {
    pub fn new() -> Result<Self, Error> {
        let joins = Histogram::new_with_bounds(1, LONGEST_MICROS, 4).map_err(Error::Histogram)?;
        let sums = Sums {
            epoch: 0,
            since: Instant::now(),
            events: BTreeMap::new(),
            joins,
            join_total: Duration::ZERO,
            join_longest: Duration::ZERO,
            ended: BTreeMap::new(),
        };
        Ok(Self {
            requests: RequestCounts::default(),
            sums: Mutex::new(sums),
        })
    }

    /// Every change below leaves the sums whole, so a panic elsewhere has not torn them.
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the counts of one kind of events.
    pub fn event(&self, kind: EventKind, change: impl FnOnce(&mut EventCounts)) {
        change(self.sums().events.entry(kind).or_default());
    }

    /// An event is handed to the HTTP client; `joined` after the request for its chat, if it is
    /// an agent's joining.
    pub fn sent(&self, kind: EventKind, joined: Option<Duration>) -> Epoch {
        let mut sums = self.sums();
        sums.events.entry(kind).or_default().sent += 1;
        if let Some(delay) = joined {
            let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
            sums.joins.saturating_record(micros);
            sums.join_total += delay;
            sums.join_longest = sums.join_longest.max(delay);
        }
        Epoch(sums.epoch)
    }

    /// The receiver has acknowledged the event, or has not.
    pub fn settled(&self, epoch: Epoch, kind: EventKind, acknowledged: bool) {
        let mut sums = self.sums();
        if epoch != Epoch(sums.epoch) {
            return;
        }
        let counts = sums.events.entry(kind).or_default();
        if acknowledged {
            counts.acknowledged += 1;
        } else {
            counts.failed += 1;
        }
    }

    pub fn ended(&self, end: End) {
        *self.sums().ended.entry(end).or_default() += 1;
    }

    /// Starts to count anew.
    pub fn reset(&self) {
        self.requests.reset();
        let mut sums = self.sums();
        sums.epoch += 1;
        sums.since = Instant::now();
        sums.events.clear();
        sums.joins.reset();
        sums.join_total = Duration::ZERO;
        sums.join_longest = Duration::ZERO;
        sums.ended.clear();
    }

    pub fn counts(&self) -> Counts {
        let sums = self.sums();
        Counts {
            since_seconds: sums.since.elapsed().as_secs_f64(),
            requests: self.requests.by_kind(),
            events: sums.events.clone(),
            joins: sums.joins(),
            ended: sums.ended.clone(),
        }
    }
}

impl Sums {
    fn joins(&self) -> Joins {
        let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let quantile = |share: f64| {
            millis(
                Duration::from_micros(self.joins.value_at_quantile(share)).min(self.join_longest),
            )
        };
        let count = self.joins.len();
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 joins")]
        let mean_ms = if count == 0 {
            0.0
        } else {
            millis(self.join_total) / count as f64
        };
        Joins {
            count,
            mean_ms,
            p50_ms: quantile(0.50),
            p90_ms: quantile(0.90),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            max_ms: millis(self.join_longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_are_measured_to_the_ten_thousandth_of_themselves() {
        let statistics = Statistics::new().unwrap();
        for millis in 1..=1_000 {
            statistics.sent(EventKind::AgentJoined, Some(Duration::from_millis(millis)));
        }
        let joins = statistics.counts().joins;
        assert_eq!(joins.count, 1_000);
        for (actual, expected) in [
            (joins.mean_ms, 500.5),
            (joins.p50_ms, 500.0),
            (joins.p99_ms, 990.0),
            (joins.max_ms, 1_000.0),
        ] {
            assert!(
                (actual - expected).abs() <= expected / 10_000.0,
                "{actual} is not {expected}"
            );
        }
    }

    #[test]
    fn what_was_in_flight_at_a_reset_is_not_settled_after_it() {
        let statistics = Statistics::new().unwrap();
        let before = statistics.sent(EventKind::AgentMessage, None);
        statistics.reset();
        let after = statistics.sent(EventKind::AgentMessage, None);
        statistics.settled(before, EventKind::AgentMessage, true);
        statistics.settled(after, EventKind::AgentMessage, false);
        let counts = statistics.counts().events[&EventKind::AgentMessage];
        assert_eq!((counts.sent, counts.acknowledged, counts.failed), (1, 0, 1));
    }
}
