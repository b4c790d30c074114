use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    event::{Mode, RunPosition, Trigger, Verdict},
    history::{Listing, RunQuery},
    runner::{ChatCounts, RunReport, RunState},
    scheduler::{RunEntry, Scheduler},
    web::{
        App,
        extract::{PathName, QueryParameters},
        refusal::{ErrorBody, Refusal},
        responses::{OfHistory, OfRun},
    },
};

/// How many entries a list may have.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
pub(super) struct PageSize(usize);

impl PageSize {
    const MOST: usize = 1_000;

    pub(super) fn get(self) -> usize {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<usize> for PageSize {
    type Error = String;

    fn try_from(entries: usize) -> Result<Self, String> {
        if entries > Self::MOST {
            return Err(format!(
                "{entries} is more than {}; what comes behind them is on the next page",
                Self::MOST
            ));
        }
        Ok(Self(entries))
    }
}

/// Which runs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct RunFilter {
    /// Only those of probes, or of bursts.
    mode: Option<Mode>,
    /// Only those that are so far.
    state: Option<RunState>,
    /// Only those that came to this.
    verdict: Option<Verdict>,
    /// Only those of the probe or burst of this name.
    name: Option<String>,
    /// Only those before the run of this id: that of the last one of the page before.
    before: Option<String>,
    /// The latest so many.
    #[param(value_type = usize, required = false, default = 100, minimum = 0, maximum = 1000)]
    limit: PageSize,
}

/// Runs that are known.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunList {
    /// The latest first.
    pub runs: Vec<RunSummary>,
    /// What is missing here and why, such as rows of the history that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A run in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunSummary {
    /// The run.
    pub id: String,
    /// The name of its probe or burst.
    pub name: String,
    /// The scenario it ran.
    pub scenario: String,
    /// The target it ran against.
    pub target: String,
    /// Probe or burst.
    pub mode: Mode,
    /// What started it.
    pub trigger: Trigger,
    /// Who asked for it, if they said so.
    pub asked_by: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// What it came to, once it has ended.
    pub verdict: Option<Verdict>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took, or has taken so far, in seconds.
    pub elapsed_seconds: f64,
    /// Its chats.
    pub chats: ChatCounts,
}

impl From<&RunReport> for RunSummary {
    fn from(report: &RunReport) -> Self {
        Self {
            id: report.id.clone(),
            name: report.name.clone(),
            scenario: report.scenario.clone(),
            target: report.target.clone(),
            mode: report.mode,
            trigger: report.trigger,
            asked_by: report.asked_by.clone(),
            state: report.state,
            verdict: report.verdict,
            started_at: report.started_at.clone(),
            elapsed_seconds: report.elapsed_seconds,
            chats: report.chats.clone(),
        }
    }
}

impl From<RunFilter> for RunQuery {
    fn from(filter: RunFilter) -> Self {
        Self {
            mode: filter.mode,
            state: filter.state,
            verdict: filter.verdict,
            name: filter.name,
            before: filter.before.as_deref().map(RunPosition::of),
            limit: filter.limit.get(),
            ..Self::default()
        }
    }
}

/// The cheap half: a report of a run in progress has to be made first.
fn may_take(query: &RunQuery, entry: &RunEntry) -> bool {
    let (mode, name, scenario) = match entry {
        RunEntry::Active(run) => {
            let identity = run.identity();
            let subject = &identity.subject;
            (subject.mode, &*identity.name, &*subject.scenario)
        }
        RunEntry::Ended(report) => (report.mode, &*report.name, &*report.scenario),
    };
    let of = query.part.as_deref();
    query.spans(entry.id())
        && query.mode.is_none_or(|wanted| wanted == mode)
        && query.name.as_deref().is_none_or(|wanted| wanted == name)
        && of.is_none_or(|part| name.contains(part) || scenario.contains(part))
}

fn takes(query: &RunQuery, report: &RunReport) -> bool {
    query.state.is_none_or(|wanted| wanted == report.state)
        && query
            .verdict
            .is_none_or(|wanted| Some(wanted) == report.verdict)
}

/// Those of the runs that the scheduler knows, in their order. Looks at each that is in progress.
pub(super) fn in_memory(
    scheduler: &Scheduler,
    query: &RunQuery,
) -> BTreeMap<RunPosition, Arc<RunReport>> {
    let entries = scheduler.runs();
    let known = entries.iter().filter(|entry| may_take(query, entry));
    known
        .map(RunEntry::report)
        .filter(|report| takes(query, report))
        .map(|report| (RunPosition::of(&report.id), report))
        .collect()
}

impl App {
    pub(in crate::web) async fn find_run(&self, id: &str) -> Result<RunEntry, Refusal> {
        if let Some(known) = self.web.scheduler.run(id) {
            return Ok(known);
        }
        let kept = self.web.history.report(id).await?;
        let report = kept.ok_or_else(|| Self::no_such_run(id))?;
        Ok(RunEntry::Ended(Arc::new(report)))
    }

    pub(in crate::web) fn no_such_run(id: &str) -> Refusal {
        Refusal::NotFound(format!(
            "there is no run `{id}`, or it ended too long ago; `/api/v1/runs` lists those that are known"
        ))
    }
}

impl App {
    /// Runs in progress and those that the scheduler remembers, in their order.
    pub(in crate::web) async fn runs_in_memory(
        &self,
        query: &RunQuery,
    ) -> Result<BTreeMap<RunPosition, Arc<RunReport>>, Refusal> {
        let (scheduler, query) = (self.web.scheduler.clone(), query.clone());
        self.looks.take(move || in_memory(&scheduler, &query)).await
    }

    /// The figures of a run as they stand.
    pub(in crate::web) async fn report_of(&self, id: &str) -> Result<Arc<RunReport>, Refusal> {
        match self.find_run(id).await? {
            RunEntry::Ended(report) => Ok(report),
            RunEntry::Active(run) => self.looks.take(move || Arc::new(run.report())).await,
        }
    }

    /// The same and those of the history; the latest first. If it cannot be read, those in memory, and why
    /// there are no others.
    pub(in crate::web) async fn list_runs(
        &self,
        query: RunQuery,
    ) -> Result<Listing<Arc<RunReport>>, Refusal> {
        let in_memory = self.runs_in_memory(&query).await?;
        self.list_with(query, in_memory).await
    }

    /// The same with what is known of the runs in memory.
    pub(in crate::web) async fn list_with(
        &self,
        query: RunQuery,
        mut runs: BTreeMap<RunPosition, Arc<RunReport>>,
    ) -> Result<Listing<Arc<RunReport>>, Refusal> {
        let mut listing = Listing::default();
        let limit = query.limit;
        // None that is kept is in progress: who asks for such does not depend on the disk.
        let over = [RunState::Ended, RunState::Interrupted];
        if query.state.is_none_or(|state| over.contains(&state)) {
            match self.web.history.runs(query).await {
                Ok(kept) => {
                    listing.unreadable = kept.unreadable;
                    listing.broken_off = kept.broken_off;
                    for report in kept.entries {
                        let position = RunPosition::of(&report.id);
                        runs.entry(position).or_insert_with(|| Arc::new(report));
                    }
                }
                Err(error) if runs.is_empty() => return Err(error.into()),
                Err(error) => listing.broken_off = Some(error.to_string()),
            }
        }
        listing.entries = runs.into_values().rev().take(limit).collect();
        Ok(listing)
    }
}

/// Runs in progress and those that ended: of bursts and of probes that did not pass all that are kept,
/// of probes that passed the last ones.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    operation_id = "list_runs",
    tag = "runs",
    params(RunFilter),
    responses(
        (status = 200, description = "The latest first", body = RunList),
        (status = 400, description = "A parameter is unknown or cannot be read", body = ErrorBody),
        OfHistory,
    ),
)]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    QueryParameters(filter): QueryParameters<RunFilter>,
) -> Result<Json<RunList>, Refusal> {
    let listing = app.list_runs(filter.into()).await?;
    let runs = listing.entries.iter();
    Ok(Json(RunList {
        runs: runs.map(|report| RunSummary::from(&**report)).collect(),
        warnings: listing.warnings(),
    }))
}

/// A run with all its figures.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}",
    operation_id = "show_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The figures as they stand", body = RunReport),
        OfRun,
    ),
)]
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Json<Arc<RunReport>>, Refusal> {
    Ok(Json(app.report_of(&id).await?))
}
