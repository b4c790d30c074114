use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    explanation::{FailureReport, KeptFailure},
    write::Write,
};
use crate::event::{RunEvent, RunIdentity, RunObserver, Subject};

/// Failed chats of one scenario, target and mode that are in memory. Reports name the last 20 that ended,
/// which is nearly the order in which they failed.
pub(super) const KEPT: usize = 24;
/// Subjects of which there are any; a configuration has a handful.
const MOST_SUBJECTS: usize = 256;
/// What their traces may take together, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The last failed chats of every subject, apart from the successes that would push them out.
#[derive(Debug, Default)]
pub struct Failures(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By subject, the oldest first.
    rings: BTreeMap<Subject, VecDeque<Entry>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    failure: KeptFailure,
    bytes: usize,
    /// It is on its way to the disk.
    handed: bool,
}

impl Failures {
    /// One by its id.
    pub(super) fn find(&self, id: &str) -> Option<FailureReport> {
        let found = {
            let kept = self.kept();
            let mut entries = kept.rings.values().flatten();
            entries
                .find(|entry| is_of(entry, id))
                .map(|entry| entry.failure.clone())
        };
        found.as_ref().map(FailureReport::of)
    }

    /// All of them, the latest first.
    pub(super) fn all(&self) -> Vec<FailureReport> {
        let mut failures: Vec<_> = {
            let kept = self.kept();
            let entries = kept.rings.values().flatten();
            entries.map(|entry| entry.failure.clone()).collect()
        };
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.chat.failed_at));
        failures.iter().map(FailureReport::of).collect()
    }

    /// Hands over those that are new; if they come back they stay so.
    pub(super) fn offer(&self, take: impl FnOnce(Write) -> Result<(), Write>) {
        let fresh: Vec<_> = {
            let kept = self.kept();
            let entries = kept.rings.values().flatten();
            let fresh = entries.filter(|entry| !entry.handed);
            fresh.map(|entry| entry.failure.clone()).collect()
        };
        if fresh.is_empty() || take(Write::Failures(fresh.clone())).is_err() {
            return;
        }
        for entry in self.kept().rings.values_mut().flatten() {
            entry.handed |= fresh
                .iter()
                .any(|failure| Arc::ptr_eq(&failure.chat, &entry.failure.chat));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Lists that are whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of(entry: &Entry, id: &str) -> bool {
    // The number stands behind the id of the run.
    let KeptFailure { run, chat } = &entry.failure;
    id.strip_prefix(run.id.as_str())
        .is_some_and(|_| run.chat_id(chat.chat) == id)
}

impl Kept {
    fn keep(&mut self, failure: KeptFailure) {
        let subject = &failure.run.subject;
        let bytes = failure.size();
        if !self.rings.contains_key(subject) && self.rings.len() >= MOST_SUBJECTS {
            self.forget_quietest();
        }
        let ring = self.rings.entry(subject.clone()).or_default();
        if ring.len() == KEPT {
            let gone = ring.pop_front();
            self.bytes -= gone.map_or(0, |gone| gone.bytes);
        }
        ring.push_back(Entry {
            failure,
            bytes,
            handed: false,
        });
        self.bytes += bytes;
        while self.bytes > MOST_BYTES && self.drop_oldest_of_longest() {}
    }

    /// The subject whose last failure is the longest ago.
    fn forget_quietest(&mut self) {
        let last = |ring: &VecDeque<Entry>| ring.back().map(|entry| entry.failure.chat.failed_at);
        let quietest = self.rings.iter().min_by_key(|(_, ring)| last(ring));
        if let Some(subject) = quietest.map(|(subject, _)| subject.clone()) {
            let gone = self.rings.remove(&subject).unwrap_or_default();
            self.bytes -= gone.iter().map(|entry| entry.bytes).sum::<usize>();
        }
    }

    fn drop_oldest_of_longest(&mut self) -> bool {
        let longest = self.rings.values_mut().max_by_key(|ring| ring.len());
        // Of each subject the last one stays.
        let Some(gone) = longest
            .filter(|ring| ring.len() > 1)
            .and_then(VecDeque::pop_front)
        else {
            return false;
        };
        self.bytes -= gone.bytes;
        true
    }
}

impl RunObserver for Failures {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::ChatFailed(chat) = event {
            self.kept().keep(KeptFailure {
                run: run.clone(),
                chat: chat.clone(),
            });
        }
    }
}
