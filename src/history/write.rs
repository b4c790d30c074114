use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{baselines, explanation::KeptFailure};
use crate::{
    event::RunIdentity,
    runner::{RunRecord, RunReport, Sample, StepSample, WholeSecond},
};

/// An entry of the queue to the thread that writes.
pub(super) struct Queued {
    pub(super) write: Write,
    /// For what it takes, given back once it is written.
    pub(super) memory: OwnedSemaphorePermit,
}

/// Something to be kept.
pub(super) enum Write {
    /// A burst began, or its first seconds come next in a new file.
    Begun(Arc<RunReport>),
    /// Some of its seconds are over, the first of this number, and how it stood at the end of the last one.
    Seconds {
        first: u64,
        seconds: Vec<WholeSecond>,
        /// A report, which takes a few kilobytes, and not the histograms that it is made of.
        at_end: Arc<RunReport>,
        /// For the histograms in them, given back with the entry.
        _memory: Option<OwnedSemaphorePermit>,
    },
    /// What chats are called, and which of them ended.
    Chats {
        opened: Vec<OpenedChat>,
        closed: Vec<(Arc<RunIdentity>, u64)>,
    },
    /// A run ended.
    Ended(Box<RunRecord>),
    /// Chats failed.
    Failures(Vec<KeptFailure>),
    /// A name for a run, or of one.
    Baseline(baselines::BaselineChangeRequest),
    /// Expired rows are deleted, and the oldest ones if the file is too large.
    Tidy,
}

/// A chat that has a name at its target now.
#[derive(Debug)]
pub(super) struct OpenedChat {
    pub(super) run: Arc<RunIdentity>,
    pub(super) chat: u64,
    pub(super) correlation: Vec<(Arc<str>, String)>,
    /// Why it is open although it has ended, or is about to; `None` as long as it is in progress.
    pub(super) why: Option<String>,
}

impl OpenedChat {
    /// About what it takes in memory, in bytes.
    fn size(&self) -> usize {
        let correlation = self.correlation.iter();
        let values =
            correlation.map(|(name, value)| size_of_val(name) + size_of::<String>() + value.len());
        size_of::<Self>() + values.sum::<usize>() + self.why.as_ref().map_or(0, String::len)
    }
}

impl Write {
    /// About what it takes in memory, in bytes. The histograms of seconds are not in it: they have a permit of their own.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Begun(report) => report.size(),
            Self::Seconds {
                seconds, at_end, ..
            } => {
                let steps = at_end.steps.len() * size_of::<StepSample>();
                at_end.size()
                    + seconds.len() * (size_of::<WholeSecond>() + size_of::<Sample>() + steps)
            }
            Self::Chats { opened, closed } => {
                let names = opened.iter().map(OpenedChat::size);
                names.sum::<usize>() + closed.len() * size_of::<(Arc<RunIdentity>, u64)>()
            }
            Self::Ended(record) => record.size(),
            Self::Failures(failures) => failures.iter().map(KeptFailure::size).sum(),
            // A few at most.
            Self::Baseline(_) | Self::Tidy => 0,
        }
    }

    /// Rows that it stands for.
    pub(super) fn rows(&self) -> u64 {
        let rows = match self {
            Self::Begun(_) | Self::Ended(_) => 1,
            Self::Seconds { seconds, .. } => seconds.len(),
            Self::Chats { opened, closed } => opened.len() + closed.len(),
            Self::Failures(failures) => failures.len(),
            Self::Baseline(_) | Self::Tidy => 0,
        };
        rows as u64
    }
}
