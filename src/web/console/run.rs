//! One run: what it does now, or what it came to.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    frame::{Page, Viewer},
    words::{Standing, count, moment, time},
};
use crate::{
    event::Mode,
    runner::{Example, Quantiles, RunReport, RunState, StepReport},
    scheduler::RunEntry,
    web::{App, extract::Name, refusal::Refusal},
};

/// A chart of the run: the script draws it of the samples.
struct Chart {
    name: &'static str,
    unit: &'static str,
    /// Each a word and where a sample has it: `WORD=PLACE;...`.
    series: &'static str,
}

const CHARTS: [Chart; 5] = [
    Chart {
        name: "Chats in progress",
        unit: "",
        series: "in progress=in_progress",
    },
    Chart {
        name: "Starts and ends",
        unit: "/s",
        series: "started=started/s;passed=passed/s;failed=failed/s",
    },
    Chart {
        name: "Wait for the agent",
        unit: "s",
        series: "median=join.p50;p95=join.p95;slowest=join.max",
    },
    Chart {
        name: "Memory",
        unit: "MB",
        series: "in RAM=memory",
    },
    Chart {
        name: "CPUs used",
        unit: "",
        series: "user=machine.cpu_user;system=machine.cpu_system",
    },
];

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Name(id): Name,
) -> Result<Response, Refusal> {
    let run = app.find_run(&id).await?;
    let report = run.report();
    let title = format!("{} of {}", report.name, report.started_at);
    let main = html! {
        div data-live={ "/live/runs/" (report.id) } { (fragment(&run, viewer)) }
        @if report.mode == Mode::Burst { (charts(&report)) }
    };
    Ok(Page {
        path: "/runs",
        title,
        main,
    }
    .answer(viewer))
}

/// The part of the page that changes, but for the charts.
pub(super) fn fragment(run: &RunEntry, viewer: Viewer) -> Markup {
    let report = run.report();
    let active = matches!(run, RunEntry::Active(_));
    html! {
        h1 { (report.name) " " (Standing::of(report.state, report.verdict).show()) }
        @for reason in &report.verdict_reasons { p.note { (reason) } }
        @for doubt in &report.doubts { p.note.quiet { "Doubtful: " (doubt) } }
        dl.facts {
            div { dt { "Scenario" } dd { (report.scenario) " on " (report.target) } }
            div { dt { "Load" } dd {
                code { (report.load) }
                @if let Some(change) = &report.load_changed_to { ", changed to " code { (change) } }
            } }
            div { dt { "Began" } dd { (moment(&report.started_at)) } }
            div { dt { "Takes" } dd { (time(Some(report.elapsed_seconds))) } }
        }
        @if active && viewer.may_change { (controls(&report)) }
        (chats(&report))
        (steps(&report))
        (books(&report))
        (failures(&report.failures))
        (generator(&report))
        (documents(&report))
    }
}

fn controls(report: &RunReport) -> Markup {
    let path = format!("/api/v1/runs/{}", report.id);
    html! { div.controls role="group" aria-label="Controls" {
        @if report.state == RunState::Paused {
            button data-post={ (path) "/resume" } { "Resume" }
        } @else {
            button data-post={ (path) "/pause" } { "Pause" }
        }
        button data-post={ (path) "/stop" } data-body="{\"now\":false}" { "Stop; chats finish" }
        button.danger data-post={ (path) "/stop" } data-body="{\"now\":true}"
            data-confirm="End the chats in progress now?" { "Stop now" }
        form data-patch=(path) {
            label { "Change to " input name="change" required placeholder="5/s" size="8"
                aria-describedby="change-help"; }
            button { "Change" }
            small #change-help { "a rate such as " code { "5/s" } ", or a number of customers" }
        }
    } }
}

fn chats(report: &RunReport) -> Markup {
    let chats = &report.chats;
    let figures = [
        ("in progress", chats.in_progress, ""),
        ("started", chats.started, ""),
        (
            "passed",
            chats.passed,
            if chats.passed > 0 { "passed" } else { "" },
        ),
        (
            "failed",
            chats.failed,
            if chats.failed > 0 { "failed" } else { "" },
        ),
        ("stopped", chats.stopped, ""),
        ("dropped", chats.dropped, ""),
    ];
    html! { ul.figures aria-label="Chats" {
        @for (name, number, class) in figures {
            li class=(class) { strong data-count={ "chats " (name) } { (count(number)) } " " (name) }
        }
    } }
}

fn steps(report: &RunReport) -> Markup {
    let whole = StepReport {
        step: "whole chats".to_owned(),
        observes: None,
        passed: report.chats.passed,
        failed: report.chats.failed,
        failed_by_reason: report.chats.failed_by_reason.clone(),
        latency: report.chat_duration.clone(),
    };
    html! {
        h2 { "Steps" }
        p { button type="button" data-reset { "Count from now" } " " span #since.quiet {} }
        div.wide { table {
            thead { tr {
                th scope="col" { "Step" } th.figure scope="col" { "Passed" } th.figure scope="col" { "Failed" }
                @for name in ["p50", "p90", "p95", "p99", "max"] { th.figure scope="col" { (name) } }
                th scope="col" { "Failures" }
            } }
            tbody { @for step in report.steps.iter().chain([&whole]) { (step_row(step)) } }
        } }
    }
}

fn step_row(step: &StepReport) -> Markup {
    let Quantiles {
        p50,
        p90,
        p95,
        p99,
        max,
        ..
    } = step.latency;
    let class = match (step.passed, step.failed) {
        (0, 0) => "",
        (_, 0) => "passed",
        _ => "failed",
    };
    let sign = match class {
        "passed" => "✓",
        "failed" => "✗",
        _ => "·",
    };
    html! { tr class=(class) {
        th scope="row" { span aria-hidden="true" { (sign) " " } (step.step) }
        td.figure data-count={ (step.step) " passed" } { (count(step.passed)) }
        td.figure data-count={ (step.step) " failed" } { (count(step.failed)) }
        @for quantile in [p50, p90, p95, p99, max] { td.figure { (time(quantile)) } }
        td {
            @for (reason, number) in &step.failed_by_reason { code { (reason) } " " (count(*number)) " " }
        }
    } }
}

fn books(report: &RunReport) -> Markup {
    let books = &report.books;
    html! {
        h2 { "Events" }
        ul.figures {
            li { strong { (count(books.received)) } " received" }
            @for (fate, number) in &books.by_fate {
                li { strong { (count(*number)) } " " (fate.as_str().replace('_', " ")) }
            }
            li { strong { (count(books.waiting)) } " waiting" }
        }
        @for difference in &books.differences { p.note.failed { (difference) } }
    }
}

fn failures(failures: &[Example]) -> Markup {
    html! { @if !failures.is_empty() {
        h2 { "Last failures" }
        ul.failures { @for failure in failures.iter().rev() { li {
            @if failure.id.is_empty() { "Chat " (failure.chat) } @else {
                a href={ "/failures/" (failure.id) } { "Chat " (failure.chat) }
            }
            ", step " code { (failure.step) } ": " strong { (failure.reason) }
            br; (failure.detail)
            @if !failure.correlation.is_empty() {
                br; span.quiet {
                    @for (name, value) in &failure.correlation { (name) " " code { (value) } " " }
                }
            }
        } } }
    } }
}

fn documents(report: &RunReport) -> Markup {
    let path = format!("/api/v1/runs/{}", report.id);
    let others = [
        ("report.json", "JSON"),
        ("steps.csv", "steps as CSV"),
        ("timeline.csv", "seconds as CSV"),
        ("junit.xml", "JUnit XML"),
    ];
    html! {
        h2 { "To take along" }
        p.controls {
            a href={ (path) "/report.html" } { "Report" }
            @for (file, name) in others { a href={ (path) "/" (file) } { (name) } }
        }
    }
}

fn generator(report: &RunReport) -> Markup {
    let machine = &report.machine;
    html! {
        h2 { "Generator" }
        dl.facts {
            div { dt { "Starts late, p99" } dd { (time(report.start_lateness.p99)) } }
            div { dt { "Requests late, p99" } dd { (time(report.send_lateness.p99)) } }
            div { dt { "Waits for a connection, p99" } dd { (time(report.connection_wait.p99)) } }
            div { dt { "Latencies right to" } dd { (time(report.precision)) } }
            div { dt { "CPUs used, missing" } dd {
                (format!("{:.2}, {:.2}", machine.cpus.mean, machine.cpus_missing.mean))
            } }
            div { dt { "Host busy" } dd { (format!("{:.0} %", machine.host_busy.mean * 100.0)) } }
            div { dt { "Files, at most" } dd { (format!("{:.0}", machine.files.most)) } }
        }
    }
}

fn charts(report: &RunReport) -> Markup {
    let join = report.steps.iter().position(|step| step.observes.is_some());
    html! {
        h2 { "Second by second" }
        p #reading.quiet aria-live="off" { "Point at a chart, or focus it and use the arrow keys, to read it." }
        div #charts data-join=[join] {
            @for Chart { name, unit, series } in CHARTS {
                figure data-unit=(unit) data-series=(series) { figcaption { (name) } }
            }
        }
    }
}
