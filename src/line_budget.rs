//! How many lines of the log may tell of something that can happen very often.

use std::time::Duration;

use tokio::time::Instant;

/// As many lines are logged at once; then one an [`EVERY`].
const AT_ONCE: u32 = 10;
const EVERY: Duration = Duration::from_secs(1);

/// Bounds the lines of the log about something that can happen very often. What is left out is counted.
#[derive(Debug)]
pub struct LineBudget {
    /// Lines that may be written now.
    allowed: u32,
    /// Up to when `allowed` is counted.
    counted: Instant,
    /// Lines that were left out since the last one.
    left_out: u64,
}

impl Default for LineBudget {
    fn default() -> Self {
        Self {
            allowed: AT_ONCE,
            counted: Instant::now(),
            left_out: 0,
        }
    }
}

impl LineBudget {
    /// If a line may be written: how many were left out before it.
    pub fn admit(&mut self) -> Option<u64> {
        while self.allowed < AT_ONCE && self.counted.elapsed() >= EVERY {
            self.allowed += 1;
            self.counted += EVERY;
        }
        if self.allowed == AT_ONCE {
            // Time that passes while nothing is owed is not saved up.
            self.counted = Instant::now();
        }
        if self.allowed == 0 {
            self.left_out += 1;
            return None;
        }
        self.allowed -= 1;
        Some(self.take_left_out())
    }

    /// How many were left out, for whoever tells of them now.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_lines_are_written_at_once_and_then_one_a_second() {
        let mut lines = LineBudget::default();
        for _ in 0..10 {
            assert_eq!(lines.admit(), Some(0));
        }
        assert_eq!((lines.admit(), lines.admit()), (None, None));
        tokio::time::advance(EVERY).await;
        assert_eq!((lines.admit(), lines.admit()), (Some(2), None));
        assert_eq!((lines.take_left_out(), lines.take_left_out()), (1, 0));
        tokio::time::advance(EVERY * 100).await;
        for _ in 0..10 {
            assert_eq!(lines.admit(), Some(0));
        }
        assert_eq!(lines.admit(), None);
    }
}
