//! How the generator itself fared during a run, seen from outside its runtime.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MachineSample, Quantiles, Sample, latencies::Latencies};
use crate::{config::HealthBudget, units::duration, vitals::Beat};

/// Who wants less than this many CPUs is idle, and a wait now and then says nothing.
const WORTH_A_WORD: f64 = 0.5;

/// What a run noted about the machine.
#[derive(Debug)]
pub(super) struct Health {
    thread_lag: Latencies,
    cpus: Extent,
    host_busy: Extent,
    missing: Extent,
    memory: Extent,
    files: Extent,
    sockets: Extent,
    run_queue: Extent,
    /// Connections that found an accept queue of the network namespace full.
    listen_overflows: u64,
}

#[derive(Debug, Default)]
struct Extent {
    sum: f64,
    count: u32,
    most: f64,
}

/// The machine during a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthReport {
    /// How late a thread woke that does nothing but sleep.
    pub thread_lag: Quantiles,
    /// CPUs that the process kept busy.
    pub cpus: MeanAndMost,
    /// The share of the host's CPUs that was busy, whoever kept them so, 0 to 1.
    pub host_busy: MeanAndMost,
    /// CPUs that its threads wanted besides and waited for.
    pub cpus_missing: MeanAndMost,
    /// Memory of the process in RAM, in bytes.
    #[serde(default)]
    pub memory_bytes: MeanAndMost,
    /// Files that the process had open, sockets among them.
    pub files: MeanAndMost,
    /// TCP sockets of the network namespace, whoever had them: those in use, and those in `TIME_WAIT`,
    /// which hold their port.
    pub sockets: MeanAndMost,
    /// Threads of the whole host that ran or waited for a CPU at the moment of a reading.
    pub run_queue: MeanAndMost,
}

/// Readings of about a second each; null where nothing was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeanAndMost {
    /// The mean of all readings.
    pub mean: Option<f64>,
    /// The highest.
    pub most: Option<f64>,
}

impl HealthReport {
    /// What the seconds of a run know of the machine, which is not all.
    pub fn of_samples(samples: &[Arc<Sample>]) -> Self {
        let readings = || samples.iter().filter_map(|sample| sample.machine.as_ref());
        let extent = |of: fn(&MachineSample) -> Option<f64>| {
            let mut extent = Extent::default();
            readings().for_each(|reading| extent.note(of(reading)));
            extent.report()
        };
        Self {
            cpus: extent(|reading| Some(reading.cpu_user + reading.cpu_system)),
            host_busy: extent(|reading| reading.host_busy),
            cpus_missing: extent(|reading| reading.cpus_missing),
            memory_bytes: extent(|reading| reading.memory_bytes.map(float)),
            files: extent(|reading| reading.files.map(float)),
            ..Self::default()
        }
    }
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            thread_lag: Latencies::new(),
            cpus: Extent::default(),
            host_busy: Extent::default(),
            missing: Extent::default(),
            memory: Extent::default(),
            files: Extent::default(),
            sockets: Extent::default(),
            run_queue: Extent::default(),
            listen_overflows: 0,
        }
    }

    pub(super) fn note(&mut self, beat: &Beat) {
        self.thread_lag.record(beat.late);
        if let Some(load) = beat.load {
            self.cpus.note(Some(load.cpus()));
            self.host_busy.note(load.host_busy);
            self.missing.note(load.missing);
            self.memory.note(load.memory.map(float));
            self.files.note(load.files.map(float));
            self.sockets.note(load.sockets.map(float));
            self.run_queue.note(load.run_queue.map(float));
            self.listen_overflows += load.listen_overflows;
        }
    }

    pub(super) fn report(&self) -> HealthReport {
        HealthReport {
            thread_lag: Quantiles::of(&self.thread_lag),
            cpus: self.cpus.report(),
            host_busy: self.host_busy.report(),
            cpus_missing: self.missing.report(),
            memory_bytes: self.memory.report(),
            files: self.files.report(),
            sockets: self.sockets.report(),
            run_queue: self.run_queue.report(),
        }
    }

    /// What may have decided about the figures, and may have been none of ours.
    pub(super) fn warnings(&self) -> Option<String> {
        let overflows = self.listen_overflows;
        (overflows > 0).then(|| {
            format!(
                "{overflows} connections found an accept queue of this network namespace full (ListenOverflows) and \
                 came a second late or not at all; `ss -ltn` shows the queues of all processes"
            )
        })
    }

    /// See [`super::RunReport::precision`].
    pub(super) fn precision(
        &self,
        heartbeat_lag: &Latencies,
        send_lateness: &Latencies,
    ) -> Option<f64> {
        // Heartbeats tell of all moments alike, requests of those in which there was something to do.
        let latest = [heartbeat_lag, &self.thread_lag, send_lateness];
        let latest = latest.into_iter().filter(|lag| lag.count() > 0);
        let latest = latest.map(|lag| lag.at(0.99)).max();
        latest.map(|lag| lag.as_secs_f64())
    }

    /// What says that the machine, and not the target, decided about the figures.
    pub(super) fn beyond(&self, budget: &HealthBudget) -> Vec<String> {
        let mut beyond = Vec::new();
        let stall = self.thread_lag.longest();
        if stall > budget.stall {
            beyond.push(format!(
                "the generator stood still for {} (the budget is {})",
                duration::rounded(stall),
                duration::exact(budget.stall)
            ));
        }
        let (got, missing) = (self.cpus.mean(), self.missing.mean());
        let wanted = got + missing;
        if wanted > WORTH_A_WORD && missing > wanted * budget.cpu_missing.as_ratio() {
            beyond.push(format!(
                "the generator was starved: it wanted {wanted:.1} CPUs and got {got:.1} (the budget is {} missing); \
                 its machine was busy to {:.0}%",
                budget.cpu_missing,
                self.host_busy.mean() * 100.0
            ));
        }
        beyond
    }
}

impl Extent {
    fn note(&mut self, reading: Option<f64>) {
        if let Some(value) = reading {
            self.sum += value;
            self.count += 1;
            self.most = self.most.max(value);
        }
    }

    fn mean(&self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }

    fn report(&self) -> MeanAndMost {
        let known = self.count > 0;
        MeanAndMost {
            mean: known.then(|| self.mean()),
            most: known.then_some(self.most),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "files, threads and bytes of memory are far fewer than 2^52"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn latencies_are_right_to_what_came_latest() {
        let of = |millis| {
            let mut latencies = Latencies::new();
            latencies.record(Duration::from_millis(millis));
            latencies
        };
        let (health, none) = (Health::new(), Latencies::new());
        assert_eq!(health.precision(&none, &none), None);
        assert_eq!(health.precision(&of(3), &none), Some(0.003));
        assert_eq!(health.precision(&of(3), &of(7)), Some(0.007));
        assert_eq!(health.precision(&of(9), &of(7)), Some(0.009));
    }
}
