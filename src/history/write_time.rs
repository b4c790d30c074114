use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A write that takes longer is slow: the disk hangs, or does not keep up.
pub(super) const SLOW: Duration = Duration::from_secs(3);

/// How long the write in progress has taken, for whoever cannot wait for its end.
#[derive(Debug, Default)]
pub(super) struct WriteTime(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the write in progress began.
    began: Option<Instant>,
    /// It is counted among the slow ones.
    counted: bool,
    slow_writes: u64,
}

impl State {
    /// How long the write in progress has taken, if it is slow and was not counted before.
    fn newly_slow(&mut self) -> Option<Duration> {
        let taken = self.began?.elapsed();
        if self.counted || taken < SLOW {
            return None;
        }
        self.counted = true;
        self.slow_writes += 1;
        Some(taken)
    }
}

impl WriteTime {
    /// A write begins.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.began = Some(Instant::now());
        state.counted = false;
    }

    /// The write has ended; how long it took if it was slow.
    pub(super) fn end(&self) -> Option<Duration> {
        let mut state = self.state();
        // It may have become slow since the last look.
        state.newly_slow();
        let taken = state.began.take()?.elapsed();
        state.counted.then_some(taken)
    }

    /// How long the write in progress has taken, once it is slow; told once for each write.
    pub(super) fn look(&self) -> Option<Duration> {
        self.state().newly_slow()
    }

    /// How long the write in progress has taken; zero if there is none.
    pub(super) fn in_progress(&self) -> Duration {
        let began = self.state().began;
        began.map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// Writes that were slow, the one in progress among them.
    pub(super) fn slow_writes(&self) -> u64 {
        self.state().slow_writes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Values that are whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_write_is_told_and_counted_once_while_it_goes_on() {
        let time = WriteTime::default();
        time.begin();
        advance(Duration::from_millis(2_999)).await;
        assert_eq!((time.look(), time.slow_writes()), (None, 0));
        advance(Duration::from_millis(1)).await;
        assert_eq!(time.look(), Some(SLOW));
        advance(SLOW).await;
        assert_eq!((time.look(), time.in_progress()), (None, 2 * SLOW));
        assert_eq!(time.slow_writes(), 1);
        assert_eq!(time.end(), Some(2 * SLOW));
        assert_eq!(
            (time.slow_writes(), time.in_progress()),
            (1, Duration::ZERO)
        );
        assert_eq!(time.look(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_write_that_ends_between_two_looks_is_counted_and_a_fast_one_is_not() {
        let time = WriteTime::default();
        time.begin();
        advance(SLOW / 2).await;
        assert_eq!((time.end(), time.slow_writes()), (None, 0));
        time.begin();
        advance(SLOW).await;
        assert_eq!((time.end(), time.slow_writes()), (Some(SLOW), 1));
    }
}
