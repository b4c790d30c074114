use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
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

/// What became of inbound events.
pub(super) struct Callbacks {
    events: Family<IntCounter>,
    last_event: Family<Gauge>,
    repeated_ids: Family<IntCounter>,
    verifications: Family<IntCounter>,
    by_source: RwLock<HashMap<Source, Series>>,
    without_source: ByFate,
}

/// One counter a fate, in the order of [`Fate::ALL`].
type ByFate = [IntCounter; Fate::ALL.len()];

struct Series {
    events: ByFate,
    last_event: Gauge,
    repeated_ids: IntCounter,
    verifications: IntCounter,
}

impl Callbacks {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        let events = make.counters(
            "chatprobe_callback_events_total",
            "Inbound events, by what became of them; scenario and target are \"none\" for an event that belongs to no run.",
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

    pub(super) fn declare(&self, source: &Source) {
        let mut all = (self.by_source.write()).unwrap_or_else(PoisonError::into_inner);
        all.entry(source.clone()).or_insert_with(|| Series {
            events: counters(&self.events, source.labels()),
            last_event: self.last_event.child(&source.labels()),
            repeated_ids: self.repeated_ids.child(&source.labels()),
            verifications: self.verifications.child(&source.labels()),
        });
    }

    /// An event came for a run of this source.
    pub(super) fn received(&self, source: &Source, now: SystemTime) {
        let all = (self.by_source.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(source) {
            series.last_event.set(seconds_since_epoch(now));
        }
    }

    /// An event of a run of this source has an id that does not identify it.
    pub(super) fn id_repeated(&self, source: &Source) {
        let all = (self.by_source.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(source) {
            series.repeated_ids.inc();
        }
    }

    /// A request for a run of this source only asked whether this is the right receiver.
    pub(super) fn verified(&self, source: &Source) {
        let all = (self.by_source.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(source) {
            series.verifications.inc();
        }
    }

    /// `known` says whether a source that is not declared is still in the configuration. Events of
    /// one that is not, which may come long after, must not bring its series back.
    pub(super) fn settled(
        &self,
        source: Option<&Source>,
        fate: Fate,
        known: impl FnOnce(&Source) -> bool,
    ) {
        let Some(source) = source else {
            self.without_source[fate as usize].inc();
            return;
        };
        if self.count(source, fate) {
            return;
        }
        if known(source) {
            self.declare(source);
            self.count(source, fate);
        } else {
            self.without_source[fate as usize].inc();
        }
    }

    fn count(&self, source: &Source, fate: Fate) -> bool {
        let all = (self.by_source.read()).unwrap_or_else(PoisonError::into_inner);
        let series = all.get(source);
        if let Some(series) = series {
            series.events[fate as usize].inc();
        }
        series.is_some()
    }

    pub(super) fn retain(&self, sources: &HashSet<Source>) {
        let mut all = (self.by_source.write()).unwrap_or_else(PoisonError::into_inner);
        all.retain(|source, _| {
            let stays = sources.contains(source);
            if !stays {
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
