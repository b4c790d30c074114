//! Runs that have a name, for others to be held against.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::{Place, Problems},
    event::RunIdentity,
    history::{Baseline, BaselineError},
    runner::RunState,
    scenario::check_label,
    web::{
        App,
        api::{reports::PREVIOUS, runs::RunSummary},
        extract::{PathName, Text},
        refusal::{ErrorBody, Refusal},
        responses::{Changes, OfHistory},
    },
};

/// Which run gets the name.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineRequest {
    /// The id of a run that has ended.
    #[schema(required = true, min_length = 1)]
    pub run: String,
}

/// The runs that have a name.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineList {
    /// Whether there is a data directory, without which there are none.
    pub kept: bool,
    /// By their names.
    pub baselines: Vec<BaselineView>,
    /// What is missing here and why, such as rows of the history that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A run that has a name.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineView {
    /// The name.
    pub name: String,
    /// When the run got it, RFC 3339.
    pub set_at: String,
    /// The run.
    pub run: RunSummary,
    /// The id of the run that had the name before; only in the answer to the change, and if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub taken_from: Option<String>,
}

impl From<&Baseline> for BaselineView {
    fn from(baseline: &Baseline) -> Self {
        Self {
            name: baseline.name.clone(),
            set_at: baseline.set_at.clone(),
            run: RunSummary::from(&baseline.report),
            taken_from: None,
        }
    }
}

impl App {
    async fn find_baseline(&self, name: &str) -> Result<Baseline, Refusal> {
        let found = self.web.history.baseline(name).await?;
        found.ok_or_else(|| BaselineError::NoBaseline(name.to_owned()).into())
    }

    /// The id of the run that a text means: its own, or the name of a baseline.
    pub(super) async fn named_run(&self, text: &str) -> Result<String, Refusal> {
        if RunIdentity::is_id(text) {
            return Ok(text.to_owned());
        }
        let baseline = self.web.history.baseline(text).await?;
        baseline.map(|baseline| baseline.report.id).ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is neither a run nor a baseline `{text}`; `/api/v1/runs` and `/api/v1/baselines` list those that are known"
            ))
        })
    }
}

/// A name can never be taken for anything else that stands in its place.
fn check_name(name: &str) -> Result<(), Refusal> {
    let problems = Problems::default();
    let place = Place::whole("request");
    if check_label(name, &place, &problems) {
        if name == PREVIOUS {
            problems.add(
                &place,
                format!("`{PREVIOUS}` is the run before; use another name"),
            );
        }
        if RunIdentity::is_id(name) {
            problems.add(
                &place,
                format!("`{name}` reads like the id of a run; use another name"),
            );
        }
    }
    problems.into_result().map_err(Refusal::unusable)
}

/// The runs that have a name.
#[utoipa::path(
    get,
    path = "/api/v1/baselines",
    operation_id = "list_baselines",
    tag = "reports",
    responses(
        (status = 200, description = "All of them, by name", body = BaselineList),
        OfHistory,
    ),
)]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
) -> Result<Json<BaselineList>, Refusal> {
    let history = &app.web.history;
    let listing = history.baselines().await?;
    Ok(Json(BaselineList {
        kept: history.is_kept(),
        baselines: listing.entries.iter().map(BaselineView::from).collect(),
        warnings: listing.warnings(),
    }))
}

/// Gives a run that has ended a name, which it takes from the run that had it before. A run is kept as
/// long as it has a name, of which there are 100 at the most.
#[utoipa::path(
    put,
    path = "/api/v1/baselines/{name}",
    operation_id = "set_baseline",
    tag = "reports",
    params(("name" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "Up to 64 letters, digits, `-`, `_` and `.`; neither `previous` nor the id of a run")),
    request_body(
        description = "JSON or YAML",
        content(
            (BaselineRequest = "application/json"),
            (BaselineRequest = "application/yaml"),
        ),
    ),
    responses(
        (status = 200, description = "It has the name", body = BaselineView),
        (status = 400, description = "The body is neither JSON nor YAML", body = ErrorBody),
        (status = 404, description = "No such run, or nothing of it is kept", body = ErrorBody),
        (status = 409, description = "The run has not ended in order, there is no data directory, or the baselines are too many or too large", body = ErrorBody),
        (status = 415, description = "The body is of another type", body = ErrorBody),
        (status = 422, description = "The name cannot be one, or the body says something else", body = ErrorBody),
        (status = 500, description = "The history cannot be read or written", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn set(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
    body: Text,
) -> Result<Json<BaselineView>, Refusal> {
    check_name(&name)?;
    let BaselineRequest { run } = body.settings()?;
    if run.is_empty() {
        return Err(Refusal::Unusable {
            error: "which run? Send its id, such as `{ \"run\": \"ID\" }`".to_owned(),
            problems: Vec::new(),
        });
    }
    let history = &app.web.history;
    if !history.is_kept() {
        return Err(BaselineError::NotKept.into());
    }
    match app.find_run(&run).await?.state() {
        RunState::Ended => {}
        RunState::Interrupted => {
            return Err(Refusal::Conflict(format!(
                "the run `{run}` was cut off and is no measure for others; name one that ended"
            )));
        }
        _ => {
            return Err(Refusal::Conflict(format!(
                "the run `{run}` is in progress; name it once it has ended"
            )));
        }
    }
    let before = history.set_baseline(&name, &run).await?;
    tracing::info!(baseline = name, run, before, "a baseline was set");
    Ok(Json(BaselineView {
        taken_from: before.filter(|before| *before != run),
        ..BaselineView::from(&app.find_baseline(&name).await?)
    }))
}

/// Takes a name from its run, which then goes when it is its turn.
#[utoipa::path(
    delete,
    path = "/api/v1/baselines/{name}",
    operation_id = "delete_baseline",
    tag = "reports",
    params(("name" = String, Path, description = "The baseline")),
    responses(
        (status = 200, description = "What it was", body = BaselineView),
        (status = 404, description = "No such baseline", body = ErrorBody),
        (status = 409, description = "There is no data directory", body = ErrorBody),
        (status = 500, description = "The history cannot be read or written", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn delete(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
) -> Result<Json<BaselineView>, Refusal> {
    let history = &app.web.history;
    if !history.is_kept() {
        return Err(BaselineError::NotKept.into());
    }
    let baseline = app.find_baseline(&name).await?;
    let run = history.delete_baseline(&name).await?;
    tracing::info!(baseline = name, run, "a baseline was deleted");
    Ok(Json(BaselineView::from(&baseline)))
}
