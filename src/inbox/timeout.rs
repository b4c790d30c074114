use std::fmt;

use crate::scenario::{EvaluationError, Reason};

/// Ids of dropped events that a timeout names.
const MOST_IDS: usize = 3;
/// How much it shows of each, in characters.
const MOST_ID: usize = 80;

/// Why a wait did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// No matching event in time.
    #[error("no such event in time{}{duplicates}", describe(.passed_over, .too_early, .fell_out))]
    Timeout {
        /// Events that were there and did not match.
        passed_over: usize,
        /// Events that matched but came before the request that they would answer was sent.
        too_early: usize,
        /// Events of the chat that were dropped as duplicates.
        duplicates: Duplicates,
        /// Events of the chat that fell out of its full inbox.
        fell_out: usize,
    },
    /// The other side left.
    #[error("the other side left before such an event came")]
    Disconnected,
    /// No frame can come any more: the connection ended, or the last of several.
    #[error("no such frame came before the connection ended: {how}")]
    Ended {
        /// For what the wait fails.
        reason: Reason,
        /// How it ended.
        how: Box<str>,
    },
    /// It cannot be told whether an event is the one.
    #[error(transparent)]
    Exceeded(Box<EvaluationError>),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the message of an error has its fields by reference"
)]
fn describe(passed_over: &usize, too_early: &usize, fell_out: &usize) -> String {
    let mut parts = Vec::new();
    if *passed_over > 0 {
        parts.push(format!("; {passed_over} other events came"));
    }
    if *too_early > 0 {
        parts.push(format!(
            "; {too_early} came before the latest request was sent and cannot answer it (`since:` names an earlier step)"
        ));
    }
    if *fell_out > 0 {
        parts.push(format!(
            "; {fell_out} had fallen out of the inbox of the chat, which was full"
        ));
    }
    parts.concat()
}

/// Events that were dropped as duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// How many there were.
    pub count: usize,
    /// The ids of the first few and how often each came again.
    pub ids: Vec<(Box<str>, usize)>,
}

impl Duplicates {
    /// Notes one more with this id.
    pub(super) fn note(&mut self, id: &str) {
        self.count += 1;
        let shown = match id.char_indices().nth(MOST_ID) {
            Some((end, _)) => format!("{}…", &id[..end]),
            None => id.to_owned(),
        };
        self.name(shown.into(), 1);
    }

    /// Adds what was noted elsewhere.
    pub(super) fn add(&mut self, others: Self) {
        self.count += others.count;
        for (id, times) in others.ids {
            self.name(id, times);
        }
    }

    fn name(&mut self, id: Box<str>, times: usize) {
        let known = self.ids.iter().position(|(known, _)| *known == id);
        match known {
            Some(at) => self.ids[at].1 += times,
            None if self.ids.len() < MOST_IDS => self.ids.push((id, times)),
            None => {}
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        write!(
            f,
            "; dropped as duplicates, with the id and content of earlier events: {}, of which ",
            self.count
        )?;
        let mut named = 0;
        for (at, (id, times)) in self.ids.iter().enumerate() {
            named += times;
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{times} with the id `{id}`")?;
        }
        match self.count - named {
            0 => Ok(()),
            others => write!(f, ", {others} with other ids"),
        }
    }
}
