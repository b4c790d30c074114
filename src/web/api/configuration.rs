use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    scheduler::Installed,
    web::{
        App,
        refusal::{ErrorBody, Refusal},
        responses::Changes,
    },
};

/// Tells what a reload would change, and changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/reload/preview",
    operation_id = "preview_reload",
    tag = "configuration",
    responses(
        (status = 200, description = "What would change", body = Installed),
        (status = 422, description = "The configuration has problems, and would be refused", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn preview_reload(
    State(app): State<Arc<App>>,
) -> Result<Json<Installed>, Refusal> {
    let changes = app.web.scheduler.preview_reload().await;
    changes.map(Json).map_err(|problems| Refusal::Unusable {
        error: "the configuration has problems and would be refused".to_owned(),
        problems,
    })
}

/// Reads the configuration anew and puts it in force, if it has no problem at all.
#[utoipa::path(
    post,
    path = "/api/v1/reload",
    operation_id = "reload_configuration",
    tag = "configuration",
    responses(
        (status = 200, description = "It is in force, with what changed", body = Installed),
        (status = 422, description = "It has problems, and the old one stays in force", body = ErrorBody),
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn reload(
    State(app): State<Arc<App>>,
) -> Result<Json<Installed>, Refusal> {
    app.takes_on_work()?;
    let reloaded = app.web.scheduler.reload().await;
    reloaded.map(Json).map_err(|problems| Refusal::Unusable {
        error: "the configuration has problems; the old one stays in force".to_owned(),
        problems,
    })
}
