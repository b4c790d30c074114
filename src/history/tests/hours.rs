use std::time::Duration;

use super::record;
use crate::{
    event::{DeliveryFate, Verdict},
    history::hours::ProbeHour,
    runner::DeliveryReport,
};

#[test]
fn an_hour_of_a_probe_is_the_sum_of_its_runs() {
    let mut hour = ProbeHour::default();
    for record in [
        record(1, 1_000),
        record(0, 0),
        record(1, 1_000),
        record(1, 5_000),
    ] {
        hour.add(&record);
    }
    assert_eq!((hour.runs, hour.passed, hour.failed), (4, 3, 1));
    assert_eq!(
        hour.failed_by_reason
            .into_iter()
            .map(|(reason, count)| (reason.as_str(), count))
            .collect::<Vec<_>>(),
        [("timeout", 1)]
    );
    let buckets: Vec<_> = hour.chat_duration.buckets().collect();
    let of = |micros, count| (Duration::from_micros(micros), count);
    assert_eq!(buckets, [of(1_000, 2), of(5_000, 1)]);
    assert_eq!(hour.steps["say"].latency, hour.chat_duration);
}

#[test]
fn an_hour_counts_its_runs_by_verdict_and_has_no_figures_of_invalid_ones() {
    let mut hour = ProbeHour::default();
    let ends = [
        (1, Some(Verdict::Passed)),
        (0, Some(Verdict::Failed)),
        (0, Some(Verdict::Invalid)),
        (1, Some(Verdict::Invalid)),
        (1, None),
    ];
    for (passed, verdict) in ends {
        let mut record = record(passed, 1_000);
        record.report.verdict = verdict;
        record.report.deliveries = Some(DeliveryReport {
            by_fate: [(DeliveryFate::Delivered, 7), (DeliveryFate::Lost, 2)].into(),
            ..DeliveryReport::default()
        });
        hour.add(&record);
    }
    let runs = Verdict::ALL.map(|verdict| hour.with(verdict));
    assert_eq!((hour.runs, runs, hour.broken_off()), (5, [1, 1, 2, 0], 1));
    assert_eq!((hour.passed, hour.failed), (2, 1));
    let deliveries = [(DeliveryFate::Delivered, 21), (DeliveryFate::Lost, 6)];
    assert_eq!(hour.deliveries, deliveries.into());
    let durations = hour.chat_duration.buckets().map(|(_, count)| count);
    assert_eq!(durations.sum::<u64>(), 2);
    assert_eq!(hour.steps["say"].latency, hour.chat_duration);
    let written = serde_json::to_string(&hour).unwrap();
    assert_eq!(ProbeHour::read(&written).unwrap(), hour);
}

#[test]
fn an_hour_of_an_earlier_version_has_the_verdicts_of_its_chats() {
    let mut hour = ProbeHour::default();
    hour.add(&record(1, 1_000));
    hour.add(&record(0, 0));
    let mut earlier = serde_json::to_value(&hour).unwrap();
    earlier.as_object_mut().unwrap().remove("verdicts");
    let read = ProbeHour::read(&earlier.to_string()).unwrap();
    let runs = Verdict::ALL.map(|verdict| read.with(verdict));
    assert_eq!((runs, read.broken_off()), ([1, 1, 0, 0], 0));
}
