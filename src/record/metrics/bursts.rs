use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use prometheus::{Gauge, IntCounter, IntGauge};

use super::{
    MetricsError,
    family::{Family, Maker},
    seconds_since_epoch,
};
use crate::event::{RunIdentity, Subject, Verdict};

const BURST: &[&str] = &["burst", "scenario", "target"];

struct Entry {
    /// Runs in progress: nothing is removed under their hands.
    runs: usize,
    /// Whether it is in the configuration; if not, it goes with its last run.
    kept: bool,
}

/// What of a burst has a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BurstPart {
    /// All of it: its chats do the same.
    Whole,
    /// Its beginning and end: its chats are of several scenarios.
    Frame,
    /// Its chats of one of several scenarios.
    Member,
}

impl BurstPart {
    /// That of a run or of a member of it, of which events come.
    pub(super) fn of(run: &RunIdentity) -> Self {
        if run.is_member {
            Self::Member
        } else {
            Self::Whole
        }
    }

    fn has_chats(self) -> bool {
        self != Self::Frame
    }

    fn has_end(self) -> bool {
        self != Self::Member
    }
}

/// The metrics about bursts.
pub(super) struct Bursts {
    total: Family<IntCounter>,
    dropped: Family<IntCounter>,
    skipped: Family<IntCounter>,
    active: Family<IntGauge>,
    last_start: Family<Gauge>,
    last_end: Family<Gauge>,
    entries: Mutex<HashMap<(Arc<str>, Subject), Entry>>,
}

impl Bursts {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            total: make.counters(
                "chatprobe_bursts_total",
                "Bursts that ended, by verdict. Bursts that were started by hand and are not in the configuration share the name ad-hoc.",
                &["burst", "scenario", "target", "verdict"],
            )?,
            dropped: make.counters(
                "chatprobe_burst_arrivals_dropped_total",
                "Chats that were due under an arrival rate and were not started, because as many as allowed were active.",
                BURST,
            )?,
            skipped: make.counters(
                "chatprobe_burst_skipped_total",
                "Times at which the burst was due on its schedule and did not begin, because its last run was still in progress, the caps left no capacity, or the time was more than 3 hours ago.",
                BURST,
            )?,
            active: make.int_gauges(
                "chatprobe_burst_active",
                "Runs of the burst in progress now.",
                BURST,
            )?,
            last_start: make.gauges(
                "chatprobe_burst_last_start_timestamp_seconds",
                "Unix time at which the burst last began; 0 before the first.",
                BURST,
            )?,
            last_end: make.gauges(
                "chatprobe_burst_last_end_timestamp_seconds",
                "Unix time at which the burst last ended; 0 before the first.",
                BURST,
            )?,
            entries: Mutex::default(),
        })
    }

    pub(super) fn declare(&self, name: &Arc<str>, subject: &Subject, part: BurstPart) {
        self.change(name, subject, part, |entry| entry.kept = true);
    }

    /// Its schedule knows a burst by its name, which has one subject in the configuration.
    pub(super) fn skipped(&self, name: &Arc<str>) {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = entries.iter().filter(|(_, entry)| entry.kept);
        for ((_, subject), _) in kept.filter(|((other, _), _)| other == name) {
            self.skipped.child(&labels(name, subject)).inc();
        }
    }

    fn change(
        &self,
        name: &Arc<str>,
        subject: &Subject,
        part: BurstPart,
        change: impl FnOnce(&mut Entry),
    ) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.clone(), subject.clone());
        self.begin_series(labels(name, subject), part);
        let entry = entries.entry(key).or_insert(Entry {
            runs: 0,
            kept: true,
        });
        change(entry);
    }

    fn begin_series(&self, labels: [&str; 3], part: BurstPart) {
        if part.has_chats() {
            self.active.child(&labels);
        }
        if part.has_end() {
            for verdict in Verdict::ALL {
                self.total.child(&with_verdict(labels, verdict));
            }
            self.dropped.child(&labels);
            self.skipped.child(&labels);
            self.last_start.child(&labels);
            self.last_end.child(&labels);
        }
    }

    pub(super) fn run_started(&self, run: &RunIdentity, part: BurstPart, now: SystemTime) {
        self.change(&run.name, &run.subject, part, |entry| {
            entry.runs += 1;
            let labels = labels(&run.name, &run.subject);
            if part.has_chats() {
                self.active.child(&labels).inc();
            }
            if part.has_end() {
                self.last_start.child(&labels).set(seconds_since_epoch(now));
            }
        });
    }

    /// `verdict`: that of the run, for the part of it that has one.
    pub(super) fn run_ended(
        &self,
        run: &RunIdentity,
        part: BurstPart,
        verdict: Option<Verdict>,
        now: SystemTime,
    ) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (run.name.clone(), run.subject.clone());
        let Some(entry) = entries.get_mut(&key) else {
            return;
        };
        entry.runs = entry.runs.saturating_sub(1);
        let labels = labels(&run.name, &run.subject);
        if part.has_chats() {
            self.active.child(&labels).dec();
        }
        if let Some(verdict) = verdict {
            self.last_end.child(&labels).set(seconds_since_epoch(now));
            self.total.child(&with_verdict(labels, verdict)).inc();
        }
        self.remove_unkept(&mut entries);
    }

    /// The arrivals of a run in progress that were not started.
    pub(super) fn dropped(&self, run: &RunIdentity) -> IntCounter {
        self.dropped.child(&labels(&run.name, &run.subject))
    }

    /// Removes bursts that are not kept; those in progress go with their end.
    pub(super) fn retain(&self, keep: impl Fn(&str, &Subject) -> bool) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, subject), entry) in entries.iter_mut() {
            entry.kept = keep(name, subject);
        }
        self.remove_unkept(&mut entries);
    }

    fn remove_unkept(&self, entries: &mut HashMap<(Arc<str>, Subject), Entry>) {
        let gone = entries.extract_if(|_, entry| !entry.kept && entry.runs == 0);
        let gone: Vec<(Arc<str>, Subject)> = gone.map(|(key, _)| key).collect();
        for (name, subject) in gone {
            let labels = labels(&name, &subject);
            self.active.remove(&labels);
            self.last_start.remove(&labels);
            self.last_end.remove(&labels);
            self.total.remove(&labels);
            self.dropped.remove(&labels);
            self.skipped.remove(&labels);
        }
    }
}

fn labels<'a>(name: &'a str, subject: &'a Subject) -> [&'a str; 3] {
    [name, &subject.scenario, &subject.target]
}

fn with_verdict([name, scenario, target]: [&str; 3], verdict: Verdict) -> [&str; 4] {
    [name, scenario, target, verdict.as_str()]
}
