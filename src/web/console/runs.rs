//! Runs in progress and those that are remembered.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    frame::{Page, Viewer},
    words::{Standing, count, moment, time},
};
use crate::{
    event::{Mode, Verdict},
    runner::RunReport,
    scheduler::RunEntry,
    web::{App, extract::Parameters, refusal::Refusal},
};

const SHOWN: usize = 200;

/// Which runs to show. A form leaves nothing out and sends empty texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    name: String,
    mode: String,
    verdict: String,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, Refusal> {
    let runs = app.web.scheduler.runs();
    let reports = runs.iter().map(RunEntry::report);
    let taken: Vec<_> = reports
        .filter(|run| filter.takes(run))
        .take(SHOWN)
        .collect();
    let main = html! {
        h1 { "Runs" }
        (form(&filter))
        form #compare {
            (table(&taken))
            p.controls {
                button disabled { "Compare two" }
                span.quiet { "Choose two runs; the earlier one is what the other is held against." }
            }
        }
    };
    let title = "Runs".to_owned();
    Ok(Page {
        path: "/runs",
        title,
        main,
    }
    .answer(viewer))
}

impl Filter {
    fn takes(&self, run: &RunReport) -> bool {
        let verdict = run.verdict.map_or("none", Verdict::as_str);
        let name = self.name.trim();
        (self.mode.is_empty() || self.mode == run.mode.as_str())
            && (self.verdict.is_empty() || self.verdict == verdict)
            && (name.is_empty() || run.name.contains(name) || run.scenario.contains(name))
    }
}

fn form(filter: &Filter) -> Markup {
    let choice = |name: &str, label: &str, chosen: &str, words: &[&str]| {
        html! { label { (label) " " select name=(name) {
            option value="" { "all" }
            @for word in words { option value=(word) selected[*word == chosen] { (word) } }
        } } }
    };
    let verdicts = Verdict::ALL.map(Verdict::as_str);
    let modes = [Mode::Burst, Mode::Probe].map(Mode::as_str);
    html! { form.controls method="get" role="search" {
        label { "Name or scenario " input type="search" name="name" value=(filter.name); }
        (choice("mode", "Kind", &filter.mode, &modes))
        (choice("verdict", "Verdict", &filter.verdict, &verdicts))
        button { "Show" }
    } }
}

fn table(runs: &[Arc<RunReport>]) -> Markup {
    html! {
        @if runs.is_empty() {
            p { "There are none like this." }
        } @else {
            div.wide { table {
                thead { tr {
                    th scope="col" { "Compare" }
                    th scope="col" { "Run" } th scope="col" { "Kind" } th scope="col" { "Result" }
                    th scope="col" { "Scenario" } th.figure scope="col" { "Passed" }
                    th.figure scope="col" { "Failed" } th.figure scope="col" { "Chats, p95" }
                    th.figure scope="col" { "Took" } th scope="col" { "Began" }
                } }
                tbody { @for run in runs { tr {
                    td { input type="checkbox" name="run" value=(run.id) aria-label={ "Compare " (run.name) }; }
                    th scope="row" { a href={ "/runs/" (run.id) } { (run.name) } }
                    td { (run.mode.as_str()) }
                    td { (Standing::of(run.state, run.verdict).show()) }
                    td { (run.scenario) " on " (run.target) }
                    td.figure { (count(run.chats.passed)) }
                    td.figure { (count(run.chats.failed)) }
                    td.figure { (time(run.chat_duration.p95)) }
                    td.figure { (time(Some(run.elapsed_seconds))) }
                    td { (moment(&run.started_at)) }
                } } }
            } }
        }
    }
}
