//! One probe: its last results, its hours and its failures, as far as they are kept.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    frame::{Page, Viewer},
    now::{actions, results, ticks},
    words::{Standing, count, moment, share, time},
};
use crate::{
    event::Mode,
    history::{FailureQuery, FailureSummary, HistoryError, Listing, ProbeHour},
    runner::Quantiles,
    web::{
        App,
        api::history::HourFilter,
        extract::{Name, Parameters},
        refusal::Refusal,
    },
};

/// Failures that are listed.
const FAILURES: usize = 20;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Name(name): Name,
    Parameters(filter): Parameters<HourFilter>,
) -> Response {
    let page = page(&app, viewer, &name, filter).await;
    Page::answer_or_refusal(page, viewer)
}

async fn page(app: &App, viewer: Viewer, name: &str, filter: HourFilter) -> Result<Page, Refusal> {
    let query = filter.query(name)?;
    let most = query.limit;
    let hours = app.web.history.hours(query);
    let failures = app.web.history.list_failures(FailureQuery {
        name: Some(name.to_owned()),
        mode: Some(Mode::Probe),
        limit: FAILURES,
        ..FailureQuery::default()
    });
    // Both at once: they may wait for the same disk.
    let (hours, failures) = tokio::join!(hours, failures);
    let scheduler = &app.web.scheduler;
    let known = scheduler.probes();
    let status = known.iter().find(|probe| probe.name == name);
    if status.is_none()
        && let Err(error) = hours
    {
        return Err(error.into());
    }
    // A probe is shown without them if the history cannot be read: somebody may want to pause it.
    let (hours, mut warnings) = shown(hours);
    let (failures, more) = shown(failures);
    warnings.extend(more);
    warnings.dedup();
    if status.is_none() && hours.is_empty() && failures.is_empty() {
        return Err(Refusal::NotFound(format!(
            "there is no probe `{name}`, and nothing of one is kept"
        )));
    }
    let main = html! {
        h1 { "Probe " (name) }
        @match status {
            None => p.note { "It is not in the configuration any more." },
            Some(probe) => {
                p { (probe.scenario) " on " (probe.target) ", every " (probe.every) }
                @if viewer.may_change { div.controls { (actions(probe)) } }
                h2 { "Last results" }
                p.quiet { "Since the service started, the latest on the right." }
                (ticks(&results(name, &scheduler.runs())))
            }
        }
        @for warning in &warnings { p.note { (warning) } }
        h2 { "Last failures" }
        (failed(&failures))
        p { a href={ "/runs?mode=probe&name=" (name) } { "Its runs in the history" } }
        h2 { "Hours" }
        (hourly(&hours, app.web.history.is_kept()))
        @if hours.len() == most && let Some(last) = hours.last() {
            p { a href={ "/probes/" (name) "?before=" (last.hour) } { "Earlier hours" } }
        }
    };
    Ok(Page {
        path: "/",
        title: format!("Probe {name}"),
        main,
    })
}

/// What can be shown of a list, and what has to be said of it.
fn shown<T>(listed: Result<Listing<T>, HistoryError>) -> (Vec<T>, Vec<String>) {
    match listed {
        Ok(listing) => {
            let warnings = listing.warnings();
            (listing.entries, warnings)
        }
        Err(error) => (Vec::new(), vec![Refusal::from(error).to_string()]),
    }
}

fn failed(failures: &[FailureSummary]) -> Markup {
    html! {
        @if failures.is_empty() { p { "None are kept." } } @else {
            ul.failures { @for failure in failures { li {
                a href={ "/failures/" (failure.id) } { (moment(&failure.failed_at)) }
                ", step " code { (failure.step) } ": " strong { (failure.reason) }
                br; (failure.detail)
            } } }
        }
    }
}

fn hourly(hours: &[ProbeHour], kept: bool) -> Markup {
    let several = hours
        .iter()
        .any(|hour| (&hour.scenario, &hour.target) != (&hours[0].scenario, &hours[0].target));
    html! {
        @if !kept {
            p { "They are kept in a data directory, and the configuration has none." }
        } @else if hours.is_empty() {
            p { "There are none so far." }
        } @else {
            div.wide role="region" aria-label="Hours, the latest first" tabindex="0" { table {
                caption.unseen { "Hours, the latest first" }
                thead { tr {
                    th scope="col" { "Hour" } th.figure scope="col" { "Runs" }
                    th.figure scope="col" { "Passed" } th.figure scope="col" { "Failed" }
                    th.figure scope="col" { "Failed, %" }
                    @for name in ["p50", "p95", "max"] { th.figure scope="col" { (name) } }
                    th scope="col" { "Failures" }
                    @if several { th scope="col" { "Scenario" } }
                } }
                tbody { @for one in hours { (hour(one, several)) } }
            } }
        }
    }
}

fn hour(hour: &ProbeHour, several: bool) -> Markup {
    let Quantiles { p50, p95, max, .. } = hour.chat_duration.quantiles();
    let standing = Standing::of_counts(hour.passed, hour.failed);
    html! { tr class=(standing.class) {
        th scope="row" {
            span.sign aria-hidden="true" { (standing.sign) } " " (moment(&hour.hour))
            span.unseen { ": " (standing.word) }
        }
        td.figure { (count(hour.runs)) }
        td.figure { (count(hour.passed)) }
        td.figure { (count(hour.failed)) }
        td.figure { (share(hour.failed, hour.passed)) }
        @for quantile in [p50, p95, max] { td.figure { (time(quantile)) } }
        td.reasons { @for (reason, number) in &hour.failed_by_reason { code { (reason) } " " (count(*number)) " " } }
        @if several { td { (hour.scenario) " on " (hour.target) } }
    } }
}
