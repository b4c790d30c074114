//! Leaps of the clock that the computer shows.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Corrections up to this size change no plan: clocks are slewed, and the two clocks are not read at one instant.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// The last reading of the clock that can be set, and of the one that cannot.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    shown: DateTime<Utc>,
    read_at: Instant,
}

impl WallClock {
    pub(super) fn new(shown: DateTime<Utc>, read_at: Instant) -> Self {
        Self { shown, read_at }
    }

    /// How far the clock was set forward (positive) or back (negative) since the last reading, which this one
    /// replaces. A computer that was suspended shows the same as one whose clock was set forward: `Instant` does not
    /// count that time.
    pub(super) fn leap(&mut self, shown: DateTime<Utc>, read_at: Instant) -> Option<TimeDelta> {
        let before = std::mem::replace(self, Self::new(shown, read_at));
        let passed = TimeDelta::from_std(read_at.saturating_duration_since(before.read_at)).ok()?;
        let leap = shown - before.shown - passed;
        (leap.abs() > TOLERANCE).then_some(leap)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_either_way_by_more_than_two_seconds_has_leapt_once() {
        let start: DateTime<Utc> = "2026-05-02T00:00:00Z".parse().unwrap();
        let second = TimeDelta::seconds(1);
        for (set_by, leap) in [
            (TimeDelta::zero(), None),
            (second * 2, None),
            (-second * 2, None),
            (second * 3, Some(second * 3)),
            (-second * 3, Some(-second * 3)),
            (TimeDelta::days(7), Some(TimeDelta::days(7))),
        ] {
            let mut clock = WallClock::new(start, Instant::now());
            // However long the process did not look: it may have been stopped.
            tokio::time::advance(Duration::from_hours(4)).await;
            let shown = start + TimeDelta::hours(4) + set_by;
            assert_eq!(clock.leap(shown, Instant::now()), leap, "{set_by}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(clock.leap(shown + second, Instant::now()), None, "{set_by}");
        }
    }
}
