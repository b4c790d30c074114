//! Records of runs that never were.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::runner::{
    Batch, BatchFigures, DeliverySample, Histogram, Quantiles, RunRecord, Sample, SocketSample,
    StepSample,
};

/// What ended in a second: latencies in seconds of what passed, and how many failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(super) passed: Vec<f64>,
    pub(super) failed: u64,
}

/// A run of a scenario with one step, `ask`; each chat takes as long as the step.
pub(crate) fn record(seconds: &[Second]) -> RunRecord {
    let figures = |seconds: &[Second]| BatchFigures {
        latency: histogram(seconds.iter().flat_map(|second| &second.passed)),
        failed: seconds.iter().map(|second| second.failed).sum(),
    };
    let BatchFigures { latency, failed } = figures(seconds);
    let batches = seconds.chunks(seconds.len().div_ceil(32).max(1));
    let batches = batches.map(|seconds| Batch {
        seconds: f64::from(u32::try_from(seconds.len()).unwrap()),
        chats: figures(seconds),
        steps: vec![figures(seconds)],
        ..Batch::default()
    });
    let batches = batches.collect();
    let quantiles = latency.quantiles();
    let mut record: RunRecord = serde_json::from_value(json!({
        "report": report(&quantiles, failed),
        "samples": [],
        "chat_duration": latency,
        "steps": { "ask": latency },
        "batches": [],
    }))
    .unwrap();
    record.batches = batches;
    record.samples = (1_u32..).zip(seconds).map(sample).collect();
    record
}

/// The same of a scenario with rooms: 3 of 40 deliveries were lost, all in the first second.
pub(crate) fn with_rooms(mut record: RunRecord) -> RunRecord {
    let frames = json!({ "text": 37, "binary": 2, "bytes": 4_100 });
    let (sent, quick) = (
        json!({ "text": 2, "binary": 0, "bytes": 50 }),
        json!({ "count": 2, "p99": 0.004 }),
    );
    record.report.sockets = serde_json::from_value(json!({
        "opened": 21, "open": 1, "closed": { "target": { "1001": 3, "app": 1 }, "us": { "1000": 16 } },
        "sent": sent, "received": frames, "dropped": 5, "pong": { "count": 0 }, "send": quick,
        "read_delay": quick,
    }))
    .unwrap();
    let fates = json!({ "delivered": 36, "lost": 3, "excused": 1, "duplicate": 7 });
    record.report.deliveries = serde_json::from_value(json!({
        "messages": 2, "expected": 40, "by_fate": fates, "open": 0,
        "latency": { "count": 36, "p50": 0.015, "p95": 0.03, "p99": 0.045, "max": 0.06 },
    }))
    .unwrap();
    if let Some(first) = record.samples.first_mut() {
        let first = Arc::make_mut(first);
        let sockets = json!({ "opened": 21, "closed": { "target": 4, "us": 16 }, "sent": sent, "received": frames });
        first.sockets = serde_json::from_value::<Option<Box<SocketSample>>>(sockets).unwrap();
        let deliveries = json!({ "messages": 2, "expected": 40, "by_fate": fates, "p50": 0.015, "p95": 0.03, "p99": 0.045, "max": 0.06 });
        first.deliveries =
            serde_json::from_value::<Option<Box<DeliverySample>>>(deliveries).unwrap();
    }
    record
}

fn histogram<'a>(latencies: impl Iterator<Item = &'a f64>) -> Histogram {
    let mut counts = BTreeMap::<u64, u64>::new();
    for latency in latencies {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "latencies are some microseconds"
        )]
        let micros = (latency * 1e6) as u64;
        *counts.entry(micros).or_default() += 1;
    }
    serde_json::from_value(json!(counts.into_iter().collect::<Vec<_>>())).unwrap()
}

fn sample((number, second): (u32, &Second)) -> Arc<Sample> {
    let mut passed = second.passed.clone();
    passed.sort_by(f64::total_cmp);
    let at = |part: usize| passed.get(passed.len() * part / 100).copied();
    let ended = passed.len() as u64;
    Arc::new(Sample {
        at: f64::from(number),
        seconds: 1.0,
        due: Some(ended + second.failed),
        started: ended + second.failed,
        passed: ended,
        failed: second.failed,
        steps: vec![StepSample {
            passed: ended,
            failed: second.failed,
            p50: at(50),
            p95: at(95),
            max: passed.last().copied(),
            ..StepSample::default()
        }],
        ..Sample::default()
    })
}

fn report(latency: &Quantiles, failed: u64) -> Value {
    let (passed, none) = (latency.count, json!({ "count": 0 }));
    let reading = json!({ "mean": 0.5, "most": 1.0 });
    let by_reason = if failed > 0 {
        json!({ "timeout": failed })
    } else {
        json!({})
    };
    json!({
        "id": "0123", "name": "nightly", "scenario": "chat", "target": "centre", "mode": "burst",
        "trigger": "api", "state": "ended", "verdict": "passed", "verdict_reasons": [],
        "load": "{ rate: 10/s, for: 1m }", "warnings": [], "inputs": {}, "seed": 1,
        "started_at": "2026-01-02T03:04:05Z", "elapsed_seconds": 60.0,
        "first_chat_began_at": "2026-01-02T03:04:06Z", "last_chat_ended_at": null,
        "chats": {
            "started": passed + failed, "passed": passed, "failed": failed,
            "failed_by_reason": by_reason, "stopped": 0, "in_progress": 0, "most_in_progress": 7,
            "dropped": 0,
        },
        "chat_duration": latency,
        "steps": [{
            "step": "ask", "passed": passed, "failed": failed, "failed_by_reason": by_reason,
            "latency": latency,
        }],
        "thresholds": [],
        "events": { "received": 0, "by_fate": {}, "waiting": 0, "differences": [] },
        "start_lateness": none, "connection_wait": { "count": 0 }, "send_lateness": none, "scheduler_lag": none,
        "machine": {
            "thread_lag": none, "cpus": reading, "host_busy": reading, "cpu_wait": reading,
            "files": reading, "sockets": reading, "run_queue": reading,
        },
        "failures": [],
    })
}
