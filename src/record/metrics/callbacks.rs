use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use prometheus::{Gauge, IntCounter};

use super::{
    MetricsError,
    family::{Family, Maker},
    seconds_since_epoch,
};
use crate::event::{Fate, Subject};

/// Scenario and target of events that no scenario of the configuration knows. None are mistaken for
/// them but those of that very name.
const NOBODY: &str = "none";

/// Whose events these are, those of its probes and those of its bursts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    scenario: Arc<str>,
    target: Arc<str>,
}

impl Source {
    fn labels(&self) -> [&str; 2] {
        [&self.scenario, &self.target]
    }
}

impl From<&Subject> for Source {
    fn from(subject: &Subject) -> Self {
        Self {
            scenario: subject.scenario.clone(),
            target: subject.target.clone(),
        }
    }
}

const SOURCE: &[&str] = &["scenario", "target"];

/// The dispositions of inbound events.
pub(super) struct CallbackMetrics {
    events: Family<IntCounter>,
    last_event: Family<Gauge>,
    repeated_ids: Family<IntCounter>,
    verifications: Family<IntCounter>,
    by_source: RwLock<HashMap<Source, Arc<CallbackSeries>>>,
    without_source: ByFate,
}

/// One counter a fate, in the order of [`Fate::ALL`].
type ByFate = [IntCounter; Fate::ALL.len()];

/// The events of one source.
pub(super) struct CallbackSeries {
    events: ByFate,
    last_event: Gauge,
    repeated_ids: IntCounter,
    verifications: IntCounter,
    /// It was removed: nobody sees what it counts.
    gone: AtomicBool,
}

impl CallbackSeries {
    /// An event came.
    pub(super) fn received(&self, now: SystemTime) {
        self.last_event.set(seconds_since_epoch(now));
    }

    /// An event was settled.
    pub(super) fn settled(&self, fate: Fate) {
        self.events[fate as usize].inc();
    }

    /// An event has an id that does not identify it.
    pub(super) fn id_repeated(&self) {
        self.repeated_ids.inc();
    }

    /// A request only asked whether this is the right receiver.
    pub(super) fn verified(&self) {
        self.verifications.inc();
    }
}

impl CallbackMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        let events = make.counters(
            "chatprobe_callback_events_total",
            "Inbound events, by disposition; scenario and target are \"none\" for an event that belongs to no run.",
            &["scenario", "target", "fate"],
        )?;
        Ok(Self {
            without_source: counters(&events, [NOBODY, NOBODY]),
            events,
            last_event: make.gauges(
                "chatprobe_callback_last_event_timestamp_seconds",
                "Unix time at which the last inbound event of a run of the scenario against the target came; 0 before the first.",
                SOURCE,
            )?,
            repeated_ids: make.counters(
                "chatprobe_callback_repeated_ids_total",
                "Inbound events whose id does not identify them: it came for another chat, or with another content.",
                SOURCE,
            )?,
            verifications: make.counters(
                "chatprobe_callback_verifications_total",
                "Requests on callback paths that are no events: they only asked whether this is the right receiver.",
                SOURCE,
            )?,
            by_source: RwLock::default(),
        })
    }

    pub(super) fn declare(&self, source: &Source) -> Arc<CallbackSeries> {
        let mut all = (self.by_source.write()).unwrap_or_else(PoisonError::into_inner);
        let series = all.entry(source.clone()).or_insert_with(|| {
            Arc::new(CallbackSeries {
                events: counters(&self.events, source.labels()),
                last_event: self.last_event.child(&source.labels()),
                repeated_ids: self.repeated_ids.child(&source.labels()),
                verifications: self.verifications.child(&source.labels()),
                gone: AtomicBool::new(false),
            })
        });
        series.clone()
    }

    /// Counts what happens with an event of a run of this source, which holds its series. That is removed with its
    /// source once the run is over: then the source may have another one, and else `false` comes back. Events of one
    /// that is not in the configuration, which may come long after, must not bring its series back.
    pub(super) fn count(
        &self,
        source: impl FnOnce() -> Source,
        held: &CallbackSeries,
        count: impl FnOnce(&CallbackSeries),
    ) -> bool {
        if !held.gone.load(Ordering::Relaxed) {
            count(held);
            return true;
        }
        let all = (self.by_source.read()).unwrap_or_else(PoisonError::into_inner);
        let series = all.get(&source());
        series.is_some_and(|series| {
            count(series);
            true
        })
    }

    /// An event that belongs to no source was settled.
    pub(super) fn settled_without_source(&self, fate: Fate) {
        self.without_source[fate as usize].inc();
    }

    pub(super) fn retain(&self, sources: &HashSet<Source>) {
        let mut all = (self.by_source.write()).unwrap_or_else(PoisonError::into_inner);
        all.retain(|source, series| {
            let stays = sources.contains(source);
            if !stays {
                series.gone.store(true, Ordering::Relaxed);
                let labels = source.labels();
                self.last_event.remove(&labels);
                self.repeated_ids.remove(&labels);
                self.verifications.remove(&labels);
                if labels != [NOBODY, NOBODY] {
                    self.events.remove(&labels);
                }
            }
            stays
        });
    }
}

fn counters(events: &Family<IntCounter>, [scenario, target]: [&str; 2]) -> ByFate {
    Fate::ALL.map(|fate| events.child(&[scenario, target, fate.as_str()]))
}
