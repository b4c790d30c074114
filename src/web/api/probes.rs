use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    document::did_you_mean,
    event::{Mode, Verdict},
    runner::RunReport,
    scheduler::{ProbeStatus, RunEntry, Scheduler},
    web::{
        App,
        extract::Name,
        openapi::Changes,
        refusal::{ErrorBody, Refusal},
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
            RunEntry::Active(run) => (run.has_ended()
                && run.identity().subject.mode == Mode::Probe
                && *run.identity().name == *status.name)
                .then(|| Arc::new(run.report())),
            RunEntry::Ended(report) => {
                (report.mode == Mode::Probe && report.name == status.name).then(|| report.clone())
            }
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
    fn known_probe(
        &self,
        name: &str,
        status: Option<ProbeStatus>,
    ) -> Result<Json<ProbeView>, Refusal> {
        let status = status.ok_or_else(|| {
            let probes = self.web.scheduler.probes();
            let hint = match did_you_mean(name, probes.iter().map(|probe| probe.name.as_str())) {
                none if none.is_empty() => "; `/api/v1/probes` lists those there are".to_owned(),
                hint => hint,
            };
            Refusal::NotFound(format!("there is no probe named `{name}`{hint}"))
        })?;
        Ok(Json(ProbeView::new(status, &self.web.scheduler.runs())))
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

/// Asks for a run of a probe now; its interval stays as it is.
///
/// A probe that is running already leaves it at that.
#[utoipa::path(
    post,
    path = "/api/v1/probes/{name}/run",
    operation_id = "run_probe",
    tag = "probes",
    params(("name" = String, Path, description = "The probe")),
    responses(
        (status = 202, description = "It will run; `latest_run` follows", body = ProbeView),
        (status = 404, description = "No such probe", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn run(
    State(app): State<Arc<App>>,
    Name(name): Name,
) -> Result<(StatusCode, Json<ProbeView>), Refusal> {
    app.takes_on_work()?;
    let view = app.known_probe(&name, app.web.scheduler.run_probe(&name))?;
    Ok((StatusCode::ACCEPTED, view))
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
    Name(name): Name,
) -> Result<Json<ProbeView>, Refusal> {
    app.known_probe(&name, app.web.scheduler.pause_probe(&name, true))
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
    Name(name): Name,
) -> Result<Json<ProbeView>, Refusal> {
    app.known_probe(&name, app.web.scheduler.pause_probe(&name, false))
}
