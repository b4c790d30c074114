use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use prometheus::IntCounter;

use super::{
    MetricsError,
    family::{Family, Maker},
};
use crate::event::Fate;

/// The scenario of events that no scenario of the configuration knows. No scenario is mistaken for
/// it but one of that very name.
const NO_SCENARIO: &str = "none";

/// What became of inbound events.
pub(super) struct Callbacks {
    events: Family<IntCounter>,
    /// One counter a fate, in the order of [`Fate::ALL`].
    by_scenario: RwLock<HashMap<Arc<str>, [IntCounter; Fate::ALL.len()]>>,
    without_scenario: [IntCounter; Fate::ALL.len()],
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
            by_scenario: RwLock::default(),
        })
    }

    pub(super) fn declare(&self, scenario: &Arc<str>) {
        let mut all = (self.by_scenario.write()).unwrap_or_else(PoisonError::into_inner);
        all.entry(scenario.clone())
            .or_insert_with(|| counters(&self.events, scenario));
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
        let counters = all.get(scenario);
        if let Some(counters) = counters {
            counters[fate as usize].inc();
        }
        counters.is_some()
    }

    pub(super) fn retain(&self, scenarios: &HashSet<Arc<str>>) {
        let mut all = (self.by_scenario.write()).unwrap_or_else(PoisonError::into_inner);
        all.retain(|scenario, _| {
            let stays = scenarios.contains(scenario);
            if !stays && **scenario != *NO_SCENARIO {
                self.events.remove(&[scenario]);
            }
            stays
        });
    }
}

fn counters(events: &Family<IntCounter>, scenario: &str) -> [IntCounter; Fate::ALL.len()] {
    Fate::ALL.map(|fate| events.child(&[scenario, fate.as_str()]))
}
