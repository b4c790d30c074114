use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    event::{Mode, Trigger, Verdict},
    runner::{ChatCounts, RunReport, RunState},
    scheduler::RunEntry,
    web::{
        App,
        extract::{Name, Parameters},
        refusal::{ErrorBody, Refusal},
    },
};

/// How many runs are listed unless asked otherwise.
const USUAL_LIMIT: usize = 100;

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
    /// The latest so many; 100 unless said otherwise.
    limit: Option<usize>,
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
        let (mode, name) = match entry {
            RunEntry::Active(run) => (run.identity().subject.mode, &*run.identity().name),
            RunEntry::Ended(report) => (report.mode, report.name.as_str()),
        };
        self.mode.is_none_or(|wanted| wanted == mode)
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }

    fn takes(&self, report: &RunReport) -> bool {
        self.state.is_none_or(|wanted| wanted == report.state)
    }
}

impl App {
    pub(in crate::web) fn find_run(&self, id: &str) -> Result<RunEntry, Refusal> {
        let entry = self.web.scheduler.run(id);
        entry.ok_or_else(|| Self::no_such_run(id))
    }

    pub(in crate::web) fn no_such_run(id: &str) -> Refusal {
        Refusal::NotFound(format!(
            "there is no run `{id}`, or it ended too long ago; `/api/v1/runs` lists those that are known"
        ))
    }
}

/// Runs in progress and the last ones that ended.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    operation_id = "list_runs",
    tag = "runs",
    params(RunFilter),
    responses(
        (status = 200, description = "The latest first", body = RunList),
        (status = 400, description = "A parameter is unknown or cannot be read", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    Parameters(filter): Parameters<RunFilter>,
) -> Json<RunList> {
    let entries = app.web.scheduler.runs();
    let runs = entries
        .iter()
        .filter(|entry| filter.may_take(entry))
        .map(RunEntry::report)
        .filter(|report| filter.takes(report))
        .take(filter.limit.unwrap_or(USUAL_LIMIT))
        .map(|report| RunSummary::from(&*report))
        .collect();
    Json(RunList { runs })
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
    ),
)]
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name,
) -> Result<Json<Arc<RunReport>>, Refusal> {
    Ok(Json(app.find_run(&id)?.report()))
}
