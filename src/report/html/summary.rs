//! What came of a run, and what its customers felt.

use maud::{Markup, html};

use super::{Column, table};
use crate::{
    event::{FrameTrace, Verdict},
    report::{
        BaselineCheck,
        wording::{graceful_stop, or_dash, percent, seconds, teardown_failed},
    },
    runner::{Quantiles, RunReport, RunState, ThresholdReport, ThresholdState},
    scenario::Reason,
};

/// Chats that may be open at the target and are listed; the report as JSON has more of them.
const MOST_ORPHANS: usize = 50;
/// Examples of one reason at one step.
const EXAMPLES: usize = 3;

/// What it came to, and why; told by a sign and a word besides the colour.
pub fn verdict(report: &RunReport, baseline: Option<&BaselineCheck>) -> Markup {
    let regressions = baseline.map(BaselineCheck::regressions).unwrap_or_default();
    let (sign, class, word) = match report.verdict {
        Some(Verdict::Passed) if regressions.is_empty() => ("✓", "passed", "Passed"),
        Some(Verdict::Passed) => ("✗", "failed", "Failed: worse than the baseline"),
        Some(Verdict::Failed) => ("✗", "failed", "Failed"),
        Some(Verdict::Invalid) => ("?", "invalid", "Invalid: says nothing about the target"),
        Some(Verdict::Stopped) => ("■", "stopped", "Stopped before its end"),
        None if report.state == RunState::Interrupted => {
            ("?", "invalid", "Interrupted: the process ended under it")
        }
        None => ("…", "open", "In progress"),
    };
    let chats = &report.chats;
    html! {
        section.verdict.(class) {
            h2 { span aria-hidden="true" { (sign) " " } (word) }
            @if !report.verdict_reasons.is_empty() || !regressions.is_empty() {
                ul {
                    @for reason in &report.verdict_reasons { li { (reason) } }
                    @for regression in &regressions { li { (regression) } }
                }
            }
            p {
                (chats.started) " chats began: " (chats.passed) " passed, " (chats.failed) " failed, "
                (chats.stopped) " were stopped"
                @if chats.in_progress > 0 {
                    ", " (chats.in_progress)
                    @if report.state == RunState::Interrupted { " were in progress when it was cut off" }
                    @else { " are in progress" }
                }
                "."
                @if chats.dropped > 0 { " " (chats.dropped) " more were due and dropped." }
            }
            @if let Some(stop) = graceful_stop(report) { p.graceful { (stop) } }
            @if let Some(failure) = &report.teardown_failed { p.bad { (teardown_failed(failure)) } }
        }
    }
}

/// Every step with its counts and percentiles, and the whole chats.
pub fn steps(report: &RunReport) -> Markup {
    let figures = [
        "Passed", "Failed", "p50", "p90", "p95", "p99", "Slowest", "Mean",
    ];
    let chats = &report.chats;
    let any_stopped = chats.stopped > 0 || report.steps.iter().any(|step| step.stopped > 0);
    let mut head = vec![Column::Text("Step")];
    head.extend(figures.map(Column::Number));
    head.extend(any_stopped.then_some(Column::Number("Stopped")));
    let row = |name: &str, passed, failed, latency: &Quantiles, stopped| {
        let stopped = any_stopped.then_some(stopped);
        row(name, passed, failed, latency, stopped)
    };
    let rows = html! {
        @for step in &report.steps {
            (row(&step.step, step.passed, step.failed, &step.latency, step.stopped))
        }
        (row("Whole chats", chats.passed, chats.failed, &report.chat_duration, chats.stopped))
    };
    html! {
        section {
            h2 { "Steps" }
            (table("Steps", &head, &rows))
            p {
                "Latencies are those of what passed."
                @if any_stopped { " What was stopped has neither passed nor failed." }
            }
        }
    }
}

fn row(name: &str, passed: u64, failed: u64, latency: &Quantiles, stopped: Option<u64>) -> Markup {
    let Quantiles {
        p50,
        p90,
        p95,
        p99,
        max,
        mean,
        ..
    } = latency;
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (passed) }
            td.number.bad[failed > 0] { (failed) }
            @for latency in [p50, p90, p95, p99, max, mean] {
                td.number { (or_dash(latency.map(seconds))) }
            }
            @if let Some(stopped) = stopped { td.number { (stopped) } }
        }
    }
}

/// What had to hold, and what was measured.
pub fn thresholds(report: &RunReport) -> Markup {
    html! {
        section {
            h2 { "Thresholds" }
            @if report.thresholds.is_empty() {
                p { "None were given; every chat has to pass." }
            } @else if report.search.is_some() {
                p { "Each step of the search is judged by them, and the run as a whole is not." }
            } @else if report.state == RunState::Interrupted {
                p { "The run was cut off and not judged: this is how they stood at the end of its last second that was kept, if one was." }
            } @else if report.verdict.is_none() {
                p { "The run is in progress: this is how they stand so far." }
            }
            @if !report.thresholds.is_empty() {
                (table("Thresholds", &["", "Threshold", "Measured"].map(Column::Text), &html! {
                    @for threshold in &report.thresholds { (judged(threshold)) }
                }))
            }
        }
    }
}

fn judged(threshold: &ThresholdReport) -> Markup {
    let (sign, class) = match threshold.state {
        ThresholdState::Pending => ("…", ""),
        ThresholdState::Held => ("✓", "good"),
        ThresholdState::Broken => ("✗", "bad"),
        ThresholdState::NotJudged => ("–", ""),
    };
    html! {
        tr {
            td.word.(class) { (sign) " " (threshold.state.in_words()) }
            th scope="row" { (threshold.threshold) }
            td { (threshold.measured) }
        }
    }
}

/// What failed, by step and reason, each with examples.
pub fn errors(report: &RunReport) -> Markup {
    let failing = || report.steps.iter().filter(|step| step.failed > 0);
    html! {
        section {
            h2 { "Errors" }
            @if failing().next().is_none() { p { "No step failed." } }
            @for step in report.steps.iter().filter(|step| step.resent > 0) {
                p {
                    (step.step) ": " (step.resent) " requests were sent again, because the target closed the connection under them."
                }
            }
            @for step in report.steps.iter().filter(|step| step.polled > 0) {
                p { (step.step) " sent " (step.polled) " requests to poll." }
            }
            @for step in failing() {
                @let of = step.passed + step.failed;
                @for (reason, count) in &step.failed_by_reason {
                    h3 { (step.step) ": " (reason) }
                    p { (count) " of " (of) " (" (percent(part(*count, of))) ")" }
                    (examples(report, &step.step, *reason))
                }
                @let unexplained = step.failed.saturating_sub(step.failed_by_reason.values().sum());
                @if unexplained > 0 {
                    h3 { (step.step) ": reason unknown" }
                    p { (unexplained) " of " (of) " (" (percent(part(unexplained, of))) ")" }
                }
            }
            @for example in report.failures_outside_steps() {
                h3 { (example.step) ": " (example.reason) }
                (examples(report, &example.step, example.reason))
            }
        }
    }
}

/// What may still be open at the target, if anything.
pub fn orphans(report: &RunReport) -> Markup {
    let total = report.orphans_total.max(report.orphans.len() as u64);
    html! {
        @if total > 0 {
            section {
                h2 { "May still be open at the target: " (total) }
                ul.examples {
                    @for orphan in report.orphans.iter().take(MOST_ORPHANS) {
                        li {
                            @if orphan.chat == 0 { "The setup" } @else { "Chat " (orphan.chat) }
                            @if let Some(why) = &orphan.why { ": " (why) }
                            @for (name, value) in &orphan.correlation { " " (name) "=" (value) }
                        }
                    }
                }
                @if total > MOST_ORPHANS as u64 {
                    p { "These are the first of them; report.json has up to 1,000." }
                }
            }
        }
    }
}

fn examples(report: &RunReport, step: &str, reason: Reason) -> Markup {
    let latest = report.failures.iter().rev();
    let alike = latest.filter(|example| example.step == step && example.reason == reason);
    html! {
        ul.examples {
            @for example in alike.take(EXAMPLES) {
                li {
                    "Chat " (example.chat) ": " (example.detail)
                    @for (name, value) in &example.correlation { " " (name) "=" (value) }
                    @if !example.frames.is_empty() { (frames(&example.frames)) }
                }
            }
        }
    }
}

/// The last frames of a failed chat.
fn frames(frames: &[FrameTrace]) -> Markup {
    html! {
        details {
            summary { "Its last " (frames.len()) " frames and ends of connections" }
            ol.frames {
                @for frame in frames {
                    li {
                        @if let Some(at) = frame.at { "After " (seconds(at)) ", " }
                        "connection " (frame.connection)
                        @if !frame.socket.is_empty() { " (" (frame.socket) ")" }
                        " " (frame.passage)
                        @if let Some(kind) = &frame.kind { " " (kind) ", " (frame.content.bytes) " bytes" }
                        ": " code { (frame.content.text) }
                    }
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn part(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}
