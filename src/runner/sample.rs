//! One second of a run, as reports and people see it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    DeliverySample, MachineSample, SocketSample,
    averages::{most, weight, weighted},
    latencies::Latencies,
    measurements::Measurements,
    outcomes::{Outcomes, add_counts},
    quantiles::quantile,
};
use crate::{event::Fate, scenario::Reason};

/// What happened in one second of a run; in more than one, if the generator could not look in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When it ended, in seconds since the run began.
    pub at: f64,
    /// How long it was, in seconds: counts divided by it are rates.
    pub seconds: f64,
    /// Chats that the load profile wanted to begin in it; null for one that says how many there
    /// are at a time.
    pub due: Option<u64>,
    /// Customers that the load profile wanted when the sample ended; null for a profile that says when chats begin.
    pub customers: Option<u64>,
    /// Chats that began in it.
    pub started: u64,
    /// Chats that passed in it.
    pub passed: u64,
    /// Chats that failed in it.
    pub failed: u64,
    /// The failed ones by reason; left out if none failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// Chats that were stopped in it.
    pub stopped: u64,
    /// Chats that were due in it and were dropped: the concurrency limit was reached.
    pub dropped: u64,
    /// Chats in progress at its end.
    pub in_progress: u64,
    /// Events received in it.
    pub received: u64,
    /// Events whose fate was decided within the sample, by fate, whenever they were received; left out if there were
    /// none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<Fate, u64>,
    /// The sockets; left out if nothing happened to any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sockets: Option<Box<SocketSample>>,
    /// What members of rooms were to receive; left out if nothing happened to deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deliveries: Option<Box<DeliverySample>>,
    /// How late chats started, 99th percentile, in seconds.
    pub start_late: Option<f64>,
    /// How late requests were sent, 99th percentile, in seconds.
    pub sent_late: Option<f64>,
    /// The steps, in the order in which the report has them.
    pub steps: Vec<StepSample>,
    /// The machine, if it was read; the mean, if that was done twice in this second.
    pub machine: Option<MachineSample>,
}

/// One step in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepSample {
    /// How often it passed.
    pub passed: u64,
    /// How often it failed.
    pub failed: u64,
    /// The failures by reason; left out if there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub failed_by_reason: BTreeMap<Reason, u64>,
    /// How often it was cut short because the run was stopped.
    #[serde(default)]
    pub stopped: u64,
    /// The median of those that passed, in seconds.
    pub p50: Option<f64>,
    /// 95 of 100 that passed were as quick, in seconds.
    pub p95: Option<f64>,
    /// The slowest that passed, in seconds.
    pub max: Option<f64>,
}

/// What a load profile wants of a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AskedFor {
    /// See [`Sample::due`].
    pub(super) due: Option<u64>,
    /// See [`Sample::customers`].
    pub(super) customers: Option<u64>,
}

impl Sample {
    /// What was measured in so many seconds which ended `at`, with so many chats in progress.
    pub(super) fn of(
        measured: &Measurements,
        asked: AskedFor,
        at: Duration,
        length: Duration,
        in_progress: u64,
    ) -> Self {
        let chats = &measured.chats;
        let p99 = |latencies: &Latencies| quantile(latencies, 0.99);
        let steps = measured.steps.iter();
        Self {
            at: at.as_secs_f64(),
            seconds: length.as_secs_f64(),
            due: asked.due,
            customers: asked.customers,
            started: measured.started,
            passed: chats.passed(),
            failed: chats.failed(),
            failed_by_reason: chats.failed_by_reason.clone(),
            stopped: chats.stopped,
            dropped: measured.dropped,
            in_progress,
            received: measured.inbound.arrived,
            by_fate: measured.inbound.by_fate.clone(),
            sockets: SocketSample::of(&measured.sockets).map(Box::new),
            deliveries: DeliverySample::of(&measured.deliveries).map(Box::new),
            start_late: p99(&measured.start_lateness),
            sent_late: p99(&measured.send_lateness),
            steps: steps.map(|step| StepSample::of(&step.outcomes)).collect(),
            machine: measured.health.sample(),
        }
    }
}

impl Sample {
    /// Takes in what happened next. Counts are summed; of a median the mean is kept, weighted by how many it is of; of what
    /// was read of the machine the mean over time; of all else the most, as charts show several seconds.
    pub fn join(&mut self, next: &Self) {
        self.machine = match (self.machine, next.machine) {
            (Some(one), Some(other)) => Some(one.joined([self.seconds, next.seconds], &other)),
            (one, other) => one.or(other),
        };
        self.at = next.at;
        self.seconds += next.seconds;
        self.due = sum(self.due, next.due);
        self.customers = next.customers.or(self.customers);
        self.started += next.started;
        self.passed += next.passed;
        self.failed += next.failed;
        add_counts(&mut self.failed_by_reason, &next.failed_by_reason);
        self.stopped += next.stopped;
        self.dropped += next.dropped;
        self.in_progress = next.in_progress;
        self.received += next.received;
        add_counts(&mut self.by_fate, &next.by_fate);
        if let Some(sockets) = &next.sockets {
            self.sockets.get_or_insert_default().join(sockets);
        }
        if let Some(deliveries) = &next.deliveries {
            self.deliveries.get_or_insert_default().join(deliveries);
        }
        self.start_late = most(self.start_late, next.start_late);
        self.sent_late = most(self.sent_late, next.sent_late);
        if self.steps.len() < next.steps.len() {
            self.steps
                .resize_with(next.steps.len(), StepSample::default);
        }
        for (step, next) in self.steps.iter_mut().zip(&next.steps) {
            step.join(next);
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other]
        .into_iter()
        .flatten()
        .reduce(|one, other| one + other)
}

impl StepSample {
    fn join(&mut self, next: &Self) {
        let median = |step: &Self| (step.p50, weight(step.passed));
        self.p50 = weighted([median(self), median(next)]);
        self.p95 = most(self.p95, next.p95);
        self.max = most(self.max, next.max);
        self.passed += next.passed;
        self.failed += next.failed;
        self.stopped += next.stopped;
        add_counts(&mut self.failed_by_reason, &next.failed_by_reason);
    }

    fn of(outcomes: &Outcomes) -> Self {
        let latency = &outcomes.latency;
        Self {
            passed: outcomes.passed(),
            failed: outcomes.failed(),
            failed_by_reason: outcomes.failed_by_reason.clone(),
            stopped: outcomes.stopped,
            p50: quantile(latency, 0.5),
            p95: quantile(latency, 0.95),
            max: quantile(latency, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn step() -> impl Strategy<Value = StepSample> {
        (0..50_u64, 0..5_u64, 0..3_u64, 0.001..2.0_f64).prop_map(
            |(passed, failed, stopped, p50)| {
                let known = (passed > 0).then_some(p50);
                StepSample {
                    passed,
                    failed,
                    failed_by_reason: BTreeMap::from([(Reason::Timeout, failed)]),
                    stopped,
                    p50: known,
                    p95: known.map(|p50| 2.0 * p50),
                    max: known.map(|p50| 3.0 * p50),
                }
            },
        )
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let counts = prop::collection::vec(0..100_u64, 6);
        let machine = prop::option::of((0.0..4.0_f64, 1..1_000_u64));
        let steps = prop::collection::vec(step(), 2);
        (
            0.5..3.0_f64,
            counts,
            machine,
            steps,
            prop::option::of(0..9_u64),
        )
            .prop_map(|(seconds, counts, machine, steps, due)| Sample {
                seconds,
                due,
                started: counts[0],
                passed: counts[1],
                failed: counts[2],
                stopped: counts[3],
                dropped: counts[4],
                received: counts[5],
                in_progress: counts[0],
                start_late: Some(seconds / 1e3),
                steps,
                machine: machine.map(|(cpu_user, memory)| MachineSample {
                    cpu_user,
                    memory_bytes: Some(memory),
                    ..MachineSample::default()
                }),
                ..Sample::default()
            })
    }

    /// What may not be lost: the counts, those of the steps by outcome, and the longest of each.
    fn sums(samples: &[Sample]) -> (Vec<u64>, Vec<Option<f64>>) {
        let count = |of: &dyn Fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>();
        let longest =
            |of: &dyn Fn(&Sample) -> Option<f64>| samples.iter().filter_map(of).reduce(f64::max);
        let counts = [
            count(&|sample| sample.due.unwrap_or_default()),
            count(&|sample| sample.started),
            count(&|sample| sample.passed),
            count(&|sample| sample.failed),
            count(&|sample| sample.stopped),
            count(&|sample| sample.dropped),
            count(&|sample| sample.received),
        ];
        let steps = (0..2).flat_map(|at| {
            [
                count(&|sample| sample.steps[at].passed),
                count(&|sample| sample.steps[at].failed),
                count(&|sample| sample.steps[at].stopped),
                count(&|sample| sample.steps[at].failed_by_reason[&Reason::Timeout]),
            ]
        });
        let most = vec![
            longest(&|sample| sample.start_late),
            longest(&|sample| sample.steps[0].p95),
            longest(&|sample| sample.steps[1].max),
        ];
        (counts.into_iter().chain(steps).collect(), most)
    }

    proptest! {
        #[test]
        fn samples_that_are_joined_have_the_same_sums_in_any_grouping(
            samples in prop::collection::vec(sample(), 1..12), cut in any::<prop::sample::Index>(),
        ) {
            let joined = |samples: &[Sample]| {
                let mut joined = samples[0].clone();
                samples[1..].iter().for_each(|next| joined.join(next));
                joined
            };
            let whole = joined(&samples);
            prop_assert_eq!(sums(std::slice::from_ref(&whole)), sums(&samples));
            prop_assert_eq!(whole.in_progress, samples.last().unwrap().in_progress);
            let seconds: f64 = samples.iter().map(|sample| sample.seconds).sum();
            prop_assert!((whole.seconds - seconds).abs() < 1e-9);
            let cut = cut.index(samples.len()).max(1);
            let parts: Vec<_> = [&samples[..cut], &samples[cut..]].into_iter()
                .filter(|part| !part.is_empty()).map(joined).collect();
            let both = joined(&parts);
            prop_assert_eq!(sums(std::slice::from_ref(&both)), sums(&samples));
            for (one, other) in whole.steps.iter().zip(&both.steps) {
                let apart = one.p50.unwrap_or_default() - other.p50.unwrap_or_default();
                prop_assert!(apart.abs() < 1e-9 && one.p50.is_some() == (one.passed > 0));
            }
        }
    }
}
