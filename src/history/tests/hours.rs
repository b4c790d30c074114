use std::time::Duration;

use super::record;
use crate::history::hours::ProbeHour;

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
