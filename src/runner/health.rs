//! How the generator itself fared during a run, seen from outside its runtime.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    HealthBudget, latencies::Latencies, machine_sample::MachineSample, quantiles::Quantiles,
};
use crate::{units::duration, vitals::Beat};

/// Who wants less than this many CPUs is idle, and a wait now and then says nothing.
const WORTH_A_WORD: f64 = 0.5;
const MILLION: f64 = 1e6;

/// What was noted about the machine in a part of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct GeneratorHealth {
    pub(super) thread_lag: Latencies,
    cpu_user: Extent,
    cpu_system: Extent,
    cpus: Extent,
    host_busy: Extent,
    cpu_wait: Extent,
    memory: Extent,
    files: Extent,
    sockets: Extent,
    run_queue: Extent,
    /// Connections that found an accept queue of the network namespace full.
    listen_overflows: u64,
}

/// Readings of one quantity.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Extent {
    /// In millionths: a sum of fractions would depend on the order in which they are added.
    sum: u128,
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
    /// CPU wait: for how many CPUs its threads waited besides, in CPU seconds a second.
    #[serde(alias = "cpus_missing")]
    pub cpu_wait: MeanAndMost,
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
    pub fn of_samples<'a>(samples: &(impl Iterator<Item = &'a MachineSample> + Clone)) -> Self {
        let extent = |of: fn(&MachineSample) -> Option<f64>| {
            let mut extent = Extent::default();
            samples.clone().for_each(|reading| extent.note(of(reading)));
            extent.report()
        };
        Self {
            cpus: extent(|reading| Some(reading.cpu_user + reading.cpu_system)),
            host_busy: extent(|reading| reading.host_busy),
            cpu_wait: extent(|reading| reading.cpu_wait),
            memory_bytes: extent(|reading| reading.memory_bytes.map(float)),
            files: extent(|reading| reading.files.map(float)),
            ..Self::default()
        }
    }
}

impl GeneratorHealth {
    pub(super) fn note(&mut self, beat: &Beat) {
        self.thread_lag.record(beat.late);
        if let Some(load) = beat.load {
            self.cpu_user.note(Some(load.user));
            self.cpu_system.note(Some(load.system));
            self.cpus.note(Some(load.cpus()));
            self.host_busy.note(load.host_busy);
            self.cpu_wait.note(load.cpu_wait);
            self.memory.note(load.memory.map(float));
            self.files.note(load.files.map(float));
            self.sockets.note(load.sockets.map(float));
            self.run_queue.note(load.run_queue.map(float));
            self.listen_overflows += load.listen_overflows;
        }
    }

    pub(super) fn merge(&mut self, others: &Self) {
        self.thread_lag.merge(&others.thread_lag);
        self.cpu_user.merge(others.cpu_user);
        self.cpu_system.merge(others.cpu_system);
        self.cpus.merge(others.cpus);
        self.host_busy.merge(others.host_busy);
        self.cpu_wait.merge(others.cpu_wait);
        self.memory.merge(others.memory);
        self.files.merge(others.files);
        self.sockets.merge(others.sockets);
        self.run_queue.merge(others.run_queue);
        self.listen_overflows += others.listen_overflows;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.thread_lag.count() == 0
    }

    /// Forgets everything and keeps the memory of the histogram.
    pub(super) fn clear(&mut self) {
        let mut thread_lag = std::mem::take(self).thread_lag;
        thread_lag.clear();
        self.thread_lag = thread_lag;
    }

    /// The machine as one reading has it; of several the mean.
    pub(super) fn sample(&self) -> Option<MachineSample> {
        let known = |extent: &Extent| extent.report().mean;
        Some(MachineSample {
            cpu_user: known(&self.cpu_user)?,
            cpu_system: known(&self.cpu_system)?,
            cpu_wait: known(&self.cpu_wait),
            host_busy: known(&self.host_busy),
            memory_bytes: self.memory.whole_mean(),
            files: self.files.whole_mean(),
        })
    }

    pub(super) fn report(&self) -> HealthReport {
        HealthReport {
            thread_lag: Quantiles::of(&self.thread_lag),
            cpus: self.cpus.report(),
            host_busy: self.host_busy.report(),
            cpu_wait: self.cpu_wait.report(),
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
        read_delays: [&Latencies; 2],
    ) -> Option<f64> {
        // Heartbeats tell of all moments alike, requests and reads of those in which there was something to do.
        let [read_delay, of_frames] = read_delays;
        let latest = [
            heartbeat_lag,
            &self.thread_lag,
            send_lateness,
            read_delay,
            of_frames,
        ];
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
        let (got, cpu_wait) = (self.cpus.mean(), self.cpu_wait.mean());
        let wanted = got + cpu_wait;
        if wanted > WORTH_A_WORD && cpu_wait > wanted * budget.cpu_wait.as_ratio() {
            beyond.push(format!(
                "the load generator was saturated: it wanted {wanted:.1} CPUs and got {got:.1} (the budget for CPU wait is {}); \
                 its machine was busy to {:.0}%",
                budget.cpu_wait,
                self.host_busy.mean() * 100.0
            ));
        }
        beyond
    }
}

impl Extent {
    fn note(&mut self, reading: Option<f64>) {
        if let Some(value) = reading {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "no reading is negative, and 2^128 millionths are far more than any"
            )]
            let millionths = (value * MILLION).round() as u128;
            self.sum += millionths;
            self.count += 1;
            self.most = self.most.max(value);
        }
    }

    fn merge(&mut self, others: Self) {
        self.sum += others.sum;
        self.count += others.count;
        self.most = self.most.max(others.most);
    }

    fn mean(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
        let sum = self.sum as f64;
        sum / MILLION / f64::from(self.count.max(1))
    }

    /// The mean of counts, rounded.
    fn whole_mean(&self) -> Option<u64> {
        let of = u128::from(self.count) * 1_000_000;
        let mean = (self.sum + of / 2).checked_div(of)?;
        u64::try_from(mean).ok()
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
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_millis(millis));
            latencies
        };
        let (health, none) = (GeneratorHealth::default(), Latencies::default());
        assert_eq!(health.precision(&none, &none, [&none; 2]), None);
        for (millis, precision) in [
            ([3, 0, 0, 0], 0.003),
            ([3, 7, 0, 0], 0.007),
            ([9, 7, 8, 8], 0.009),
            ([9, 7, 10, 0], 0.010),
            ([9, 7, 10, 11], 0.011),
        ] {
            let [heartbeat, send, read, frames] = millis.map(of);
            let found = health.precision(&heartbeat, &send, [&read, &frames]);
            assert_eq!(found, Some(precision), "{millis:?}");
        }
    }
}
