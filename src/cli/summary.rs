mod changes;

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use self::changes::{write_baseline, write_drift};
use crate::{
    event::Verdict,
    report::{BaselineCheck, wording},
    runner::{
        BrokenBy, Example, HealthReport, Quantiles, RunRecord, RunReport, SearchReport, SearchStep,
        ThresholdState,
    },
    units::counted,
};

/// Chats that may be open at the target and are listed; the report has more of them.
const MOST_ORPHANS: usize = 10;

/// The width of the table: the terminals there are have at least as much.
const WIDTH: u16 = 80;

/// The figures of a run, for people.
pub(super) fn text(record: &RunRecord, baseline: Option<&BaselineCheck>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, &record.report);
    let _ = write_drift(&mut text, record);
    if let Some(baseline) = baseline {
        let _ = write_baseline(&mut text, baseline);
    }
    text
}

fn write_all(text: &mut String, report: &RunReport) -> std::fmt::Result {
    writeln!(
        text,
        "{} against {}, load {}, {}",
        report.scenario,
        report.target,
        report.load,
        wording::span(report.elapsed_seconds)
    )?;
    writeln!(text, "{}", steps(report).trim_fmt())?;
    write_counts(text, report)?;
    if let Some(precision) = report.precision {
        writeln!(
            text,
            "latencies may have been measured up to {} too long",
            wording::seconds(precision)
        )?;
    }
    write_machine(text, &report.machine)?;
    write_stopped(text, report)?;
    write_failures(text, report)?;
    write_orphans(text, report)?;
    if let Some(failure) = &report.teardown_failed {
        writeln!(text, "{}", wording::teardown_failed(failure))?;
    }
    match &report.search {
        None => write_thresholds(text, report)?,
        Some(search) => write_search(text, search)?,
    }
    for warning in &report.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    let verdict = report.verdict.map_or("none", Verdict::as_str);
    write!(text, "verdict: {verdict}")?;
    if !report.verdict_reasons.is_empty() {
        write!(text, ": {}", report.verdict_reasons.join("; "))?;
    }
    Ok(())
}

/// How many chats, requests and events there were.
fn write_counts(text: &mut String, report: &RunReport) -> std::fmt::Result {
    let chats = &report.chats;
    write!(
        text,
        "chats: {} started, {} passed, {} failed, {} stopped, at most {} at once",
        chats.started, chats.passed, chats.failed, chats.stopped, chats.most_in_progress
    )?;
    if chats.dropped > 0 {
        write!(text, "; {} arrivals dropped", chats.dropped)?;
    }
    writeln!(text)?;
    if let Some(stop) = wording::graceful_stop(report) {
        writeln!(text, "{stop}")?;
    }
    write_resent(text, report)?;
    write_polled(text, report)?;
    let requests = &report.requests;
    writeln!(
        text,
        "requests: {}, {}",
        requests.count,
        wording::rate(requests.per_second)
    )?;
    let events = &report.events;
    if events.received > 0 {
        let fates: Vec<_> = events
            .by_fate
            .iter()
            .map(|(fate, count)| format!("{count} {}", fate.as_str()))
            .collect();
        writeln!(
            text,
            "events: {} received: {}",
            events.received,
            fates.join(", ")
        )?;
    }
    if let Some(sockets) = &report.sockets {
        writeln!(text, "sockets: {}", wording::sockets(sockets))?;
    }
    if let Some(deliveries) = &report.deliveries {
        writeln!(text, "deliveries: {}", wording::deliveries(deliveries))?;
    }
    Ok(())
}

/// Requests that the target may have seen twice.
fn write_resent(text: &mut String, report: &RunReport) -> std::fmt::Result {
    let resent = report.steps.iter().filter(|step| step.resent > 0);
    let counts: Vec<_> = resent
        .map(|step| format!("{} at {}", step.resent, step.step))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "sent again: {}; the target closed the connection under these requests",
        counts.join(", ")
    )
}

/// Requests of steps that poll.
fn write_polled(text: &mut String, report: &RunReport) -> std::fmt::Result {
    let polled = report.steps.iter().filter(|step| step.polled > 0);
    let counts: Vec<_> = polled
        .map(|step| format!("{} at {}", step.polled, step.step))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(text, "requests to poll: {}", counts.join(", "))
}

/// Nothing is read during a run of less than a second, and some kernels do not tell everything.
fn write_machine(text: &mut String, machine: &HealthReport) -> std::fmt::Result {
    let reading = |value: Option<f64>, format: fn(f64) -> String| {
        value.map_or_else(|| wording::NOT_MEASURED.to_owned(), format)
    };
    if machine.cpus.mean.is_none() {
        return writeln!(text, "machine: not measured, the run was too short");
    }
    writeln!(
        text,
        "machine: CPUs used {}, CPU wait {}, host busy {}; at most: memory {}, files {}, sockets {}, run queue {}",
        reading(machine.cpus.mean, wording::number),
        reading(machine.cpu_wait.mean, wording::number),
        reading(machine.host_busy.mean, wording::percent),
        reading(machine.memory_bytes.most, wording::bytes),
        reading(machine.files.most, wording::number),
        reading(machine.sockets.most, wording::number),
        reading(machine.run_queue.most, wording::number),
    )
}

fn write_thresholds(text: &mut String, report: &RunReport) -> std::fmt::Result {
    for threshold in &report.thresholds {
        let word = match threshold.state {
            ThresholdState::Broken => "BROKEN",
            other => other.in_words(),
        };
        writeln!(
            text,
            "{word:<6} {} ({})",
            threshold.threshold, threshold.measured
        )?;
    }
    Ok(())
}

/// Those over the whole run say nothing about a search, so its steps take their place.
fn write_search(text: &mut String, search: &SearchReport) -> std::fmt::Result {
    if !search.steps.is_empty() {
        writeln!(text, "{}", search_steps(&search.steps).trim_fmt())?;
    }
    for step in &search.steps {
        for reason in &step.reasons {
            writeln!(text, "{}: {reason}", step.load.text)?;
        }
    }
    writeln!(text, "search: {}", search.summary)
}

fn search_steps(steps: &[SearchStep]) -> Table {
    let mut table = new_table();
    let thresholds = steps.first().map_or(&[][..], |step| &step.thresholds);
    let mut head = ["load", "", "started", "ended", "active"]
        .map(str::to_owned)
        .to_vec();
    head.extend(thresholds.iter().map(|judged| judged.threshold.clone()));
    table.set_header(head);
    for step in steps {
        let word = match step.broken_by {
            None => "held",
            Some(BrokenBy::Target) => "BROKEN",
            Some(BrokenBy::Generator) => "INVALID",
        };
        let mut row = vec![
            step.load.text.clone(),
            word.to_owned(),
            wording::rate(step.started_per_second),
            wording::rate(step.ended_per_second),
            step.in_progress.to_string(),
        ];
        row.extend(step.thresholds.iter().map(|judged| judged.measured.clone()));
        table.add_row(row);
    }
    align(&mut table);
    table
}

/// Steps that were cut short because the run was stopped.
fn write_stopped(text: &mut String, report: &RunReport) -> std::fmt::Result {
    let stopped = report.steps.iter().filter(|step| step.stopped > 0);
    let counts: Vec<_> = stopped
        .map(|step| format!("{} at {}", step.stopped, step.step))
        .collect();
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(text, "stopped: {}", counts.join(", "))
}

/// Steps that failed, by reason, each with the latest chat of which the details are known.
fn write_failures(text: &mut String, report: &RunReport) -> std::fmt::Result {
    for step in &report.steps {
        for (reason, count) in &step.failed_by_reason {
            writeln!(text, "failed: {count} at {}: {reason}", step.step)?;
            let alike = |example: &&Example| example.step == step.step && example.reason == *reason;
            let Some(example) = report.failures.iter().rev().find(alike) else {
                continue;
            };
            write_example(text, example)?;
        }
    }
    for example in report.failures_outside_steps() {
        writeln!(
            text,
            "failed: chats at {}: {}",
            example.step, example.reason
        )?;
        write_example(text, example)?;
    }
    Ok(())
}

fn write_example(text: &mut String, example: &Example) -> std::fmt::Result {
    write!(
        text,
        "    such as chat {}: {}",
        example.chat, example.detail
    )?;
    for (name, value) in &example.correlation {
        write!(text, " {name}={value}")?;
    }
    writeln!(text)
}

/// What is known of a run that did not end in time when everything was to be given up.
pub(super) fn cut_off(report: &RunReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_orphans(&mut text, report);
    let active = report.chats.in_progress;
    let _ = write!(
        text,
        "cut off: {} more in progress may be open at the target",
        counted(active, "chat")
    );
    text
}

/// What may still be open at the target, with what people need to find and close it there.
fn write_orphans(text: &mut String, report: &RunReport) -> std::fmt::Result {
    if report.orphans.is_empty() {
        return Ok(());
    }
    let total = report.orphans_total;
    writeln!(text, "may still be open at the target: {total}")?;
    for orphan in report.orphans.iter().take(MOST_ORPHANS) {
        match orphan.chat {
            0 => write!(text, "    the setup")?,
            chat => write!(text, "    chat {chat}")?,
        }
        if let Some(why) = &orphan.why {
            write!(text, ": {why}")?;
        }
        for (name, value) in &orphan.correlation {
            write!(text, " {name}={value}")?;
        }
        writeln!(text)?;
    }
    let left_out = total.saturating_sub(MOST_ORPHANS as u64);
    if left_out > 0 {
        writeln!(
            text,
            "    and {left_out} more; `orphans` of the report as JSON has the first 1,000"
        )?;
    }
    Ok(())
}

fn steps(report: &RunReport) -> Table {
    let mut table = new_table();
    table.set_header([
        "step", "passed", "failed", "p50", "p90", "p95", "p99", "max",
    ]);
    for step in &report.steps {
        let mut row = vec![
            step.step.clone(),
            step.passed.to_string(),
            step.failed.to_string(),
        ];
        row.extend(latencies(&step.latency));
        table.add_row(row);
    }
    let mut row = vec![
        "(whole chats)".to_owned(),
        report.chats.passed.to_string(),
        report.chats.failed.to_string(),
    ];
    row.extend(latencies(&report.chat_duration));
    table.add_row(row);
    align(&mut table);
    table
}

fn new_table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table
}

/// Names to the left, figures to the right.
fn align(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn latencies(quantiles: &Quantiles) -> [String; 5] {
    [
        quantiles.p50,
        quantiles.p90,
        quantiles.p95,
        quantiles.p99,
        quantiles.max,
    ]
    .map(|seconds| seconds.map_or_else(|| "–".to_owned(), wording::seconds))
}
