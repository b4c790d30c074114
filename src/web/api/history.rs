//! What is kept of runs and failures.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    event::Mode,
    history::{FailureQuery, FailureReport, FailureSummary, HourQuery, ProbeHour},
    web::{
        App,
        api::runs::PageSize,
        extract::{PathName, QueryParameters},
        refusal::{ErrorBody, Refusal},
        responses::OfHistory,
    },
};

/// Which failures to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct FailureFilter {
    /// Only those of this run.
    run: Option<String>,
    /// Only those of the probe or burst of this name.
    name: Option<String>,
    /// Only those of this scenario.
    scenario: Option<String>,
    /// Only those against this target.
    target: Option<String>,
    /// Only those of probes, or of bursts.
    mode: Option<Mode>,
    /// Only those before the failure of this id: that of the last one of the page before.
    before: Option<String>,
    /// The latest so many.
    #[param(value_type = usize, required = false, default = 100, minimum = 0, maximum = 1000)]
    limit: PageSize,
}

/// Which hours to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct HourFilter {
    /// Only those before this time, RFC 3339.
    #[param(format = DateTime)]
    before: Option<String>,
    /// The latest so many.
    #[param(value_type = usize, required = false, default = 100, minimum = 0, maximum = 1000)]
    limit: PageSize,
}

impl HourFilter {
    /// Those of a probe.
    pub(in crate::web) fn query(self, name: &str) -> Result<HourQuery, Refusal> {
        let before = self.before.map(|text| {
            let time = text.parse::<jiff::Timestamp>();
            time.map_err(|_| {
                Refusal::malformed(format!(
                    "before: `{text}` is no time; write for instance `2026-05-04T12:00:00Z`"
                ))
            })
        });
        Ok(HourQuery {
            name: name.to_owned(),
            before: before.transpose()?.map(jiff::Timestamp::as_second),
            limit: self.limit.get(),
        })
    }
}

/// Failed chats that are kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureList {
    /// The latest first.
    pub failures: Vec<FailureSummary>,
    /// What is missing here and why, such as rows of the history that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Hours of a probe that are kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct HourList {
    /// The latest first.
    pub hours: Vec<ProbeHour>,
    /// What is missing here and why, such as rows of the history that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Failed chats of probes and bursts: the last 24 of every scenario, target and mode; with a data
/// directory also those before, of a burst's run the last 24.
#[utoipa::path(
    get,
    path = "/api/v1/failures",
    operation_id = "list_failures",
    tag = "runs",
    params(FailureFilter),
    responses(
        (status = 200, description = "The latest first", body = FailureList),
        (status = 400, description = "A parameter is unknown or cannot be read", body = ErrorBody),
        OfHistory,
    ),
)]
pub(in crate::web) async fn failures(
    State(app): State<Arc<App>>,
    QueryParameters(filter): QueryParameters<FailureFilter>,
) -> Result<Json<FailureList>, Refusal> {
    let query = FailureQuery {
        run: filter.run,
        name: filter.name,
        scenario: filter.scenario,
        target: filter.target,
        mode: filter.mode,
        before: filter.before,
        limit: filter.limit.get(),
    };
    let listing = app.web.history.list_failures(query).await?;
    Ok(Json(FailureList {
        warnings: listing.warnings(),
        failures: listing.entries,
    }))
}

/// A failed chat, step by step: what it sent, what was answered, which events came, and when. Secrets
/// are masked.
#[utoipa::path(
    get,
    path = "/api/v1/failures/{id}",
    operation_id = "show_failure",
    tag = "runs",
    params(("id" = String, Path, description = "The failure")),
    responses(
        (status = 200, description = "The explanation", body = FailureReport),
        (status = 404, description = "No such failure", body = ErrorBody),
        OfHistory,
    ),
)]
pub(in crate::web) async fn failure(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Json<FailureReport>, Refusal> {
    Ok(Json(app.find_failure(&id).await?))
}

impl App {
    pub(in crate::web) async fn find_failure(&self, id: &str) -> Result<FailureReport, Refusal> {
        let found = self.web.history.failure(id).await?;
        found.ok_or_else(|| {
            Refusal::NotFound(format!(
                "there is no failure `{id}`, or later ones have taken its place; `/api/v1/failures` lists those that are kept"
            ))
        })
    }
}

/// What a probe did, hour by hour. There are none without a data directory.
#[utoipa::path(
    get,
    path = "/api/v1/probes/{name}/hours",
    operation_id = "list_hours",
    tag = "probes",
    params(("name" = String, Path, description = "The probe"), HourFilter),
    responses(
        (status = 200, description = "The latest first", body = HourList),
        (status = 400, description = "A parameter is unknown or cannot be read", body = ErrorBody),
        (status = 404, description = "No such probe, now or in what is kept", body = ErrorBody),
        OfHistory,
    ),
)]
pub(in crate::web) async fn hours(
    State(app): State<Arc<App>>,
    PathName(name): PathName,
    QueryParameters(filter): QueryParameters<HourFilter>,
) -> Result<Json<HourList>, Refusal> {
    let query = filter.query(&name)?;
    let listing = app.web.history.hours(query).await?;
    let warnings = listing.warnings();
    let hours = listing.entries;
    let plan = app.web.scheduler.plan();
    if hours.is_empty()
        && warnings.is_empty()
        && !plan.probes.iter().any(|probe| *probe.name == *name)
    {
        return Err(Refusal::NotFound(format!(
            "there is no probe `{name}`, and nothing of one is kept"
        )));
    }
    Ok(Json(HourList { hours, warnings }))
}
