use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{baselines, explanation::KeptFailure};
use crate::{
    event::RunIdentity,
    runner::{RunRecord, RunReport, WholeSecond},
};

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

impl Write {
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
