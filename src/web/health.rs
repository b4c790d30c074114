//! Metrics, and whether the service is well.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use tokio::sync::watch;

use super::{
    App,
    refusal::{ErrorBody, Refusal},
};

/// The Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How far the service is in its life; it only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceStage {
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
    stage: Arc<watch::Sender<ServiceStage>>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            stage: Arc::new(watch::Sender::new(ServiceStage::Starting)),
        }
    }
}

impl Readiness {
    /// Everything is listening, and the plan is installed.
    pub fn ready(&self) {
        self.advance(ServiceStage::Ready);
    }

    /// The service is ending; there is no way back.
    pub fn shutting_down(&self) {
        self.advance(ServiceStage::ShuttingDown);
    }

    /// How far the service is.
    pub fn stage(&self) -> ServiceStage {
        *self.stage.borrow()
    }

    fn advance(&self, to: ServiceStage) {
        self.stage.send_if_modified(|stage| {
            let forward = *stage < to;
            *stage = (*stage).max(to);
            forward
        });
    }
}

impl App {
    pub(super) fn stage(&self) -> ServiceStage {
        if self.closing.is_cancelled() {
            return ServiceStage::ShuttingDown;
        }
        self.web.ready.stage()
    }

    /// Refuses what would start something new in a service that is ending.
    pub(super) fn takes_on_work(&self) -> Result<(), Refusal> {
        if self.stage() == ServiceStage::ShuttingDown {
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
        (status = 200, description = "The metrics, in text format 0.0.4; gzip if the client accepts it", body = String, content_type = "text/plain"),
        (status = 500, description = "They cannot be written", body = ErrorBody),
    ),
)]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let metrics = app.web.metrics.clone();
    let compressed = accepts_gzip(&headers);
    // Thousands of series take longer than chats that wait for a worker should.
    let body = tokio::task::spawn_blocking(move || -> Result<Vec<u8>, Refusal> {
        let text = metrics.render()?.into_bytes();
        if !compressed {
            return Ok(text);
        }
        gzip(&text)
            .map_err(|error| Refusal::Internal(format!("compressing the metrics broke: {error}")))
    });
    let body = body
        .await
        .map_err(|error| Refusal::Internal(format!("writing the metrics broke: {error}")))??;
    let about = [
        (header::CONTENT_TYPE, METRICS_TYPE),
        (header::VARY, "accept-encoding"),
    ];
    if compressed {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return Ok((about, encoding, body).into_response());
    }
    Ok((about, body).into_response())
}

/// Whether the client takes gzip: it names it, without a quality of 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut codings = texts.flat_map(|text| text.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |part: &str| {
            let quality = part.strip_prefix("q=").or(part.strip_prefix("Q="));
            quality.is_some_and(|text| text.trim().parse() == Ok(0.0_f32))
        };
        named && !parts.any(refused)
    })
}

/// Fast, since it is done for every scrape: the text still shrinks to a tenth or less.
fn gzip(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
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
        ServiceStage::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        ServiceStage::Ready => (StatusCode::OK, "ready\n"),
        ServiceStage::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n"),
    }
}
