//! One run: what it does now, or what it came to.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    figures,
    followed::{AfterReload, followed},
    frame::{Page, Viewer},
    sockets,
    words::{Standing, count, hour, moment, per_second, span},
};
use crate::{
    event::{Mode, Trigger},
    report::{
        Drift,
        html::{drift as drift_table, search},
        wording,
    },
    runner::{Example, RunReport, RunState, ThresholdReport},
    scheduler::RunEntry,
    web::{App, extract::PathName, refusal::Refusal},
};

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    PathName(id): PathName,
) -> Response {
    Page::answer_or_refusal(page(&app, viewer, &id).await, viewer)
}

async fn page(app: &Arc<App>, viewer: Viewer, id: &str) -> Result<Page, Refusal> {
    let run = app.find_run(id).await?;
    let (report, around) = match &run {
        RunEntry::Active(run) => {
            let (run, shared) = (run.clone(), app.clone());
            let look = move || {
                let report = Arc::new(run.report());
                let around = Around::in_progress(&shared, &report);
                (report, around)
            };
            app.looks.take(look).await?
        }
        RunEntry::Ended(report) => (report.clone(), Around::of_ended(app, report).await),
    };
    let parts = html! {
        (above(&run, &report, &around, viewer))
        @if report.mode == Mode::Burst { (figures::charts(&report)) }
        (below(&report, &around, viewer))
    };
    let path = format!("/live/runs/{}", report.id);
    Ok(Page {
        path: "/runs",
        title: title(&report),
        main: followed(app, &path, AfterReload::StaysTrue, &parts),
    })
}

/// Of the page in its window, which may be one of many.
fn title(report: &RunReport) -> String {
    let Standing { sign, word, .. } = Standing::of(report.state, report.verdict);
    let moment = wording::moment(&report.started_at);
    format!("{sign} {word}: {} of {moment}", report.name)
}

/// What stands on the page of a run besides its own figures.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The failure of the setup, if that is why no chat began.
    setup: Option<String>,
    /// The run of the same before this one.
    previous: Option<String>,
    /// Why runs before this one are not known.
    unknown: Option<String>,
    /// The runs that have a name, by these.
    baselines: BTreeMap<String, String>,
    /// What changed over a burst that is over.
    drift: Option<Drift>,
}

impl Around {
    /// Of a run in progress. Its page has the stop button, so it does not wait for the disk. Looks at runs in progress.
    pub(super) fn in_progress(app: &App, report: &RunReport) -> Self {
        Self {
            previous: app.previous_in_memory(report),
            baselines: app.web.history.named_runs(),
            ..Self::default()
        }
    }

    /// Of a run that is over.
    pub(super) async fn of_ended(app: &App, report: &RunReport) -> Self {
        let previous = app.previous(report).await;
        Self {
            setup: failed_setup(app, report).await,
            drift: drift_of(app, report).await,
            unknown: previous.as_ref().err().map(ToString::to_string),
            previous: previous.ok().flatten(),
            baselines: app.web.history.named_runs(),
        }
    }

    /// Whether it knows of these names.
    pub(super) fn is_of(&self, baselines: &BTreeMap<String, String>) -> bool {
        self.baselines == *baselines
    }
}

/// The failure of a burst's setup, if that is why no chat began: it is kept as that of its chat 0.
async fn failed_setup(app: &App, report: &RunReport) -> Option<String> {
    if report.state != RunState::Ended || report.chats.started > 0 {
        return None;
    }
    let id = format!("{}-0", report.id);
    // A run is shown without it if the history cannot be read.
    let kept = app.web.history.failure(&id).await.ok()?;
    kept.map(|failure| failure.id)
}

/// What changed over a burst from its first quarter to its last. A page is shown without it if that cannot be had.
async fn drift_of(app: &App, report: &RunReport) -> Option<Drift> {
    if report.mode == Mode::Probe {
        return None;
    }
    if let Some(why) = Drift::refused(report) {
        return Some(why.into());
    }
    let record = app.find_record(&report.id).await.ok()?;
    app.looks.take(move || Drift::of(&record)).await.ok()
}

/// The parts of the page that change.
pub(super) fn fragment(
    run: &RunEntry,
    report: &RunReport,
    around: &Around,
    viewer: Viewer,
) -> Markup {
    html! { (above(run, report, around, viewer)) (below(report, around, viewer)) }
}

/// Those above the charts, which the script draws.
fn above(run: &RunEntry, report: &RunReport, around: &Around, viewer: Viewer) -> Markup {
    let active = matches!(run, RunEntry::Active(_));
    let ends_chats = matches!(run, RunEntry::Active(run) if run.ends_chats());
    html! {
        div #standing data-part data-title=(title(report)) {
            h1 tabindex="-1" { (report.name) " " (Standing::of(report.state, report.verdict).show()) }
            @for reason in &report.verdict_reasons { p.note { (reason) } }
            @if let Some(failure) = &report.teardown_failed { p.note.failed { (wording::teardown_failed(failure)) } }
            @for warning in &report.warnings { p.note.quiet { "Warning: " (warning) } }
            (facts(report, active))
            @if let Some(id) = &around.setup { p { a href={ "/failures/" (id) } { "The setup, step by step" } } }
        }
        div #controls data-part { @if active && viewer.may_change { (controls(report, ends_chats)) } }
        div #chats data-part {
            (chats(report))
            @if report.search.is_none() { (thresholds(&report.thresholds)) }
        }
        div #search data-part { (search(report)) }
        div #steps data-part { (figures::steps(report)) }
    }
}

fn below(report: &RunReport, around: &Around, viewer: Viewer) -> Markup {
    html! {
        div #drift data-part { @if let Some(drift) = &around.drift { (drift_table(drift)) } }
        div #failures data-part { (failures(&report.failures)) (orphans(report)) }
        div #sockets data-part { (sockets::sockets(report)) }
        div #events data-part { (figures::events(report)) }
        div #generator data-part { (figures::generator(report)) }
        div #documents data-part {
            @if let Some(why) = &around.unknown { p.note { "Runs before this one are not known here: " (why) } }
            (documents(report, around))
            @if viewer.may_change && report.state == RunState::Ended { (naming(report)) }
        }
    }
}

fn facts(report: &RunReport, active: bool) -> Markup {
    let trigger = match report.trigger {
        Trigger::Interval => "its interval",
        Trigger::Schedule => "its schedule",
        Trigger::Api => "the admin API",
        Trigger::CommandLine => "the command line",
    };
    html! { dl.facts {
        div { dt { "Scenario" } dd { (report.scenario) " on " (report.target) } }
        @if report.mode == Mode::Burst {
            div { dt { "Load" } dd {
                code { (report.load) }
                @if let Some(change) = &report.load_changed_to { ", changed to " code { (change) } }
            } }
        }
        div { dt { "Started by" } dd {
            (trigger) @if let Some(name) = &report.asked_by { ", for " (name) }
        } }
        div { dt { "Began" } dd { (moment(&report.started_at)) } }
        @for (event, at) in [
            ("First chat began", &report.first_chat_began_at),
            ("Last chat ended", &report.last_chat_ended_at),
        ] {
            @if let Some(at) = at { div { dt { (event) } dd { (hour(at)) } } }
        }
        div { dt { @if active { "So far" } @else { "Took" } } dd data-elapsed=(report.elapsed_seconds) { (span(report.elapsed_seconds)) } }
    } }
}

/// Orders that the run follows as it stands. Whoever has the focus on one does not find another in its place.
/// `ends_chats`: one of them told the chats in progress to end, so that none can be left to finish.
fn controls(report: &RunReport, ends_chats: bool) -> Markup {
    let path = format!("/api/v1/runs/{}", report.id);
    let starts_chats = !matches!(report.state, RunState::Finishing | RunState::TearingDown);
    html! { div.controls role="group" aria-label="Controls" {
        @if report.state == RunState::Paused {
            button data-key="pause" data-post={ (path) "/resume" } data-order="run resume" { "Resume" }
        } @else if starts_chats {
            button data-key="pause" data-post={ (path) "/pause" } data-order="run pause" { "Pause" }
        }
        @if !ends_chats {
            button data-key="stop" data-post={ (path) "/stop" } data-order="run stop" data-body="{\"now\":false}" {
                "Stop; chats finish"
            }
        }
        button.danger data-key="end" data-post={ (path) "/stop" } data-order="run end" data-body="{\"now\":true}"
            data-confirm="End the chats in progress now?" { "Stop now" }
        // A search asks for what it needs to know.
        @if starts_chats && report.search.is_none() { form data-key="change" data-patch=(path) {
            label { "Change to " input name="change" required placeholder="5/s" size="8"
                aria-describedby="change-help"; }
            " " button { "Change" } " "
            small #change-help.quiet { "a rate such as " code { "5/s" } ", or a number of customers" }
        } }
    } }
}

fn chats(report: &RunReport) -> Markup {
    let chats = &report.chats;
    let counted = [
        ("started", chats.started, ""),
        ("passed", chats.passed, "passed"),
        ("failed", chats.failed, "failed"),
        ("stopped", chats.stopped, ""),
        ("dropped", chats.dropped, ""),
    ];
    html! { ul.figures aria-label="Chats" {
        li data-most-in-progress=(chats.most_in_progress) {
            strong { (count(chats.in_progress)) } " in progress"
            @if report.state == RunState::Interrupted { " when it was cut off" }
        }
        @for (name, number, class) in counted {
            li class=[(number > 0 && !class.is_empty()).then_some(class)] {
                strong data-count={ "chats " (name) } { (count(number)) } " " (name)
            }
        }
        @if report.mode == Mode::Burst { (arrivals(report)) }
    }
    @if let Some(stop) = wording::graceful_stop(report) {
        p.quiet data-graceful-stop=[report.graceful_stop.map(|stop| stop.stopped)] { (stop) }
    } }
}

/// What has to hold; a search judges its steps by it instead.
fn thresholds(thresholds: &[ThresholdReport]) -> Markup {
    html! { @if !thresholds.is_empty() {
        ul.figures aria-label="Thresholds" {
            @for threshold in thresholds { li {
                (Standing::of_threshold(threshold.state).show())
                " " code { (threshold.threshold) } ": " (threshold.measured)
            } }
        }
    } }
}

/// What is asked for and achieved, of a run in progress at this moment.
fn arrivals(report: &RunReport) -> Markup {
    let Some(pace) = &report.pace else {
        let mean = report.mean_start_rate();
        return html! { @if mean.is_some() { li { strong { (per_second(mean)) } " started on average" } } };
    };
    html! {
        @if let Some(customers) = pace.customers { li { strong { (count(customers)) } " customers asked for" } }
        @if pace.rate.is_some() { li { strong { (per_second(pace.rate)) } " asked for" } }
        li { strong { (per_second(pace.started_per_second)) } " started of late" }
    }
}

fn failures(failures: &[Example]) -> Markup {
    html! { @if !failures.is_empty() {
        h2 { "Last failures" }
        ul.failures { @for failure in failures.iter().rev() { li data-failure=(failure.chat) data-key=(failure.chat) {
            @if failure.id.is_empty() { "Chat " (failure.chat) } @else {
                a href={ "/failures/" (failure.id) } { "Chat " (failure.chat) }
            }
            ", step " code { (failure.step) } ": " strong { (failure.reason) }
            br; (failure.detail)
            (correlation(&failure.correlation))
        } } }
    } }
}

fn orphans(report: &RunReport) -> Markup {
    let orphans = &report.orphans;
    html! { @if !orphans.is_empty() {
        h2 { "Chats, and what the setup made, that may still be open at the target" }
        p {
            @if report.state == RunState::Interrupted {
                "Those without a reason were in progress when the process ended. "
            }
            @else { "Nothing confirmed that they were closed. " }
            "End them there by what the target calls them."
        }
        @if report.orphans_total > orphans.len() as u64 {
            p { "These are the first of " (count(report.orphans_total)) "; "
                a href={ "/api/v1/runs/" (report.id) "/orphans?limit=1000" } { "more, in pages" } "." }
        }
        ul.failures { @for orphan in orphans { li {
            @if orphan.chat == 0 { "The setup" } @else { "Chat " (orphan.chat) }
            @if let Some(why) = &orphan.why { ": " (why) }
            (correlation(&orphan.correlation))
        } } }
    } }
}

fn correlation(names: &BTreeMap<String, String>) -> Markup {
    html! { @if !names.is_empty() {
        br; span.quiet { @for (name, value) in names { (name) " " code { (value) } " " } }
    } }
}

/// A form that makes a baseline of the run.
fn naming(report: &RunReport) -> Markup {
    html! { form.controls data-baseline=(report.id) {
        label { "Keep it as a baseline called " input name="baseline" required size="14" maxlength="64"; }
        button { "Keep" }
    } }
}

/// A form that holds the run against several baselines at once.
fn several(report: &RunReport, baselines: &[(&String, &String)]) -> Markup {
    html! { details {
        summary { "Compare with several baselines" }
        form.controls #several action="/compare" {
            input type="hidden" name="of" value=(report.id);
            @for (baseline, run) in baselines {
                label { input type="checkbox" name="run" value=(run); " " (baseline) }
            }
            button { "Compare" }
        }
    } }
}

fn documents(report: &RunReport, around: &Around) -> Markup {
    let path = format!("/api/v1/runs/{}", report.id);
    let (own, others_than_it): (Vec<_>, Vec<_>) =
        (around.baselines.iter()).partition(|(_, run)| **run == report.id);
    let others = [
        ("report.json", "JSON"),
        ("steps.csv", "steps as CSV"),
        ("timeline.csv", "seconds as CSV"),
        ("junit.xml", "JUnit XML"),
    ];
    html! {
        h2 { "Report and comparison" }
        p.controls {
            a href={ (path) "/report.html" } { "Report" }
            @for (file, name) in others { a href={ (path) "/" (file) } { (name) } }
        }
        p.controls {
            @if let Some(previous) = &around.previous {
                a href={ (path) "/compare/" (previous) "/report.html" } { "Compare with the run before" }
            }
            a href={ "/runs?with=" (report.id) } { "Compare with another run" }
            @for (baseline, _) in &others_than_it {
                a href={ (path) "/compare/" (baseline) "/report.html" } {
                    "Compare with the baseline " (baseline)
                }
            }
        }
        @if others_than_it.len() > 1 { (several(report, &others_than_it)) }
        @for (baseline, _) in own { p { "It is the baseline " code { (baseline) } "." } }
        details {
            summary { "Inputs" }
            dl.facts {
                @if let Some(inputs) = report.inputs.as_object() {
                    @for (name, value) in inputs { div { dt { (name) } dd { code { (value) } } } }
                }
                div { dt { "Seed" } dd { code { (report.seed) } } }
                @if let Some(print) = &report.configuration {
                    div { dt { "Configuration" } dd { code { (print) } } }
                }
            }
        }
    }
}
