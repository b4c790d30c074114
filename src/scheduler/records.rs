use std::{collections::VecDeque, sync::Arc};

use crate::runner::RunRecord;

/// The whole records of the last runs that ended, as many as fit; the latest always does.
#[derive(Debug)]
pub(super) struct Records {
    most_bytes: usize,
    /// Each with about what it takes.
    kept: VecDeque<(Arc<RunRecord>, usize)>,
    bytes: usize,
}

impl Records {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            kept: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn keep(&mut self, record: Arc<RunRecord>) {
        let size = record.size();
        self.bytes += size;
        self.kept.push_back((record, size));
        while self.bytes > self.most_bytes && self.kept.len() > 1 {
            if let Some((_, size)) = self.kept.pop_front() {
                self.bytes -= size;
            }
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<RunRecord>> {
        let mut records = self.kept.iter().map(|(record, _)| record);
        records.find(|record| record.report.id == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, samples: usize) -> Arc<RunRecord> {
        let record = serde_json::json!({
            "report": {
                "id": id, "name": "n", "scenario": "s", "target": "t", "mode": "burst",
                "trigger": "api", "state": "ended", "verdict": null, "verdict_reasons": [],
                "load": "", "warnings": [], "inputs": {}, "seed": 1, "started_at": "",
                "elapsed_seconds": 1.0,
                "chats": {
                    "started": 0, "passed": 0, "failed": 0, "failed_by_reason": {}, "stopped": 0,
                    "in_progress": 0, "most_in_progress": 0, "dropped": 0,
                },
                "chat_duration": { "count": 0 }, "steps": [], "thresholds": [],
                "events": { "received": 0, "by_fate": {}, "waiting": 0, "differences": [] },
                "start_lateness": { "count": 0 }, "send_lateness": { "count": 0 },
                "connection_wait": { "count": 0 }, "scheduler_lag": { "count": 0 },
                "machine": {
                    "thread_lag": { "count": 0 },
                    "cpus": { "mean": 0.0, "most": 0.0 }, "host_busy": { "mean": 0.0, "most": 0.0 },
                    "cpu_wait": { "mean": 0.0, "most": 0.0 },
                    "files": { "mean": 0.0, "most": 0.0 }, "sockets": { "mean": 0.0, "most": 0.0 },
                    "run_queue": { "mean": 0.0, "most": 0.0 },
                },
                "failures": [],
            },
            "samples": [], "chat_duration": [], "steps": {},
        });
        let mut record: RunRecord = serde_json::from_value(record).unwrap();
        record.samples = vec![Arc::default(); samples];
        Arc::new(record)
    }

    #[test]
    fn the_oldest_make_room_and_the_latest_is_kept_whatever_it_takes() {
        let mut records = Records::new(3 * record("", 10).size());
        for id in ["a", "b", "c", "d"] {
            records.keep(record(id, 10));
        }
        let known = |records: &Records, id: &str| records.find(id).is_some();
        assert!(!known(&records, "a") && known(&records, "b") && known(&records, "d"));
        records.keep(record("huge", 10_000));
        assert!(!known(&records, "d") && known(&records, "huge"));
        records.keep(record("e", 10));
        assert!(!known(&records, "huge") && known(&records, "e"));
        assert_eq!(records.bytes, record("e", 10).size());
    }
}
