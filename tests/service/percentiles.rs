//! What a report says of a latency and what `/metrics` says of it are the same.

use serde_json::Value;

use crate::support::{Centre, Metrics, PROBE, QUICK, SCENARIO, Service, eventually, plain};

/// Latencies that fall into many buckets.
const SETTINGS: &str = "{ join: { uniform: [50ms, 4s] }, faults: { slow: \
    [{ probability: 0.7, by: { exponential: 60ms }, only: [send_chat] }] } }";
const CHATS: usize = 150;
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];
/// A report knows three digits of a latency and gives the longest that it may have been.
const DIGITS: f64 = 1.001;
/// It knows whole microseconds.
const MICROSECOND: f64 = 1e-6;

/// A histogram of the burst as it stands on `/metrics`.
struct Histogram {
    /// The upper bounds in ascending order, with how many latencies are not above.
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

impl Histogram {
    fn of(metrics: &Metrics, name: &str, step: Option<&str>) -> Self {
        let mut labels = vec![PROBE[0], PROBE[1], ("mode", "burst")];
        labels.extend(step.map(|step| ("step", step)));
        let value = |part: &str| metrics.value(&format!("{name}_{part}"), &labels);
        let name = format!("{name}_bucket");
        let series = metrics.series().into_iter();
        let of_burst = series.filter(|(series, _)| {
            let of_step = step.is_none_or(|step| series.contains(&format!("step=\"{step}\"")));
            series.starts_with(&name) && series.contains("mode=\"burst\"") && of_step
        });
        let mut buckets: Vec<(f64, f64)> = of_burst
            .map(|(series, below)| {
                let (_, bound) = series.split_once("le=\"").unwrap();
                (bound.split('"').next().unwrap().parse().unwrap(), below)
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.is_sorted_by_key(|bucket| bucket.1), "{buckets:?}");
        Self {
            buckets,
            sum: value("sum"),
            count: value("count"),
        }
    }

    /// The bucket in which `histogram_quantile` looks for this quantile: its bounds.
    fn bucket_of(&self, quantile: f64) -> (f64, f64) {
        let rank = quantile * self.count;
        let at = self.buckets.partition_point(|(_, below)| *below < rank);
        let lower = at
            .checked_sub(1)
            .map_or(0.0, |before| self.buckets[before].0);
        (lower, self.buckets[at].0)
    }
}

/// Holds the figures of a report against a histogram; gives the buckets of its quantiles.
fn agree(what: &str, figures: &Value, histogram: &Histogram) -> Vec<(f64, f64)> {
    let seconds = |key: &str| figures[key].as_f64().unwrap();
    assert!((seconds("count") - histogram.count).abs() < 0.5, "{what}");
    let (mean, exact) = (seconds("mean"), histogram.sum / histogram.count);
    assert!(
        mean <= exact * DIGITS && mean * DIGITS + MICROSECOND >= exact,
        "{what}: the mean is {mean} in the report and {exact} on /metrics"
    );
    let mut buckets = Vec::new();
    for (key, quantile) in QUANTILES.into_iter().chain([("max", 1.0)]) {
        let (lower, upper) = histogram.bucket_of(quantile);
        let value = seconds(key);
        assert!(
            value + MICROSECOND >= lower && value <= upper * DIGITS,
            "{what}: {key} is {value} and not from {lower} to {upper}: {:?}",
            histogram.buckets
        );
        buckets.push((lower, upper));
    }
    buckets.dedup();
    buckets
}

async fn burst(service: &Service) -> Value {
    let load = format!("{{ chats: {CHATS}, ramp: 3s }}");
    let body = format!("{{ scenario: {SCENARIO}, target: centre, load: {load}, inputs: {QUICK} }}");
    let answer = service.order("POST", "/api/v1/bursts", &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let path = format!("/api/v1/runs/{}", answer.text("id"));
    eventually("the end of the burst", async || {
        let report = service.read(&path).await.body;
        (report["state"] == "ended").then_some(report)
    })
    .await
}

#[tokio::test]
async fn every_quantile_of_a_report_lies_in_the_bucket_that_prometheus_would_choose() {
    let centre = Centre::start(SETTINGS).await;
    // A threshold is a bucket of its own.
    let scheduled = format!(
        "bursts: {{ nightly: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: 1 }}, \
         thresholds: [ {{ step: agent_join, p95: 3333ms }}, {{ p90: 4321ms }} ] }} }}"
    );
    let service = Service::start(&plain(&centre.url, &scheduled)).await;
    let report = burst(&service).await;
    assert_eq!(report["chats"]["passed"], CHATS, "{report}");
    let metrics = service.metrics().await;
    let steps = report["steps"].as_array().unwrap();
    let latency = |name: &str| {
        let step = steps.iter().find(|step| step["step"] == name);
        &step.unwrap()["latency"]
    };

    let joins = Histogram::of(&metrics, "chatprobe_agent_join_seconds", None);
    assert!(
        joins
            .buckets
            .iter()
            .any(|(bound, _)| (bound - 3.333).abs() < MICROSECOND)
    );
    let chosen = agree("agent_join", latency("agent_join"), &joins);
    assert!(chosen.len() > 1, "all in one bucket: {chosen:?}");
    for step in ["agent_join", "send_chat", "receive_chat", "session_create"] {
        let histogram = Histogram::of(&metrics, "chatprobe_step_duration_seconds", Some(step));
        let chosen = agree(step, latency(step), &histogram);
        assert!(step != "send_chat" || chosen.len() > 2, "{chosen:?}");
    }
    let chats = Histogram::of(&metrics, "chatprobe_chat_duration_seconds", None);
    let chosen = agree("whole chats", &report["chat_duration"], &chats);
    assert!(chosen.len() > 1, "all in one bucket: {chosen:?}");
}
