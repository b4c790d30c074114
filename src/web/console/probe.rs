//! One probe: its last results, its hours and its failures, as far as they are kept.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use maud::{Markup, html};
use tokio::time::Instant;

use super::{
    followed::{AfterReload, READ_AGAIN, followed},
    frame::{Page, Viewer},
    now::{actions, in_progress, results, ticks},
    words::{Standing, count, moment, share, time},
};
use crate::{
    event::{DeliveryFate, Mode, Verdict},
    history::{FailureQuery, FailureSummary, HourQuery, Listing, ProbeHour},
    runner::{Quantiles, RunReport},
    scheduler::ProbeStatus,
    units::duration,
    web::{
        App,
        api::history::HourFilter,
        extract::{PathName, QueryParameters},
        refusal::Refusal,
    },
};

/// Failures that are listed.
const FAILURES: usize = 20;

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    PathName(name): PathName,
    RawQuery(query): RawQuery,
    QueryParameters(filter): QueryParameters<HourFilter>,
) -> Response {
    let open = OpenProbe::of(&app, &name, filter).await;
    let page = open.map(|open| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("/live/probes/{name}{query}");
        let parts = html! {
            h1 { "Probe " (name) }
            (open.fragment(&app, viewer))
        };
        Page {
            path: "/",
            title: format!("Probe {name}"),
            main: followed(&app, &path, AfterReload::ShowsNew, &parts),
        }
    });
    Page::answer_or_refusal(page, viewer)
}

/// The page of a probe that somebody has open.
pub(super) struct OpenProbe {
    query: HourQuery,
    hours: Vec<ProbeHour>,
    failures: Vec<FailureSummary>,
    /// What has to be said of both.
    warnings: Vec<String>,
    /// The latest run that had ended then.
    latest: Option<String>,
    read_at: Instant,
}

impl OpenProbe {
    /// What is known and kept of it.
    pub(super) async fn of(app: &App, name: &str, filter: HourFilter) -> Result<Self, Refusal> {
        let mut open = Self {
            query: filter.query(name)?,
            hours: Vec::new(),
            failures: Vec::new(),
            warnings: Vec::new(),
            latest: None,
            read_at: Instant::now(),
        };
        let error = open.read(app).await.err();
        if open.status(app).is_some() {
            return Ok(open);
        }
        match error {
            Some(error) => Err(error),
            None if open.hours.is_empty() && open.failures.is_empty() => Err(Refusal::NotFound(
                format!("there is no probe `{name}`, and nothing of one is kept"),
            )),
            None => Ok(open),
        }
    }

    /// Reads again what is kept once a run has ended, and from time to time: it takes a moment until it is written.
    pub(super) async fn refresh(&mut self, app: &App) {
        let is_old = self.read_at.elapsed() >= READ_AGAIN;
        if is_old || self.latest != self.latest_result(app) {
            // The warnings tell of it.
            let _ = self.read(app).await;
        }
    }

    /// The error is that of the hours; what could be read is shown all the same, since somebody may want to pause
    /// the probe.
    async fn read(&mut self, app: &App) -> Result<(), Refusal> {
        self.read_at = Instant::now();
        self.latest = self.latest_result(app);
        let history = &app.web.history;
        let failures = history.list_failures(FailureQuery {
            name: Some(self.query.name.clone()),
            mode: Some(Mode::Probe),
            limit: FAILURES,
            ..FailureQuery::default()
        });
        // Both at once: they may wait for the same disk.
        let (hours, failures) = tokio::join!(history.hours(self.query.clone()), failures);
        let (hours, error) = match hours.map_err(Refusal::from) {
            Ok(hours) => (Ok(hours), None),
            Err(error) => (Err(error.to_string()), Some(error)),
        };
        let failures = failures.map_err(|error| Refusal::from(error).to_string());
        let mut warnings = Vec::new();
        self.hours = shown(hours, &mut warnings);
        self.failures = shown(failures, &mut warnings);
        warnings.dedup();
        self.warnings = warnings;
        error.map_or(Ok(()), Err)
    }

    fn status(&self, app: &App) -> Option<ProbeStatus> {
        let mut probes = app.web.scheduler.probes().into_iter();
        probes.find(|probe| probe.name == self.query.name)
    }

    fn latest_result(&self, app: &App) -> Option<String> {
        let results = results(&self.query.name, &app.web.scheduler.runs());
        results.first().map(|run| run.id.clone())
    }

    /// The parts of the page that change.
    pub(super) fn fragment(&self, app: &App, viewer: Viewer) -> Markup {
        let name = &self.query.name;
        let is_full = self.hours.len() == self.query.limit;
        let last_of_page = self.hours.last().filter(|_| is_full);
        html! {
            div #standing data-part {
                @match self.status(app) {
                    None => p.note { "It is not in the configuration any more." },
                    Some(probe) => (standing(&probe, &results(name, &app.web.scheduler.runs()), viewer)),
                }
            }
            div #kept data-part {
                @for warning in &self.warnings { p.note { (warning) } }
                h2 { "Last failures" }
                (failed(&self.failures))
                p { a href={ "/runs?mode=probe&name=" (name) } { "Its runs in the history" } }
                h2 { "Hours" }
                (hourly(&self.hours, app.web.history.is_kept()))
                @if let Some(last) = last_of_page {
                    p { a href={ "/probes/" (name) "?before=" (last.hour) } { "Earlier hours" } }
                }
            }
        }
    }
}

fn standing(probe: &ProbeStatus, results: &[Arc<RunReport>], viewer: Viewer) -> Markup {
    html! {
        p { (probe.scenario) " on " (probe.target) ", every " (duration::exact(probe.every)) }
        p {
            @if probe.paused { span.standing.stopped { "‖ paused" } " " }
            (in_progress(probe))
        }
        @if viewer.may_change { div.controls { (actions(probe)) } }
        h2 { "Last results" }
        p.quiet { "Since the service started, the latest on the right." }
        (ticks(results))
    }
}

/// What can be shown of a list; what has to be said of it goes with the warnings.
fn shown<T>(listed: Result<Listing<T>, String>, warnings: &mut Vec<String>) -> Vec<T> {
    match listed {
        Ok(listing) => {
            warnings.extend(listing.warnings());
            listing.entries
        }
        Err(error) => {
            warnings.push(error);
            Vec::new()
        }
    }
}

fn failed(failures: &[FailureSummary]) -> Markup {
    html! {
        @if failures.is_empty() { p { "None are kept." } } @else {
            ul.failures { @for failure in failures { li data-key=(failure.id) {
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
                    th scope="col" { "Details" }
                    @if several { th scope="col" { "Scenario" } }
                } }
                tbody { @for one in hours { (hour(one, several)) } }
            } }
        }
    }
}

fn hour(hour: &ProbeHour, several: bool) -> Markup {
    let Quantiles { p50, p95, max, .. } = hour.chat_duration.quantiles();
    let (passed, failed) = (hour.with(Verdict::Passed), hour.with(Verdict::Failed));
    let others = [
        ("invalid", hour.with(Verdict::Invalid)),
        ("stopped", hour.with(Verdict::Stopped)),
        ("interrupted", hour.broken_off()),
    ];
    let standing = Standing::of_hour(hour);
    html! { tr class=(standing.class) {
        th scope="row" {
            span.sign aria-hidden="true" { (standing.sign) } " " (moment(&hour.hour))
            span.unseen { ": " (standing.word) }
        }
        td.figure { (count(hour.runs)) }
        td.figure { (count(passed)) }
        td.figure { (count(failed)) }
        td.figure { (share(failed, passed)) }
        @for quantile in [p50, p95, max] { td.figure { (time(quantile)) } }
        td.reasons {
            @for (reason, number) in &hour.failed_by_reason { code { (reason) } " " (count(*number)) " " }
            @for (end, number) in others { @if number > 0 { (end) " " (count(number)) " " } }
            @if let Some(lost) = hour.deliveries.get(&DeliveryFate::Lost) { "lost deliveries " (count(*lost)) }
        }
        @if several { td { (hour.scenario) " on " (hour.target) } }
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_as_the_verdicts_of_its_runs() {
        use Verdict::{Failed, Invalid, Passed, Stopped};
        for (runs, verdicts, word, figures, details) in [
            (3, &[(Passed, 3)][..], "passed", ["3", "3", "0", "0%"], ""),
            (
                4,
                &[(Passed, 3), (Failed, 1)],
                "failed",
                ["4", "3", "1", "25.0%"],
                "",
            ),
            // Their setup failed: there are no chats.
            (2, &[(Failed, 2)], "failed", ["2", "0", "2", "100.0%"], ""),
            (
                3,
                &[(Passed, 1), (Invalid, 2)],
                "invalid",
                ["3", "1", "0", "0%"],
                "invalid 2 ",
            ),
            (
                2,
                &[(Stopped, 2)],
                "stopped",
                ["2", "0", "0", "–"],
                "stopped 2 ",
            ),
            (
                2,
                &[(Passed, 1)],
                "interrupted",
                ["2", "1", "0", "0%"],
                "interrupted 1 ",
            ),
        ] {
            let one = ProbeHour {
                hour: "2026-11-21T20:00:00Z".to_owned(),
                runs,
                verdicts: verdicts.iter().copied().collect(),
                ..ProbeHour::default()
            };
            let row = hour(&one, false).into_string();
            assert!(row.contains(&format!(">: {word}</span>")), "{row}");
            let figures = figures.map(|figure| format!("<td class=\"figure\">{figure}</td>"));
            assert!(row.contains(&figures.concat()), "{row}");
            let details = format!("<td class=\"reasons\">{details}</td>");
            assert!(row.contains(&details), "{row}");
        }
    }
}
