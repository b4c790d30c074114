//! Metrics, and whether the service is well.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use tokio::sync::watch;

use super::{
    App,
    refusal::{ErrorBody, Refusal},
};

/// The Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How far the service is in its life; it only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Something is not listening yet, or the plan is not installed.
    Starting,
    /// Everything is in place.
    Ready,
    /// Nothing new is taken on.
    ShuttingDown,
}

/// Whether the service is ready. Clones share it.
#[derive(Debug, Clone)]
pub struct Readiness {
    stage: Arc<watch::Sender<Stage>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            stage: Arc::new(watch::Sender::new(Stage::Starting)),
        }
    }
}

impl Readiness {
    /// Everything is listening, and the plan is installed.
    pub fn ready(&self) {
        self.advance(Stage::Ready);
    }

    /// The service is ending; there is no way back.
    pub fn shutting_down(&self) {
        self.advance(Stage::ShuttingDown);
    }

    /// How far the service is.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = (*stage).max(to);
            forward
        });
    }
}

impl App {
    pub(super) fn stage(&self) -> Stage {
        if self.closing.is_cancelled() {
            return Stage::ShuttingDown;
        }
        self.web.ready.stage()
    }

    /// Refuses what would start something new in a service that is ending.
    pub(super) fn takes_on_work(&self) -> Result<(), Refusal> {
        if self.stage() == Stage::ShuttingDown {
            let error = "the service is shutting down and starts nothing any more";
            return Err(Refusal::Unavailable(error.to_owned()));
        }
        Ok(())
    }
}

/// Everything measured, in the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "show_metrics",
    tag = "health",
    responses(
        (status = 200, description = "The metrics, in text format 0.0.4", body = String, content_type = "text/plain"),
        (status = 500, description = "They cannot be written", body = ErrorBody),
    ),
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Refusal> {
    let metrics = app.web.metrics.clone();
    // Thousands of series take longer than chats that wait for a worker should.
    let text = tokio::task::spawn_blocking(move || metrics.render())
        .await
        .map_err(|error| Refusal::Internal(format!("writing the metrics broke: {error}")))??;
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], text))
}

/// Whether the process serves at all.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "show_health",
    tag = "health",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")),
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether everything is listening and the configuration is in force.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "show_readiness",
    tag = "health",
    responses(
        (status = 200, description = "It is", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or not any more, with a word why", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.stage() {
        Stage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Stage::Ready => (StatusCode::OK, "ready\n"),
        Stage::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    }
}
