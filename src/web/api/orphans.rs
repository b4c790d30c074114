use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    runner::Orphan,
    web::{
        App,
        api::runs::PageSize,
        extract::{PathName, QueryParameters},
        refusal::{ErrorBody, Refusal},
        responses::OfRun,
    },
};

/// Which of them to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct OrphanFilter {
    /// Only those behind the chat of this number: that of the last one of the page before.
    after: Option<u64>,
    /// The first so many.
    #[param(value_type = usize, required = false, default = 100, minimum = 0, maximum = 1000)]
    limit: PageSize,
}

/// Chats of a run, and what its setup made, that may still be open at the target.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrphanList {
    /// How many the run has, what its setup made included, on whatever page. Of a run that was not interrupted the first 1,000 are listed.
    pub total: u64,
    /// By their number in the run.
    pub orphans: Vec<Orphan>,
    /// What is missing here and why, such as rows of the history that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The chats of a run that may still be open at the target, in pages: of an interrupted run all, of any other
/// the first 1,000 of which nothing confirmed that they were closed.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/orphans",
    operation_id = "list_orphans",
    tag = "runs",
    params(("id" = String, Path, description = "The run"), OrphanFilter),
    responses(
        (status = 200, description = "By their number in the run", body = OrphanList),
        (status = 400, description = "A parameter is unknown or cannot be read", body = ErrorBody),
        OfRun,
    ),
)]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
    QueryParameters(filter): QueryParameters<OrphanFilter>,
) -> Result<Json<OrphanList>, Refusal> {
    // What the document calls an int64 ends there, and so do the numbers of the file.
    if filter
        .after
        .is_some_and(|after| i64::try_from(after).is_err())
    {
        return Err(Refusal::malformed(format!(
            "after: no chat has a number beyond {}",
            i64::MAX
        )));
    }
    let report = app.report_of(&id).await?;
    let history = &app.web.history;
    let listing = history.orphans(&report, filter.after, filter.limit.get());
    let listing = listing.await?;
    Ok(Json(OrphanList {
        total: report.orphans_total.max(report.orphans.len() as u64),
        warnings: listing.warnings(),
        orphans: listing.entries,
    }))
}
