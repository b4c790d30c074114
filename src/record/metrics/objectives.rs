use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{Gauge, IntCounter};

use super::{
    MetricsError,
    family::{Family, Maker, begins_with},
};
use crate::{
    event::{Objectives, ProbeDeclaration, Subject},
    scenario::Observation,
};

/// The metrics about the objectives of probes. Probes are few and slow, so that series are looked up.
pub(super) struct ObjectiveFamilies {
    ratio: Family<Gauge>,
    seconds: Family<Gauge>,
    joins_in_time: Family<IntCounter>,
    steps_in_time: Family<IntCounter>,
    by_probe: Mutex<HashMap<Subject, ProbeObjectives>>,
}

/// The objectives of one probe, and the steps that they are about.
struct ProbeObjectives {
    objectives: Objectives,
    requests: HashSet<Arc<str>>,
}

impl ObjectiveFamilies {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            ratio: make.gauges(
                "chatprobe_probe_objective_ratio",
                "The share that has to be good: of chats (success), of waits for an agent (agent_join), of requests (steps).",
                &["scenario", "target", "objective"],
            )?,
            seconds: make.gauges(
                "chatprobe_probe_objective_seconds",
                "How long a wait for an agent (agent_join) or a request (steps) may take to be good.",
                &["scenario", "target", "objective"],
            )?,
            joins_in_time: make.counters(
                "chatprobe_probe_agent_joins_in_time_total",
                "Waits for an agent, of the probe, that ended within the objective.",
                &["scenario", "target"],
            )?,
            steps_in_time: make.counters(
                "chatprobe_probe_steps_in_time_total",
                "Requests of the probe that were answered well within the objective.",
                &["scenario", "target", "step"],
            )?,
            by_probe: Mutex::default(),
        })
    }

    pub(super) fn declare(&self, probe: &ProbeDeclaration) {
        let ProbeDeclaration {
            subject,
            scenario: declaration,
            objectives,
            ..
        } = probe;
        let [scenario, target] = labels(subject);
        let ratio = |objective: &str, value| {
            self.ratio.child(&[scenario, target, objective]).set(value);
        };
        let seconds = |objective: &str, value: Duration| {
            let gauge = self.seconds.child(&[scenario, target, objective]);
            gauge.set(value.as_secs_f64());
        };
        self.remove(subject, |step| declaration.is_request(step));
        ratio("success", objectives.success.as_ratio());
        ratio("steps", objectives.steps.share.as_ratio());
        seconds("steps", objectives.steps.within);
        if declaration.agent_join {
            ratio("agent_join", objectives.agent_join.share.as_ratio());
            seconds("agent_join", objectives.agent_join.within);
            self.joins_in_time.child(&[scenario, target]);
        } else {
            self.joins_in_time.remove(&[scenario, target]);
        }
        let mut requests = HashSet::new();
        for step in declaration.steps.iter().filter(|step| step.is_request) {
            self.steps_in_time.child(&[scenario, target, &step.name]);
            requests.insert(step.name.clone());
        }
        let probe = ProbeObjectives {
            objectives: *objectives,
            requests,
        };
        self.by_probe().insert(subject.clone(), probe);
    }

    pub(super) fn step_passed(
        &self,
        subject: &Subject,
        step: &Arc<str>,
        observation: Option<Observation>,
        latency: Duration,
    ) {
        let probes = self.by_probe();
        let Some(probe) = probes.get(subject) else {
            return;
        };
        let [scenario, target] = labels(subject);
        match observation {
            Some(Observation::AgentJoin) if latency <= probe.objectives.agent_join.within => {
                self.joins_in_time.child(&[scenario, target]).inc();
            }
            _ => {}
        }
        if probe.requests.contains(step) && latency <= probe.objectives.steps.within {
            self.steps_in_time.child(&[scenario, target, step]).inc();
        }
    }

    pub(super) fn forget(&self, subject: &Subject) {
        self.by_probe().remove(subject);
        self.joins_in_time.remove(&labels(subject));
        self.remove(subject, |_| false);
    }

    /// Removes the gauges of a subject, and the counters of steps that are not kept.
    fn remove(&self, subject: &Subject, keep: impl Fn(&str) -> bool) {
        let labels = labels(subject);
        self.ratio.remove(&labels);
        self.seconds.remove(&labels);
        self.steps_in_time
            .retain(|values| !begins_with(values, &labels) || keep(&values[2]));
    }

    fn by_probe(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, ProbeObjectives>> {
        self.by_probe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels(subject: &Subject) -> [&str; 2] {
    [&subject.scenario, &subject.target]
}
