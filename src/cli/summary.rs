use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::runner::{Quantiles, RunReport};

/// The figures of a run, for people.
pub(super) fn text(report: &RunReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, report);
    text
}

fn write_all(text: &mut String, report: &RunReport) -> std::fmt::Result {
    writeln!(
        text,
        "{} against {}, load {}, {:.1} s",
        report.scenario, report.target, report.load, report.elapsed_seconds
    )?;
    writeln!(text, "{}", steps(report))?;
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
    let books = &report.books;
    if books.received > 0 {
        let fates: Vec<_> = books
            .by_fate
            .iter()
            .map(|(fate, count)| format!("{count} {}", fate.as_str()))
            .collect();
        writeln!(
            text,
            "events: {} received: {}",
            books.received,
            fates.join(", ")
        )?;
    }
    for example in &report.failures {
        let ids: Vec<_> = example
            .correlation
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        writeln!(
            text,
            "failed: chat {} at {}: {}: {} {}",
            example.chat,
            example.step,
            example.reason,
            example.detail,
            ids.join(" ")
        )?;
    }
    for threshold in &report.thresholds {
        let held = if threshold.held { "held  " } else { "BROKEN" };
        writeln!(
            text,
            "{held} {} ({})",
            threshold.threshold, threshold.measured
        )?;
    }
    let verdict = report.verdict.map_or("none", crate::event::Verdict::as_str);
    write!(text, "verdict: {verdict}")?;
    if !report.verdict_reasons.is_empty() {
        write!(text, ": {}", report.verdict_reasons.join("; "))?;
    }
    Ok(())
}

fn steps(report: &RunReport) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "step", "passed", "failed", "p50", "p90", "p95", "p99", "max",
    ]);
    for step in &report.steps {
        let failed = if step.failed == 0 {
            "0".to_owned()
        } else {
            let reasons: Vec<_> = step
                .failed_by_reason
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            reasons.join("\n")
        };
        let mut row = vec![step.step.clone(), step.passed.to_string(), failed];
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
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn latencies(quantiles: &Quantiles) -> [String; 5] {
    [
        quantiles.p50,
        quantiles.p90,
        quantiles.p95,
        quantiles.p99,
        quantiles.max,
    ]
    .map(|seconds| match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 1.0 => format!("{:.1} ms", seconds * 1000.0),
        Some(seconds) => format!("{seconds:.3} s"),
    })
}
