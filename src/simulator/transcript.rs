//! What was said in a chat, for those who ask for it.

use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::ids::Party;

/// Lines that are kept of a chat; beyond, the oldest are forgotten.
const MOST_LINES: usize = 200;
/// Bytes of the texts of these lines.
const MOST_BYTES: usize = 64 * 1024;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SpokenLine {
    /// Within the chat, from one.
    pub number: u32,
    pub from: Party,
    pub text: String,
    /// In milliseconds since 1970.
    pub at: u64,
}

/// The last lines of a chat.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    lines: VecDeque<SpokenLine>,
    bytes: usize,
    last: u32,
}

impl Transcript {
    /// Adds a line, and shows it.
    pub fn add(&mut self, from: Party, text: String) -> SpokenLine {
        self.last = self.last.saturating_add(1);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = SpokenLine {
            number: self.last,
            from,
            text,
            at: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        };
        self.bytes += line.text.len();
        self.lines.push_back(line.clone());
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
        }
        line
    }

    /// The number of the last line; zero if there is none.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// The lines behind a number, in order.
    pub fn after(&self, number: u32) -> Vec<SpokenLine> {
        let lines = self.lines.iter();
        lines.filter(|line| line.number > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_are_forgotten_by_number_and_by_bytes() {
        let mut transcript = Transcript::default();
        for _ in 0..MOST_LINES + 5 {
            transcript.add(Party::Customer, "hello".to_owned());
        }
        let kept = transcript.after(0);
        assert_eq!((kept.len(), kept[0].number), (MOST_LINES, 6));
        let line = transcript.add(Party::Agent, "x".repeat(MOST_BYTES));
        assert_eq!(transcript.after(0), std::slice::from_ref(&line));
        assert_eq!(
            (transcript.last(), transcript.after(line.number).len()),
            (line.number, 0)
        );
    }
}
