//! The history: runs in progress and those that are kept.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use maud::{Markup, html};
use serde::Deserialize;
use tokio::time::Instant;
use url::form_urlencoded;

use super::{
    compare::MOST_RUNS,
    followed::{AfterReload, READ_AGAIN, followed},
    frame::{Page, Viewer},
    words::{Standing, count, moment, span, time},
};
use crate::{
    event::{Mode, RunPosition, Verdict},
    history::{Listing, RunQuery},
    report::wording,
    runner::{RunReport, RunState},
    web::{App, extract::QueryParameters, refusal::Refusal},
};

/// Runs of one page.
const SHOWN: usize = 50;
/// In the place of a verdict: a run that was cut off has none.
const INTERRUPTED: &str = "interrupted";

/// Which runs to show. A form leaves nothing out and sends empty texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HistoryFilter {
    name: String,
    mode: String,
    verdict: String,
    /// The first day, in UTC.
    from: String,
    /// The last day, in UTC.
    to: String,
    /// Only those before this run: the last one of the page before.
    before: String,
    /// A run that some of these are to be compared with.
    with: String,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    RawQuery(query): RawQuery,
    QueryParameters(filter): QueryParameters<HistoryFilter>,
) -> Response {
    let open = OpenHistory::of(&app, filter).await;
    let page = open.map(|open| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("/live/runs{query}");
        let parts = open.page(&app);
        Page {
            path: "/runs",
            title: "History".to_owned(),
            main: followed(&app, &path, AfterReload::StaysTrue, &parts),
        }
    });
    Page::answer_or_refusal(page, viewer)
}

/// The history as somebody has it open.
pub(super) struct OpenHistory {
    filter: HistoryFilter,
    query: RunQuery,
    /// A run that one of these is to be compared with.
    with: Option<Arc<RunReport>>,
    listing: Listing<Arc<RunReport>>,
    /// Those of the runs in memory that belonged to it when it was read.
    in_memory: BTreeSet<RunPosition>,
    read_at: Instant,
}

impl OpenHistory {
    /// What is known and kept of runs like these.
    pub(super) async fn of(app: &App, filter: HistoryFilter) -> Result<Self, Refusal> {
        let query = filter.query()?;
        let known = app.runs_in_memory(&query).await?;
        let in_memory = known.keys().cloned().collect();
        let listing = app.list_with(query.clone(), known).await?;
        let with = match &*filter.with {
            "" => None,
            id => Some(app.report_of(id).await?),
        };
        Ok(Self {
            filter,
            query,
            with,
            listing,
            in_memory,
            read_at: Instant::now(),
        })
    }

    /// Reads again once a run begins to belong to the list or no longer does, and from time to time; runs in progress
    /// are as they stand in any case.
    pub(super) async fn refresh(&mut self, app: &App) {
        // Who cannot look now shows what was there before.
        let Ok(known) = app.runs_in_memory(&self.query).await else {
            return;
        };
        let in_memory: BTreeSet<_> = known.keys().cloned().collect();
        if in_memory != self.in_memory || self.read_at.elapsed() >= READ_AGAIN {
            match app.list_with(self.query.clone(), known.clone()).await {
                Ok(listing) => self.listing = listing,
                Err(error) => self.listing.broken_off = Some(error.to_string()),
            }
            (self.in_memory, self.read_at) = (in_memory, Instant::now());
        }
        for run in &mut self.listing.entries {
            if let Some(now) = known.get(&RunPosition::of(&run.id)) {
                run.clone_from(now);
            }
        }
    }

    /// The runs of this page, and whether there are more behind them.
    fn shown(&self) -> (&[Arc<RunReport>], bool) {
        let runs = &self.listing.entries;
        (&runs[..runs.len().min(SHOWN)], runs.len() > SHOWN)
    }

    fn page(&self, app: &App) -> Markup {
        html! {
            h1 { "History" }
            (form(&self.filter))
            form #compare action="/compare" data-most=(MOST_RUNS) {
                @if let Some(run) = &self.with { (other(run)) }
                (self.runs())
                p.controls {
                    button { "Compare" }
                    span.quiet {
                        "Choose two runs or more, or one and others on another page. The latest is held against all "
                        "the others; several of them show how much runs differ from each other."
                    }
                }
            }
            (self.pages())
            @if !app.web.history.is_kept() {
                p.note.quiet { "Without a data directory only the last runs since the service started are here." }
            }
        }
    }

    /// The parts of the page that change.
    pub(super) fn fragment(&self) -> Markup {
        html! { (self.runs()) (self.pages()) }
    }

    fn runs(&self) -> Markup {
        let (runs, _) = self.shown();
        html! { div #runs data-part {
            @for warning in self.listing.warnings() { p.note { (warning) } }
            @if runs.is_empty() { p { "There are no runs like this." } }
            @else { (table(runs, &self.filter)) }
        } }
    }

    fn pages(&self) -> Markup {
        let (runs, more) = self.shown();
        let last = runs.last().filter(|_| more);
        html! { nav #pages data-part aria-label="Pages of the history" {
            @if !self.filter.before.is_empty() { a href=(self.filter.page_before("")) { "Latest" } " " }
            @if let Some(last) = last { a href=(self.filter.page_before(&last.id)) rel="next" { "Earlier" } }
        } }
    }
}

impl HistoryFilter {
    fn query(&self) -> Result<RunQuery, Refusal> {
        let since = day(&self.from)?.map(beginning_of);
        let after = day(&self.to)?.and_then(|day| day.checked_add(1.day()).ok());
        let before = Some(&*self.before).filter(|id| !id.is_empty());
        // The one in front, if there are two.
        let before = before
            .map(RunPosition::of)
            .into_iter()
            .chain(after.map(beginning_of))
            .min();
        Ok(RunQuery {
            mode: word(&self.mode, [Mode::Burst, Mode::Probe], Mode::as_str, "mode")?,
            state: (self.verdict == INTERRUPTED).then_some(RunState::Interrupted),
            verdict: match &*self.verdict {
                INTERRUPTED => None,
                verdict => word(verdict, Verdict::ALL, Verdict::as_str, "verdict")?,
            },
            part: Some(self.name.trim().to_owned()).filter(|part| !part.is_empty()),
            since,
            before,
            // One more tells whether there is another page.
            limit: SHOWN + 1,
            ..RunQuery::default()
        })
    }

    /// The address of the same list from another place on.
    fn page_before(&self, before: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [
            ("name", &*self.name),
            ("mode", &self.mode),
            ("verdict", &self.verdict),
            ("from", &self.from),
            ("to", &self.to),
            ("with", &self.with),
            ("before", before),
        ];
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        format!("/runs?{}", query.finish())
    }
}

/// One of these words; none if nothing is said.
fn word<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
    field: &str,
) -> Result<Option<T>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let known = all.into_iter().find(|one| name(*one) == text);
    known.map(Some).ok_or_else(|| {
        let words = all.map(name).join("`, `");
        Refusal::malformed(format!("{field}: `{text}` is none of `{words}`"))
    })
}

fn day(text: &str) -> Result<Option<Date>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Refusal::malformed(format!(
            "`{text}` is no day; write for instance `2026-05-04`"
        ))
    })
}

/// Runs that begin on this day or later stand behind it.
fn beginning_of(day: Date) -> RunPosition {
    let midnight = day.to_zoned(TimeZone::UTC);
    let seconds = midnight.map_or(0, |time| time.timestamp().as_second());
    RunPosition::at(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn form(filter: &HistoryFilter) -> Markup {
    let choice = |name: &str, label: &str, chosen: &str, words: &[&str]| {
        html! { label { (label) " " select name=(name) {
            option value="" { "all" }
            @for word in words { option value=(word) selected[*word == chosen] { (word) } }
        } } }
    };
    let verdicts = [&Verdict::ALL.map(Verdict::as_str)[..], &[INTERRUPTED]].concat();
    let modes = [Mode::Burst, Mode::Probe].map(Mode::as_str);
    html! { form.controls method="get" action="/runs" role="search" {
        @if !filter.with.is_empty() { input type="hidden" name="with" value=(filter.with); }
        label { "Name or scenario " input type="search" name="name" value=(filter.name) size="16"; }
        (choice("mode", "Kind", &filter.mode, &modes))
        (choice("verdict", "Result", &filter.verdict, &verdicts))
        label { "From " input type="date" name="from" value=(filter.from); }
        label { "To " input type="date" name="to" value=(filter.to); }
        button { "Show" }
        @if *filter.page_before("") != *"/runs?" { a href="/runs" { "Show all" } }
    } }
}

/// The run that was chosen before.
fn other(run: &RunReport) -> Markup {
    html! {
        input type="hidden" name="run" value=(run.id);
        p.note {
            "Choose the runs to compare with " a href={ "/runs/" (run.id) } { (run.name) }
            " of " (moment(&run.started_at)) ". The latest of all is held against the others."
        }
    }
}

fn table(runs: &[Arc<RunReport>], filter: &HistoryFilter) -> Markup {
    html! {
        div.wide role="region" aria-label="Runs, the latest first" tabindex="0" { table {
            caption.unseen { "Runs, the latest first" }
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "Result" } th scope="col" { "Kind" }
                th scope="col" { "Scenario" } th.figure scope="col" { "Passed" }
                th.figure scope="col" { "Failed" } th.figure scope="col" { "Chats, p95" }
                th.figure scope="col" { "Took" } th scope="col" { "Began" }
                th scope="col" { "Report" }
            } }
            tbody { @for run in runs { (row(run, run.id == filter.with)) } }
        } }
    }
}

fn row(run: &RunReport, chosen: bool) -> Markup {
    let of = format!("{} of {}", run.name, wording::moment(&run.started_at));
    html! { tr data-key=(run.id) {
        th scope="row" {
            input type="checkbox" name="run" value=(run.id) checked[chosen] disabled[chosen]
                aria-label={ "Compare " (of) };
            " " a href={ "/runs/" (run.id) } { (run.name) }
        }
        td { (Standing::of(run.state, run.verdict).show()) }
        td { (run.mode.as_str()) }
        td { (run.scenario) " on " (run.target) }
        td.figure { (count(run.chats.passed)) }
        td.figure { (count(run.chats.failed)) }
        td.figure { (time(run.chat_duration.p95)) }
        td.figure { (span(run.elapsed_seconds)) }
        td { (moment(&run.started_at)) }
        td { a href={ "/api/v1/runs/" (run.id) "/report.html" } aria-label={ "Report of " (of) } { "Report" } }
    } }
}
