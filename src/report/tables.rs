//! A run as tables that a spreadsheet opens: comma-separated, with a head (RFC 4180).

use crate::{
    event::DeliveryFate,
    runner::{
        DeliverySample, MachineSample, Quantiles, RunRecord, RunReport, Sample, SocketSample,
        StepSample,
    },
};

/// The columns of [`steps`].
const STEPS: [&str; 13] = [
    "step",
    "passed",
    "failed",
    "failed_by_reason",
    "mean_seconds",
    "p50_seconds",
    "p90_seconds",
    "p95_seconds",
    "p99_seconds",
    "max_seconds",
    "requests_resent",
    "stopped",
    "poll_requests",
];

/// The columns of [`timeline`] before those of the steps.
const SECONDS: [&str; 19] = [
    "at_seconds",
    "length_seconds",
    "due",
    "customers",
    "started",
    "passed",
    "failed",
    "stopped",
    "dropped",
    "in_progress",
    "received",
    "start_late_p99_seconds",
    "sent_late_p99_seconds",
    "cpu_user",
    "cpu_system",
    "cpu_wait",
    "host_busy",
    "memory_bytes",
    "files",
];

/// The columns of [`timeline`] behind those of the steps, of a run whose scenario opens sockets.
const SOCKETS: [&str; 6] = [
    "sockets_opened",
    "sockets_closed",
    "frames_sent",
    "frames_received",
    "bytes_sent",
    "bytes_received",
];

/// The columns behind these, of a run whose scenario expects deliveries.
const DELIVERIES: [&str; 10] = [
    "messages_published",
    "deliveries_expected",
    "deliveries_delivered",
    "deliveries_lost",
    "deliveries_duplicate",
    "deliveries_excused",
    "deliveries_untracked",
    "delivery_p50_seconds",
    "delivery_p95_seconds",
    "delivery_max_seconds",
];

/// A line for each step; without the whole chats, so that columns can be summed up.
pub fn steps(report: &RunReport) -> String {
    let rows = report.steps.iter().map(|step| {
        let reasons = step.failed_by_reason.iter();
        let reasons: Vec<_> = reasons
            .map(|(reason, count)| format!("{reason}={count}"))
            .collect();
        let Quantiles {
            mean,
            p50,
            p90,
            p95,
            p99,
            max,
            ..
        } = step.latency;
        let mut row = vec![
            step.step.clone(),
            step.passed.to_string(),
            step.failed.to_string(),
            reasons.join(" "),
        ];
        row.extend([mean, p50, p90, p95, p99, max].map(cell));
        row.extend([step.resent, step.stopped, step.polled].map(|count| count.to_string()));
        row
    });
    written(STEPS.map(str::to_owned).to_vec(), rows)
}

/// A line for each second of the run.
pub fn timeline(record: &RunRecord) -> String {
    let mut head = SECONDS.map(str::to_owned).to_vec();
    for step in &record.report.steps {
        let columns = [
            "passed",
            "failed",
            "p50_seconds",
            "p95_seconds",
            "max_seconds",
            "stopped",
        ];
        head.extend(columns.map(|column| format!("{}.{column}", step.step)));
    }
    let report = &record.report;
    let (sockets, deliveries) = (report.sockets.is_some(), report.deliveries.is_some());
    if sockets {
        head.extend(SOCKETS.map(str::to_owned));
    }
    if deliveries {
        head.extend(DELIVERIES.map(str::to_owned));
    }
    let seconds = record.samples.iter().map(|sample| {
        let mut row = second(sample);
        if sockets {
            row.extend(of_sockets(&sample.sockets.clone().unwrap_or_default()));
        }
        if deliveries {
            row.extend(of_deliveries(
                &sample.deliveries.clone().unwrap_or_default(),
            ));
        }
        row
    });
    written(head, seconds)
}

fn of_sockets(sample: &SocketSample) -> [String; SOCKETS.len()] {
    [
        sample.opened,
        sample.closed.values().sum(),
        sample.sent.frames(),
        sample.received.frames(),
        sample.sent.bytes,
        sample.received.bytes,
    ]
    .map(|count| count.to_string())
}

fn of_deliveries(sample: &DeliverySample) -> Vec<String> {
    let fates = DeliveryFate::ALL.map(|fate| sample.of_fate(fate));
    let counts = [sample.messages, sample.expected].into_iter().chain(fates);
    let latencies = [sample.p50, sample.p95, sample.max].map(cell);
    counts
        .map(|count| count.to_string())
        .chain(latencies)
        .collect()
}

fn second(sample: &Sample) -> Vec<String> {
    let machine = sample.machine;
    let of = |value: fn(&MachineSample) -> Option<f64>| cell(machine.as_ref().and_then(value));
    let mut row = vec![
        format!("{:.3}", sample.at),
        format!("{:.3}", sample.seconds),
        cell(sample.due),
        cell(sample.customers),
    ];
    let counts = [
        sample.started,
        sample.passed,
        sample.failed,
        sample.stopped,
        sample.dropped,
        sample.in_progress,
        sample.received,
    ];
    row.extend(counts.map(|count| count.to_string()));
    row.extend([sample.start_late, sample.sent_late].map(cell));
    row.extend([
        of(|machine| Some(machine.cpu_user)),
        of(|machine| Some(machine.cpu_system)),
        of(|machine| machine.cpu_wait),
        of(|machine| machine.host_busy),
        cell(machine.and_then(|machine| machine.memory_bytes)),
        cell(machine.and_then(|machine| machine.files)),
    ]);
    for StepSample {
        passed,
        failed,
        p50,
        p95,
        max,
        stopped,
        ..
    } in &sample.steps
    {
        row.extend([passed.to_string(), failed.to_string()]);
        row.extend([*p50, *p95, *max].map(cell));
        row.push(stopped.to_string());
    }
    row
}

fn cell<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn written(head: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(Vec::new());
    for row in std::iter::once(head).chain(rows) {
        // Memory takes whatever is written.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Second, record, with_rooms};

    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let rows = reader.records().map(|row| row.unwrap());
        rows.map(|row| row.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn the_columns_add_up_to_the_counts_of_the_report_and_text_stays_in_its_cell() {
        let mut seconds = vec![Second::default(); 3];
        seconds[0].passed = vec![0.25, 0.5];
        seconds[2].failed = 4;
        let mut record = record(&seconds);
        record.report.steps[0].step = "say \"hello\", <script>\n".to_owned();

        let steps = rows(&steps(&record.report));
        assert_eq!(steps[0], STEPS);
        assert_eq!(steps[1][0], record.report.steps[0].step);
        assert_eq!(steps[1][1..4], ["2", "4", "timeout=4"]);
        assert_eq!(steps.len(), 2);

        let timeline = rows(&timeline(&record));
        assert!(timeline.iter().all(|row| row.len() == timeline[0].len()));
        let sum = |column: &str| -> u64 {
            let at = timeline[0].iter().position(|name| name == column).unwrap();
            timeline[1..]
                .iter()
                .map(|row| row[at].parse::<u64>().unwrap())
                .sum()
        };
        let chats = &record.report.chats;
        assert_eq!(
            (sum("started"), sum("passed"), sum("failed")),
            (chats.started, 2, 4)
        );
        assert_eq!(sum(&format!("{}.failed", record.report.steps[0].step)), 4);
        assert_eq!(timeline[1][SECONDS.len() + 2], "0.5");
        assert_eq!(timeline[2][SECONDS.len() + 2], "", "nothing passed");
    }

    #[test]
    fn a_run_with_rooms_has_columns_of_its_own_behind_the_others() {
        let plain = record(&vec![Second::default(); 2]);
        let without = rows(&timeline(&plain));
        let with = rows(&timeline(&with_rooms(plain)));
        let columns = without[0].len();
        assert_eq!(with[0][..columns], without[0]);
        assert_eq!(with[0][columns..], [&SOCKETS[..], &DELIVERIES].concat());
        assert!(with.iter().all(|row| row.len() == with[0].len()));
        let sockets = ["21", "20", "2", "39", "50", "4100"];
        let deliveries = ["2", "40", "36", "3", "7", "1", "0", "0.015", "0.03", "0.06"];
        assert_eq!(with[1][columns..], [&sockets[..], &deliveries].concat());
        // Nothing happened in the second one.
        let nothing = [vec!["0"; 6 + 7], vec![""; 3]].concat();
        assert_eq!(with[2][columns..], nothing);
    }
}
