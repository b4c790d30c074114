use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    event::{Mode, Trigger, Verdict},
    history::RunQuery,
    runner::{ChatCounts, RunReport, RunState},
    scheduler::RunEntry,
    web::{
        App,
        extract::{Name, Parameters},
        refusal::{ErrorBody, Refusal},
    },
};

/// How many entries a list may have.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
pub(super) struct Limit(usize);

impl Limit {
    const MOST: usize = 1_000;

    pub(super) fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<usize> for Limit {
    type Error = String;

    fn try_from(entries: usize) -> Result<Self, String> {
        if entries > Self::MOST {
            return Err(format!(
                "{entries} is more than {}; what comes behind them is listed with `before`",
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
    /// Only those of the probe or burst of this name.
    name: Option<String>,
    /// Only those before the run of this id: that of the last one of the page before.
    before: Option<String>,
    /// The latest so many.
    #[param(value_type = usize, required = false, default = 100, minimum = 0, maximum = 1000)]
    limit: Limit,
}

/// Runs that are known.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunList {
    /// The latest first.
    pub runs: Vec<RunSummary>,
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

impl RunFilter {
    /// The cheap half: a report of a run in progress has to be made first.
    fn may_take(&self, entry: &RunEntry) -> bool {
        let (mode, name, id) = match entry {
            RunEntry::Active(run) => {
                let identity = run.identity();
                (identity.subject.mode, &*identity.name, run.id())
            }
            RunEntry::Ended(report) => (report.mode, report.name.as_str(), report.id.as_str()),
        };
        // Later runs have larger ids.
        self.before.as_deref().is_none_or(|before| id < before)
            && self.mode.is_none_or(|wanted| wanted == mode)
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn takes(&self, report: &RunReport) -> bool {
        self.state.is_none_or(|wanted| wanted == report.state)
    }
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
    /// Those of the history. None of them is in progress, so that those who ask for such do not depend on
    /// the disk.
    async fn kept_runs(&self, filter: RunFilter, limit: usize) -> Result<Vec<RunReport>, Refusal> {
        let over = [RunState::Ended, RunState::Interrupted];
        if filter.state.is_some_and(|state| !over.contains(&state)) {
            return Ok(Vec::new());
        }
        let query = RunQuery {
            mode: filter.mode,
            state: filter.state,
            name: filter.name,
            before: filter.before,
            limit,
        };
        Ok(self.web.history.runs(query).await?)
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
        (status = 500, description = "The history cannot be read", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    Parameters(filter): Parameters<RunFilter>,
) -> Result<Json<RunList>, Refusal> {
    let limit = filter.limit.get();
    let entries = app.web.scheduler.runs();
    let known = entries.iter().filter(|entry| filter.may_take(entry));
    let mut runs: BTreeMap<_, _> = known
        .map(RunEntry::report)
        .filter(|report| filter.takes(report))
        .map(|report| (report.id.clone(), RunSummary::from(&*report)))
        .collect();
    for report in app.kept_runs(filter, limit).await? {
        let id = report.id.clone();
        runs.entry(id).or_insert_with(|| RunSummary::from(&report));
    }
    let latest = runs.into_values().rev().take(limit);
    Ok(Json(RunList {
        runs: latest.collect(),
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
        (status = 404, description = "No such run", body = ErrorBody),
        (status = 500, description = "The history cannot be read", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name,
) -> Result<Json<Arc<RunReport>>, Refusal> {
    Ok(Json(app.find_run(&id).await?.report()))
}
