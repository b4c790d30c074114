//! Schedulers of tests.

use std::{path::Path, sync::Arc};

use super::Scheduler;
use crate::{
    callbacks::{CallbackLimits, Exchange},
    config::Plan,
    event::Observers,
    runner::{Engine, HealthBudget, TraceBudget},
    scenario::Drivers,
    service::SECTIONS,
    vitals::Vitals,
};

const SCENARIO: &str = "{ scenario: s, steps: [ { think: 1h } ] }";

/// A scheduler that has started nothing of this plan, whose file `s.yaml` has chats of an hour.
pub(super) fn scheduler(folder: &Path, plan: &str, observers: Observers) -> Scheduler {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    std::fs::write(folder.join("s.yaml"), SCENARIO).unwrap();
    std::fs::write(folder.join("chatprobe.yaml"), plan).unwrap();
    let plan = Plan::load(&folder.join("chatprobe.yaml"), SECTIONS).unwrap();
    let engine = Engine {
        drivers: Drivers::direct(),
        exchange: Exchange::new(CallbackLimits::default(), observers.clone()),
        callback_url: "http://127.0.0.1:9".into(),
        observers,
        budget: HealthBudget::default(),
        vitals: Vitals::start().unwrap(),
        traces: TraceBudget::default(),
    };
    Scheduler::new(engine, Arc::new(plan))
}
