use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    document::did_you_mean,
    event::{Mode, Verdict},
    runner::RunReport,
    scheduler::{ProbeStatus, RunEntry, RunRefused, Scheduler},
    web::{
        App,
        extract::PathName,
        refusal::{ErrorBody, Refusal},
        responses::Changes,
    },
};

/// A probe and what it last came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeView {
    /// The probe as it stands.
    #[serde(flatten)]
    pub status: ProbeStatus,
    /// Its latest run that has ended, if that is still known.
    pub latest_result: Option<ProbeResult>,
}

/// What a run of a probe came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeResult {
    /// The run.
    pub run: String,
    /// What it came to.
    pub verdict: Option<Verdict>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
    /// What went wrong, in one line.
    pub failure: Option<String>,
}

impl ProbeView {
    /// Every probe.
    pub(in crate::web) fn all(scheduler: &Scheduler) -> Vec<Self> {
        let runs = scheduler.runs();
        let views = scheduler.probes().into_iter();
        views.map(|status| Self::new(status, &runs)).collect()
    }

    /// `runs`: the latest first.
    fn new(status: ProbeStatus, runs: &[RunEntry]) -> Self {
        let latest = runs.iter().find_map(|entry| match entry {
            RunEntry::Ended(report) if report.mode == Mode::Probe => {
                (report.name == status.name).then(|| report.clone())
            }
            RunEntry::Ended(_) | RunEntry::Active(_) => None,
        });
        Self {
            status,
            latest_result: latest.map(|report| ProbeResult::from(&*report)),
        }
    }
}

impl From<&RunReport> for ProbeResult {
    fn from(report: &RunReport) -> Self {
        let failure = report.failures.last().map(|failure| {
            let (step, reason, detail) = (&failure.step, failure.reason, &failure.detail);
            format!("step `{step}`: {reason}: {detail}")
        });
        Self {
            run: report.id.clone(),
            verdict: report.verdict,
            started_at: report.started_at.clone(),
            elapsed_seconds: report.elapsed_seconds,
            failure: failure.or_else(|| report.verdict_reasons.first().cloned()),
        }
    }
}

impl App {
    fn show_probe(&self, status: ProbeStatus) -> Json<ProbeView> {
        Json(ProbeView::new(status, &self.web.scheduler.runs()))
    }

    fn no_such_probe(&self, name: &str) -> Refusal {
        let probes = self.web.scheduler.probes();
        let hint = match did_you_mean(name, probes.iter().map(|probe| probe.name.as_str())) {
            none if none.is_empty() => "; `/api/v1/probes` lists those there are".to_owned(),
            hint => hint,
        };
        Refusal::NotFound(format!("there is no probe named `{name}`{hint}"))
    }

    fn pause_or_resume(&self, name: &str, paused: bool) -> Result<Json<ProbeView>, Refusal> {
        let status = self.web.scheduler.pause_probe(name, paused);
        let status = status.ok_or_else(|| self.no_such_probe(name))?;
        Ok(self.show_probe(status))
    }
}

/// Every probe.
#[utoipa::path(
    get,
    path = "/api/v1/probes",
    operation_id = "list_probes",
    tag = "probes",
    responses((status = 200, description = "All of them", body = Vec<ProbeView>)),
)]
pub(in crate::web) async fn list(State(app): State<Arc<App>>) -> Json<Vec<ProbeView>> {
    Json(ProbeView::all(&app.web.scheduler))
}

/// Runs a probe now, paused or not; its interval stays as it is.
///
/// The answer comes when the run has begun, and `latest_run` is this run. A probe that is running already is not
/// started once more.
#[utoipa::path(
    post,
    path = "/api/v1/probes/{name}/run",
    operation_id = "run_probe",
    tag = "probes",
    params(("name" = String, Path, description = "The probe")),
    responses(
        (status = 202, description = "Its run has begun, and is `latest_run`", body = ProbeView, headers(("Location" = String, description = "The run"))),
        (status = 404, description = "No such probe", body = ErrorBody),
        (status = 409, description = "It is running already, or was changed by a reload at this moment; nothing was started", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn run(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
) -> Result<impl IntoResponse, Refusal> {
    app.takes_on_work()?;
    let status = match app.web.scheduler.run_probe(&name).await {
        Ok(status) => status,
        Err(RunRefused::Unknown(name)) => return Err(app.no_such_probe(&name)),
        Err(refused) => return Err(refused.into()),
    };
    let run = status.latest_run.as_deref().unwrap_or_default();
    let location = [(header::LOCATION, format!("/api/v1/runs/{run}"))];
    Ok((StatusCode::ACCEPTED, location, app.show_probe(status)))
}

/// Pauses a probe: it starts no runs unless asked to.
#[utoipa::path(
    post,
    path = "/api/v1/probes/{name}/pause",
    operation_id = "pause_probe",
    tag = "probes",
    params(("name" = String, Path, description = "The probe")),
    responses(
        (status = 200, description = "It is paused", body = ProbeView),
        (status = 404, description = "No such probe", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn pause(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
) -> Result<Json<ProbeView>, Refusal> {
    app.pause_or_resume(&name, true)
}

/// Resumes a probe: it runs at its next slot.
#[utoipa::path(
    post,
    path = "/api/v1/probes/{name}/resume",
    operation_id = "resume_probe",
    tag = "probes",
    params(("name" = String, Path, description = "The probe")),
    responses(
        (status = 200, description = "It is not paused", body = ProbeView),
        (status = 404, description = "No such probe", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn resume(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
) -> Result<Json<ProbeView>, Refusal> {
    app.pause_or_resume(&name, false)
}
