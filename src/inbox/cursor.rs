use std::collections::VecDeque;

use minijinja::Value;
use tokio::time::Instant;

use super::{Duplicates, Inbound, TrackWait, kept::KeptEvent};
use crate::scenario::{InboundSource, Match, Reason, WaitSources};

/// An entry that may decide a wait.
#[derive(Debug)]
pub(super) enum Candidate {
    /// An event that it has to judge.
    Event {
        /// Its number.
        number: u64,
        /// The event.
        inbound: Inbound,
    },
    /// No frame comes any more.
    End {
        /// For what the wait fails.
        reason: Reason,
        /// How the last connection ended.
        how: Value,
    },
}

/// How far a wait has looked, and what it found on the way.
#[derive(Debug)]
pub(super) struct Cursor {
    /// What it looks at, without connections whose ends it has passed.
    sources: WaitSources,
    since: Instant,
    deadline: Instant,
    /// For which track it waits, if several go on side by side.
    track: Option<TrackWait>,
    /// The number of the next event.
    next: u64,
    /// Whether the event before that is no departure, which the inbox does not know yet.
    has_no_departure: bool,
    /// In a box, because most waits find what they want at once.
    passed: Option<Box<Passed>>,
}

/// What did not decide a wait.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Events that did not match.
    pub(super) others: usize,
    /// Events that matched but arrived before the request that they would answer was sent.
    pub(super) too_early: usize,
    /// Redeliveries, for this wait.
    pub(super) duplicates: Duplicates,
    /// The numbers of events that cannot decide it and were not judged.
    not_judged: VecDeque<u64>,
}

impl Cursor {
    /// The cursor of a wait for an answer to a request that was sent at `since`.
    pub(super) fn new(
        sources: WaitSources,
        since: Instant,
        deadline: Instant,
        track: Option<TrackWait>,
    ) -> Self {
        Self {
            sources,
            since,
            deadline,
            track,
            next: 0,
            has_no_departure: false,
            passed: None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn track(&self) -> Option<TrackWait> {
        self.track
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next
    }

    /// The number of the event that was judged last, if a wait need not ask again whether it says that the other
    /// side left.
    pub(super) fn take_no_departure(&mut self) -> Option<u64> {
        std::mem::take(&mut self.has_no_departure).then(|| self.next - 1)
    }

    /// Passes an entry; returns it if it may decide the wait.
    pub(super) fn pass(&mut self, kept: &KeptEvent) -> Option<Candidate> {
        self.next = kept.number + 1;
        let arrived = kept.inbound.arrived;
        if arrived > self.deadline {
            return None;
        }
        let source = kept.inbound.source;
        if let InboundSource::EndOf { connection, reason } = source {
            let how = || kept.inbound.event.clone();
            let is_last = self.sources.end(connection);
            return is_last.then(|| Candidate::End { reason, how: how() });
        }
        if !self.sources.have(source) || kept.taken_by.keeps_from(self.track) {
            return None;
        }
        if let Some(repeats) = &kept.repeats
            && repeats.repeated.before >= self.since
        {
            self.passed().duplicates.note(&repeats.id);
            return None;
        }
        if arrived < self.since && kept.is_no_departure {
            self.passed().not_judged.push_back(kept.number);
            return None;
        }
        Some(Candidate::Event {
            number: kept.number,
            inbound: kept.inbound.clone(),
        })
    }

    /// Whether an event decides the wait, given what the wait makes of it.
    pub(super) fn is_decided_by(&mut self, inbound: &Inbound, found: &Match) -> bool {
        match found {
            // A customer who disconnected before the request was sent does not answer it.
            Match::Disconnected | Match::Exceeded(_) => true,
            Match::Wanted if inbound.arrived >= self.since => true,
            Match::Wanted | Match::Other => {
                self.has_no_departure = *found == Match::Other;
                self.note(found);
                false
            }
        }
    }

    /// Notes what an event is that cannot decide the wait.
    pub(super) fn note(&mut self, found: &Match) {
        match found {
            Match::Wanted => self.passed().too_early += 1,
            Match::Other => self.passed().others += 1,
            Match::Disconnected | Match::Exceeded(_) => {}
        }
    }

    /// The number of the next event that cannot decide the wait and was not judged.
    pub(super) fn next_not_judged(&mut self) -> Option<u64> {
        self.passed.as_mut()?.not_judged.pop_front()
    }

    /// What did not decide the wait.
    pub(super) fn take_passed(&mut self) -> Passed {
        self.passed.take().map(|passed| *passed).unwrap_or_default()
    }

    fn passed(&mut self) -> &mut Passed {
        self.passed.get_or_insert_default()
    }
}
