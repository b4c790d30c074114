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
use crate::event::Fate;

/// The scenario of events that no scenario of the configuration knows. No scenario is mistaken for
/// it but one of that very name.
const NO_SCENARIO: &str = "none";

/// What became of inbound events.
pub(super) struct Callbacks {
    events: Family<IntCounter>,
    last_event: Family<Gauge>,
    repeated_ids: Family<IntCounter>,
    verifications: Family<IntCounter>,
    by_scenario: RwLock<HashMap<Arc<str>, Series>>,
    without_scenario: ByFate,
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
            "Inbound events, by what became of them; scenario=\"none\" where no run knows the event.",
            &["scenario", "fate"],
        )?;
        Ok(Self {
            without_scenario: counters(&events, NO_SCENARIO),
            events,
            last_event: make.gauges(
                "chatprobe_callback_last_event_timestamp_seconds",
                "Unix time at which the last inbound event of a run of the scenario came; 0 before the first.",
                &["scenario"],
            )?,
            repeated_ids: make.counters(
                "chatprobe_callback_repeated_ids_total",
                "Inbound events whose id does not identify them: it came for another chat, or with another content.",
                &["scenario"],
            )?,
            verifications: make.counters(
                "chatprobe_callback_verifications_total",
                "Requests on callback paths that are no events: they only asked whether this is the right receiver.",
                &["scenario"],
            )?,
            by_scenario: RwLock::default(),
        })
    }

    pub(super) fn declare(&self, scenario: &Arc<str>) {
        let mut all = (self.by_scenario.write()).unwrap_or_else(PoisonError::into_inner);
        all.entry(scenario.clone()).or_insert_with(|| Series {
            events: counters(&self.events, scenario),
            last_event: self.last_event.child(&[scenario]),
            repeated_ids: self.repeated_ids.child(&[scenario]),
            verifications: self.verifications.child(&[scenario]),
        });
    }

    /// An event came for a run of this scenario.
    pub(super) fn received(&self, scenario: &Arc<str>, now: SystemTime) {
        let all = (self.by_scenario.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(scenario) {
            series.last_event.set(seconds_since_epoch(now));
        }
    }

    /// An event of a run of this scenario has an id that does not identify it.
    pub(super) fn id_repeated(&self, scenario: &Arc<str>) {
        let all = (self.by_scenario.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(scenario) {
            series.repeated_ids.inc();
        }
    }

    /// A request for a run of this scenario only asked whether this is the right receiver.
    pub(super) fn verified(&self, scenario: &Arc<str>) {
        let all = (self.by_scenario.read()).unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.get(scenario) {
            series.verifications.inc();
        }
    }

    /// `known` says whether a scenario that is not declared is still in the configuration. Events of
    /// one that is not, which may come long after, must not bring its series back.
    pub(super) fn settled(
        &self,
        scenario: Option<&Arc<str>>,
        fate: Fate,
        known: impl FnOnce(&Arc<str>) -> bool,
    ) {
        let Some(scenario) = scenario else {
            self.without_scenario[fate as usize].inc();
            return;
        };
        if self.count(scenario, fate) {
            return;
        }
        if known(scenario) {
            self.declare(scenario);
            self.count(scenario, fate);
        } else {
            self.without_scenario[fate as usize].inc();
        }
    }

    fn count(&self, scenario: &Arc<str>, fate: Fate) -> bool {
        let all = (self.by_scenario.read()).unwrap_or_else(PoisonError::into_inner);
        let series = all.get(scenario);
        if let Some(series) = series {
            series.events[fate as usize].inc();
        }
        series.is_some()
    }

    pub(super) fn retain(&self, scenarios: &HashSet<Arc<str>>) {
        let mut all = (self.by_scenario.write()).unwrap_or_else(PoisonError::into_inner);
        all.retain(|scenario, _| {
            let stays = scenarios.contains(scenario);
            if !stays {
                self.last_event.remove(&[scenario]);
                self.repeated_ids.remove(&[scenario]);
                self.verifications.remove(&[scenario]);
                if **scenario != *NO_SCENARIO {
                    self.events.remove(&[scenario]);
                }
            }
            stays
        });
    }
}

fn counters(events: &Family<IntCounter>, scenario: &str) -> ByFate {
    Fate::ALL.map(|fate| events.child(&[scenario, fate.as_str()]))
}
