//! The HTTP side of the rooms: the page, the handshake, and the endpoints that steer and read them.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    faults::{RoomFaults, SentCode},
    handshake::handshake,
    house::{House, RoomCensus},
    statistics::RoomCounts,
};
use crate::simulator::{
    answering::{self, BODY_LIMIT, RequestBody},
    requests::{RequestRefusal, read},
};

/// Nothing but our own style, script and socket: whatever somebody says, it is text.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What `GET /stats` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoomStats {
    /// Seconds since the start or the last reset.
    pub since_seconds: f64,
    /// What was counted since then.
    #[serde(flatten)]
    pub counts: RoomCounts,
    /// What is open at this moment.
    pub now: RoomCensus,
}

/// What `POST /sockets/close` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseOrder {
    code: SentCode,
}

type Shared = State<Arc<House>>;

pub(super) fn router(house: Arc<House>) -> Router {
    let page = || file("text/html; charset=utf-8", include_str!("page/page.html"));
    let style = || file("text/css; charset=utf-8", include_str!("page/page.css"));
    let script = || {
        file(
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        )
    };
    Router::new()
        .route("/", get(async move || page()))
        .route("/page.css", get(async move || style()))
        .route("/page.js", get(async move || script()))
        .route("/websocket", get(handshake))
        .route("/stats", get(stats))
        .route("/stats/reset", post(reset_stats))
        .route("/faults", get(faults).put(replace_faults))
        .route("/sockets/close", post(close_sockets))
        .route("/subscription/kill", post(kill_subscription))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(house)
}

/// A file of the page.
fn file(kind: &'static str, text: &'static str) -> ([(HeaderName, &'static str); 4], &'static str) {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text)
}

async fn stats(State(house): Shared) -> Json<RoomStats> {
    let now = house.census();
    let (counts, since_seconds) = house.statistics.read();
    Json(RoomStats {
        since_seconds,
        counts,
        now,
    })
}

async fn reset_stats(State(house): Shared) -> StatusCode {
    house.statistics.reset();
    StatusCode::NO_CONTENT
}

async fn faults(State(house): Shared) -> Json<RoomFaults> {
    Json(house.faults())
}

async fn replace_faults(State(house): Shared, body: RequestBody) -> Response {
    let put = |faults| house.replace_faults(faults);
    answering::replace_faults(body, RoomFaults::validate, put)
}

/// Closes all sockets that are open now.
async fn close_sockets(State(house): Shared, body: Bytes) -> Response {
    match read::<CloseOrder>(&body) {
        Ok(CloseOrder { code }) => Json(json!({ "closed": house.close_all(code) })).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Ends the subscription at Redis that there is now.
async fn kill_subscription(State(house): Shared) -> Response {
    let shared = house.shared.as_ref();
    match shared.filter(|shared| shared.is_subscribed()) {
        Some(shared) => {
            shared.kill_subscription();
            StatusCode::NO_CONTENT.into_response()
        }
        None => RequestRefusal::NotFound("subscription").into_response(),
    }
}

/// Ready is a backend whose clients hear what is said: with a Redis, one that is subscribed there.
async fn ready(State(house): Shared) -> (StatusCode, &'static str) {
    let shared = house.shared.as_ref();
    if house.shutdown.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "ending\n")
    } else if shared.is_some_and(|shared| !shared.is_subscribed()) {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "no subscription at Redis\n",
        )
    } else {
        (StatusCode::OK, "ready\n")
    }
}
