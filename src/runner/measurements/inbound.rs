//! Inbound events and what became of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::{Fate, RunIdentity},
    runner::{other_callbacks::OtherCallbacks, outcomes::add_counts},
};

/// How many inbound events there were. Of a part of a run more may have left than came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::runner) struct InboundCounts {
    /// Those that arrived for the run at first.
    pub(in crate::runner) arrived: u64,
    /// Those that counted for another run before.
    taken_over: u64,
    /// Those that count for another run since.
    handed_over: u64,
    pub(in crate::runner) by_fate: BTreeMap<Fate, u64>,
    pub(in crate::runner) other_callbacks: OtherCallbacks,
}

impl InboundCounts {
    /// One arrived, through the callback of another run or its own.
    pub(super) fn receive(&mut self, through: Option<&RunIdentity>) {
        self.arrived += 1;
        if let Some(through) = through {
            self.other_callbacks.add(through, 1);
        }
    }

    /// One that counted for another run counts for this one from now on.
    pub(super) fn take_over(&mut self, through: Option<&RunIdentity>) {
        self.taken_over += 1;
        if let Some(through) = through {
            self.other_callbacks.add(through, 1);
        }
    }

    /// One that counted for this run counts for another one from now on.
    pub(super) fn hand_over(&mut self, through: Option<&RunIdentity>) {
        self.handed_over += 1;
        if let Some(through) = through {
            self.other_callbacks.add(through, -1);
        }
    }

    pub(super) fn settle(&mut self, fate: Fate) {
        *self.by_fate.entry(fate).or_default() += 1;
    }

    pub(super) fn merge(&mut self, others: &Self) {
        self.arrived += others.arrived;
        self.taken_over += others.taken_over;
        self.handed_over += others.handed_over;
        add_counts(&mut self.by_fate, &others.by_fate);
        self.other_callbacks.merge(&others.other_callbacks);
    }

    pub(super) fn is_empty(&self) -> bool {
        let moved = self.arrived + self.taken_over + self.handed_over;
        moved == 0 && self.by_fate.is_empty()
    }

    /// Those that count for this run.
    pub(in crate::runner) fn received(&self) -> u64 {
        (self.arrived + self.taken_over).saturating_sub(self.handed_over)
    }

    /// Those of which it is known what became of them.
    pub(in crate::runner) fn settled(&self) -> u64 {
        self.by_fate.values().sum()
    }
}
