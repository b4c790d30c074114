//! Events become metrics.
//!
//! [`Metrics`] owns every series. A run resolves those that it counts in once, when it starts, and holds them; what
//! stands in the configuration is declared, so that it begins at 0, and what goes out of it is removed by
//! [`Metrics::retain`].

mod boundaries;
mod bursts;
mod callbacks;
mod chats;
mod deliveries;
mod family;
mod history;
mod listeners;
mod mixed_runs;
mod objectives;
mod own;
mod phases;
mod probes;
mod pushing;
mod runs;
mod series;
mod sockets;
mod steps;
mod subjects;
mod targets;
mod waits;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{
    Registry, TextEncoder,
    proto::{Metric, MetricFamily},
};

use self::{
    bursts::{BurstPart, Bursts},
    callbacks::CallbackMetrics,
    family::Maker,
    history::HistorySeries,
    listeners::ListenerSeries,
    mixed_runs::MixedRunMetrics,
    objectives::ObjectiveFamilies,
    own::{Own, ProcessSeries},
    probes::Probes,
    pushing::PushSeries,
    runs::RunMetrics,
    subjects::Subjects,
    targets::Targets,
    waits::Waits,
};
use super::ProcessMonitor;
use crate::{
    event::{
        BurstDeclaration, Mode, Observer, ProbeDeclaration, RunIdentity, RunObserver,
        ScenarioDeclaration, ServiceEvent, Subject, Verdict,
    },
    scenario::{Reason, Scenario},
};

pub use boundaries::Boundaries;

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric has an unusable name, label or bucket.
    #[error("a metric cannot be made")]
    Make(#[source] prometheus::Error),
    /// The process cannot be watched.
    #[error("the resources of the process cannot be read")]
    Process(#[source] sysinfo::Error),
    /// The metrics cannot be written down.
    #[error("the metrics cannot be written")]
    Render(#[source] prometheus::Error),
}

/// Every metric, by what it is about.
pub struct Metrics {
    registry: Registry,
    subjects: Subjects,
    callbacks: CallbackMetrics,
    probes: Probes,
    objectives: ObjectiveFamilies,
    bursts: Bursts,
    targets: Targets,
    own: Own,
    history: HistorySeries,
    pushing: PushSeries,
    listeners: ListenerSeries,
    process: ProcessSeries,
    monitor: Arc<ProcessMonitor>,
    /// Keeps scrapes apart: the gauges that are made for one must be of one moment.
    scrape: Mutex<()>,
}

impl Metrics {
    /// All metrics, with nothing declared yet.
    pub fn new(boundaries: &Boundaries) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let make = Maker(&registry);
        Ok(Self {
            subjects: Subjects::new(&make, boundaries)?,
            callbacks: CallbackMetrics::new(&make)?,
            probes: Probes::new(&make)?,
            objectives: ObjectiveFamilies::new(&make)?,
            bursts: Bursts::new(&make)?,
            targets: Targets::new(&make)?,
            own: Own::new(&make)?,
            history: HistorySeries::new(&make)?,
            pushing: PushSeries::new(&make)?,
            listeners: ListenerSeries::new(&make)?,
            process: ProcessSeries::new(&make)?,
            monitor: Arc::new(ProcessMonitor::new().map_err(MetricsError::Process)?),
            registry,
            scrape: Mutex::default(),
        })
    }

    /// Lets every series of a subject begin at 0. Declared anew, it loses the series of steps and
    /// reasons that it no longer has, as soon as none of its runs is in progress.
    pub fn declare_subject(&self, subject: &Subject, declaration: &ScenarioDeclaration) {
        self.subjects.declare(subject, declaration);
        if declaration.callbacks {
            self.callbacks.declare(&subject.into());
        }
    }

    /// Lets the series of a probe begin at 0; its subject is declared on its own.
    pub fn declare_probe(&self, probe: &ProbeDeclaration) {
        self.probes.declare(probe);
        self.objectives.declare(probe);
    }

    /// Lets the series of a burst begin at 0; its subjects are declared on their own.
    pub fn declare_burst(&self, burst: &BurstDeclaration) {
        let (name, subject) = (&burst.name, &burst.subject);
        if !burst.is_mixed() {
            return self.bursts.declare(name, subject, BurstPart::Whole);
        }
        self.bursts.declare(name, subject, BurstPart::Frame);
        for member in &burst.members {
            self.bursts
                .declare(name, &member.subject, BurstPart::Member);
        }
    }

    /// Removes the series of subjects, with their probes, and of bursts that are not kept. What a
    /// run is still writing to goes with the end of that run. Bursts that are not in the
    /// configuration stay as long as their subject. For use after what stays has been declared.
    pub fn retain(
        &self,
        keep: impl Fn(&Subject) -> bool,
        keep_burst: impl Fn(&str, &Subject) -> bool,
    ) {
        for subject in self.subjects.retain(&keep) {
            self.forget_probe(&subject);
        }
        self.bursts.retain(|name, subject| match name {
            RunIdentity::AD_HOC => keep(subject),
            name => keep_burst(name, subject),
        });
        self.retain_callbacks();
    }

    /// Removes what is known of targets that are not among these, which are those of the configuration.
    pub fn retain_targets(&self, targets: BTreeSet<Arc<str>>) {
        self.targets.retain(targets);
    }

    fn forget_probe(&self, subject: &Subject) {
        if subject.mode == Mode::Probe {
            self.probes.remove(subject);
            self.objectives.forget(subject);
        }
    }

    fn retain_callbacks(&self) {
        let sources = self.subjects.sources_of_callbacks();
        self.callbacks.retain(&sources);
    }

    /// What watches the process; somebody has to let it run.
    pub fn monitor(&self) -> &Arc<ProcessMonitor> {
        &self.monitor
    }

    /// How many series there are, each bucket of a histogram being one.
    pub fn series(&self) -> usize {
        let families = self.registry.gather();
        let metrics = families.iter().flat_map(MetricFamily::get_metric);
        let count = |metric: &Metric| match metric.get_histogram().get_bucket() {
            [] => 1,
            // The bucket without an end, the sum and the count.
            buckets => buckets.len() + 3,
        };
        metrics.map(count).sum()
    }

    /// Everything in Prometheus' text format, [`prometheus::TEXT_FORMAT`]. Takes about a
    /// millisecond a thousand series, and reads `/proc`: too long for an asynchronous task.
    pub fn render(&self) -> Result<String, MetricsError> {
        let _scrape = self.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.process.set(&self.monitor.refresh());
        self.subjects.refresh();
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut text)
            .map_err(MetricsError::Render)?;
        Ok(text)
    }

    fn run_ended(
        &self,
        run: &RunIdentity,
        verdict: Verdict,
        outcome: Result<(), Reason>,
        waits: Option<&Arc<Waits>>,
        now: SystemTime,
    ) {
        let subject = &run.subject;
        match subject.mode {
            Mode::Probe => self.probes.run_ended(subject, verdict, outcome, now),
            Mode::Burst => {
                let part = BurstPart::of(run);
                self.bursts.run_ended(run, part, Some(verdict), now);
            }
        }
        self.subject_ended(subject, waits);
    }

    /// The part of a mixed run that has one scenario is over.
    fn member_ended(&self, run: &RunIdentity, waits: Option<&Arc<Waits>>, now: SystemTime) {
        self.bursts.run_ended(run, BurstPart::Member, None, now);
        self.subject_ended(&run.subject, waits);
    }

    fn subject_ended(&self, subject: &Subject, waits: Option<&Arc<Waits>>) {
        if self.subjects.run_ended(subject, waits) {
            self.forget_probe(subject);
            self.retain_callbacks();
        }
    }

    fn observe_at(&self, event: &ServiceEvent, now: SystemTime) {
        match event {
            ServiceEvent::ProbePaused { subject, paused } => self.probes.paused(subject, *paused),
            ServiceEvent::ProbeSkipped { subject, reason } => {
                self.probes.skipped(subject, *reason).inc();
            }
            ServiceEvent::BurstSkipped { burst } => self.bursts.skipped(burst),
            ServiceEvent::ConfigurationAccepted(declarations) => {
                self.follow(declarations);
                self.own.configuration_loaded(true, now);
            }
            ServiceEvent::StrayCallback(fate) => self.callbacks.settled_without_source(*fate),
            ServiceEvent::HistoryKept(figures) => self.history.set(figures),
            ServiceEvent::ResultsPushed(figures) => self.pushing.set(figures),
            ServiceEvent::ListenersWatched(figures) => self.listeners.set(figures),
            ServiceEvent::ConfigurationRefused => self.own.configuration_loaded(false, now),
            ServiceEvent::RequestDenied(denial) => self.own.request_denied(*denial),
            ServiceEvent::SchedulerLag(lag) => self.own.lagged(*lag),
            ServiceEvent::Beat(beat) => self.own.beaten(beat),
        }
    }
}

impl Observer for Metrics {
    fn observe_service(&self, event: &ServiceEvent) {
        self.observe_at(event, SystemTime::now());
    }

    fn of_run(
        self: Arc<Self>,
        run: &Arc<RunIdentity>,
        scenario: &Scenario,
    ) -> Option<Arc<dyn RunObserver>> {
        let declaration = ScenarioDeclaration::of(scenario);
        let observer = RunMetrics::start(self, run, &declaration, SystemTime::now());
        Some(Arc::new(observer))
    }

    fn of_mixed_run(self: Arc<Self>, run: &Arc<RunIdentity>) -> Option<Arc<dyn RunObserver>> {
        Some(Arc::new(MixedRunMetrics::start(
            self,
            run,
            SystemTime::now(),
        )))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Unix time; a clock before 1970 counts as 0.
fn seconds_since_epoch(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64()
}

#[cfg(test)]
mod tests;
