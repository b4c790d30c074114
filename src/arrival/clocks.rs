//! Stamps of the wall clock as moments of the clock that only goes forward.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Arrival;

/// The longest wait of bytes in the kernel that is believed. A wall clock that was set between the arrival and the
/// read looks like a longer one; a process that really stood still for so long measured nothing in that time.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// How far apart two readings of clocks may be that are taken for one moment; both take less than a tenth of it.
pub(super) const CLOSE: Duration = Duration::from_micros(5);
/// Where reading a clock takes longer than that, the moment is as good as it can be had.
const MOST_TRIES: u32 = 4;

/// Both clocks at one moment. They are read at every read of a socket, so that the wall clock decides only about
/// the time from the arrival to the read, however it is set otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) instant: Instant,
    pub(super) wall: SystemTime,
}

impl Clocks {
    pub(super) fn now() -> Self {
        let mut before = Instant::now();
        let mut tries = 1;
        loop {
            let wall = SystemTime::now();
            let instant = Instant::now();
            // A thread that loses its CPU in between has read two moments.
            if tries == MOST_TRIES || instant.saturating_duration_since(before) <= CLOSE {
                return Self { instant, wall };
            }
            before = instant;
            tries += 1;
        }
    }

    /// What arrived when the kernel says, and was read by now. A stamp that cannot be right is as good as none: one
    /// from the future, one before `not_before`, and one of long ago.
    pub(super) fn arrival(self, stamp: Option<SystemTime>, not_before: Option<Instant>) -> Arrival {
        let delay = stamp.and_then(|stamp| self.wall.duration_since(stamp).ok());
        let delay = delay.filter(|delay| *delay <= LONGEST_DELAY);
        let at = delay.and_then(|delay| self.instant.checked_sub(delay));
        let at = at.filter(|at| not_before.is_none_or(|earliest| *at >= earliest));
        Arrival {
            at: at.unwrap_or(self.instant),
            read_delay: at.and(delay),
        }
    }
}
