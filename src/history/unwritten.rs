use std::collections::VecDeque;

use super::write::Write;

/// Ends of runs that wait.
const MOST: usize = 1_024;
/// What they may take together, in bytes; a burst of an hour takes two million or so.
const MOST_BYTES: usize = 64_000_000;

/// Ends of runs that could not be written yet, the oldest first.
#[derive(Default)]
pub(super) struct Unwritten {
    /// Each with about what it takes.
    ends: VecDeque<(Write, usize)>,
    bytes: usize,
}

impl Unwritten {
    /// Keeps one; how many older ones are given up for it.
    pub(super) fn keep(&mut self, end: Write, size: usize) -> u64 {
        self.bytes += size;
        self.ends.push_back((end, size));
        let mut given_up = 0;
        while self.ends.len() > MOST || (self.bytes > MOST_BYTES && self.ends.len() > 1) {
            self.drop_first();
            given_up += 1;
        }
        given_up
    }

    pub(super) fn first(&self) -> Option<&Write> {
        self.ends.front().map(|(end, _)| end)
    }

    pub(super) fn drop_first(&mut self) {
        if let Some((_, size)) = self.ends.pop_front() {
            self.bytes -= size;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_bounded_in_number_and_in_bytes_and_the_latest_always_stays() {
        let mut unwritten = Unwritten::default();
        let mut given_up = 0;
        for _ in 0..MOST + 3 {
            given_up += unwritten.keep(Write::Tidy, 10);
        }
        assert_eq!((given_up, unwritten.len()), (3, MOST));
        assert_eq!(unwritten.keep(Write::Tidy, MOST_BYTES + 1), MOST as u64);
        assert_eq!(unwritten.len(), 1);
        assert_eq!(unwritten.keep(Write::Tidy, 10), 1);
        assert_eq!((unwritten.len(), unwritten.bytes), (1, 10));
    }
}
