//! What is going on: probes with their last results, bursts in progress.

use std::{collections::HashSet, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    followed::{AfterReload, followed},
    frame::{Page, Viewer},
    words::{Standing, count, moment, span, time},
};
use crate::{
    event::Mode,
    report::wording,
    runner::{RunReport, RunState},
    scheduler::{ProbeStatus, RunEntry},
    units::duration,
    web::{App, health::ServiceStage},
};

/// Bursts and probes of which it is told what they left.
const LEFT: usize = 10;
/// Results of a probe that are shown.
const TICKS: usize = 40;

pub(super) async fn show(State(app): State<Arc<App>>, viewer: Viewer) -> Response {
    let shared = app.clone();
    let parts = app.looks.take(move || fragment(&shared, viewer)).await;
    let page = parts.map(|parts| Page {
        path: "/",
        title: "Now".to_owned(),
        main: followed(&app, "/live/now", AfterReload::ShowsNew, &parts),
    });
    Page::answer_or_refusal(page, viewer)
}

/// The part of the page that changes.
pub(super) fn fragment(app: &App, viewer: Viewer) -> Markup {
    let scheduler = &app.web.scheduler;
    let runs = scheduler.runs();
    let stage = match app.stage() {
        ServiceStage::Starting => Some("The service is starting."),
        ServiceStage::Ready => None,
        ServiceStage::ShuttingDown => Some("The service is shutting down."),
    };
    html! {
        div #bursts data-part {
            h1 tabindex="-1" { "Now" }
            @if let Some(stage) = stage { p.note { (stage) } }
            h2 { "Bursts in progress" }
            (bursts(&runs))
        }
        div #left data-part { (left(&runs)) }
        div #probes data-part {
            h2 { "Probes" }
            (probes(&scheduler.probes(), &runs, viewer))
        }
    }
}

fn bursts(runs: &[RunEntry]) -> Markup {
    let active: Vec<_> = runs
        .iter()
        .filter(|entry| matches!(entry, RunEntry::Active(run) if run.identity().subject.mode == Mode::Burst))
        .map(RunEntry::report)
        .collect();
    html! {
        @if active.is_empty() {
            p { "There are none. " a href="/bursts/new" { "Start one" } "." }
        } @else {
            div.wide role="region" aria-label="Bursts in progress" tabindex="0" { table {
                caption.unseen { "Bursts in progress" }
                thead { tr {
                    th scope="col" { "Burst" } th scope="col" { "State" } th scope="col" { "Load" }
                    th.figure scope="col" { "In progress" } th.figure scope="col" { "Passed" }
                    th.figure scope="col" { "Failed" } th scope="col" { "Began" }
                } }
                tbody { @for run in &active { tr data-key=(run.id) {
                    th scope="row" { a href={ "/runs/" (run.id) } { (run.name) } }
                    td { (Standing::of(run.state, run.verdict).show()) }
                    td {
                        code { (run.load) }
                        @if let Some(change) = &run.load_changed_to { " changed to " code { (change) } }
                        @if let Some(search) = &run.search { br; span.quiet { (search.summary) } }
                    }
                    td.figure { (count(run.chats.in_progress)) }
                    td.figure { (count(run.chats.passed)) }
                    td.figure { (count(run.chats.failed)) }
                    td { (span(run.elapsed_seconds)) " ago" }
                } } }
            } }
        }
    }
}

/// What runs left at their targets, or found there of others: of each burst or probe the latest such run.
fn left(runs: &[RunEntry]) -> Markup {
    let reports = runs
        .iter()
        .filter(|entry| match entry {
            RunEntry::Active(run) => run.identity().subject.mode == Mode::Burst,
            RunEntry::Ended(_) => true,
        })
        .map(RunEntry::report);
    let mut names = HashSet::new();
    let left = reports
        .filter(|run| run.teardown_failed.is_some() || run.events.through_other_callbacks > 0)
        .filter(|run| names.insert((run.mode, run.name.clone())));
    let left: Vec<_> = left.take(LEFT).collect();
    html! { @if !left.is_empty() {
        h2 { "Left at the targets" }
        ul.failures { @for run in &left { li {
            a href={ "/runs/" (run.id) } { (run.name) } " of " (moment(&run.started_at))
            @if let Some(failure) = &run.teardown_failed { br; (wording::teardown_failed(failure)) }
            @if let Some(others) = wording::other_callbacks(&run.events) { br; (others) }
        } } }
    } }
}

fn probes(probes: &[ProbeStatus], runs: &[RunEntry], viewer: Viewer) -> Markup {
    html! {
        @if probes.is_empty() {
            p { "The configuration has none." }
        } @else {
            div.wide role="region" aria-label="Probes with their last results" tabindex="0" { table {
                caption.unseen { "Probes with their last results" }
                thead { tr {
                    th scope="col" { "Probe" } th scope="col" { "Every" } th scope="col" { "Latest result" }
                    th scope="col" { "Last results, the latest on the right" }
                    @if viewer.may_change { th scope="col" { "Actions" } }
                } }
                tbody { @for probe in probes { (row(probe, runs, viewer)) } }
            } }
        }
    }
}

fn row(probe: &ProbeStatus, runs: &[RunEntry], viewer: Viewer) -> Markup {
    let results = results(&probe.name, runs);
    html! { tr data-key=(probe.name) {
        th scope="row" { a href={ "/probes/" (probe.name) } { (probe.name) } br; span.quiet { (probe.scenario) " on " (probe.target) } }
        td { (duration::exact(probe.every)) @if probe.paused { br; span.standing.stopped { "‖ paused" } } }
        td {
            (in_progress(probe))
            @match results.first() {
                None => @if !probe.running { span.quiet { "none yet" } },
                Some(latest) => {
                    (Standing::of(latest.state, latest.verdict).show())
                    " " (time(Some(latest.elapsed_seconds)))
                    @if let Some(failure) = latest.failures.last() {
                        br; span.quiet { "step " code { (failure.step) } ": " (failure.reason) }
                    }
                }
            }
        }
        td { (ticks(&results)) }
        @if viewer.may_change { td { (actions(probe)) } }
    } }
}

/// The run that goes on, if there is one.
pub(super) fn in_progress(probe: &ProbeStatus) -> Markup {
    let run = probe.latest_run.as_ref().filter(|_| probe.running);
    html! { @if let Some(run) = run {
        a href={ "/runs/" (run) } { (Standing::of(RunState::Running, None).show()) } br;
    } }
}

/// Buttons, which are as many as there are probes: each says of which it is.
pub(super) fn actions(probe: &ProbeStatus) -> Markup {
    let path = format!("/api/v1/probes/{}", probe.name);
    let (pause, word) = if probe.paused {
        ("resume", "Resume")
    } else {
        ("pause", "Pause")
    };
    html! { div.buttons {
        @for (order, word) in [("run", "Run now"), (pause, word)] {
            // Pausing and resuming take turns in one place.
            @let key = if order == "run" { "run" } else { "pause" };
            button data-key=(key) data-post={ (path) "/" (order) } data-order={ "probe " (order) }
                aria-label={ (word) ": " (probe.name) } { (word) }
        }
    } }
}

/// The latest first.
pub(super) fn results(probe: &str, runs: &[RunEntry]) -> Vec<Arc<RunReport>> {
    let ended = runs.iter().filter_map(|entry| match entry {
        RunEntry::Ended(report) if report.mode == Mode::Probe && report.name == probe => {
            Some(report.clone())
        }
        RunEntry::Ended(_) | RunEntry::Active(_) => None,
    });
    ended.take(TICKS).collect()
}

pub(super) fn ticks(results: &[Arc<RunReport>]) -> Markup {
    html! { ol.ticks {
        @for run in results.iter().rev() {
            @let standing = Standing::of(run.state, run.verdict);
            li data-key=(run.id) { a class=(standing.class) href={ "/runs/" (run.id) }
                title={ (standing.word) " at " (wording::moment(&run.started_at)) } {
                span.unseen { (standing.word) } span aria-hidden="true" { (standing.sign) }
            } }
        }
    } }
}
