//! Chats by polling alone: the requests of customers who get no events.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Centre,
    answering::{RequestBody, whole},
    requests::{ChatText, NewChat, RequestKind, RequestRefusal, read},
};

/// Which lines are asked for.
#[derive(Debug, Deserialize)]
struct LinesQuery {
    /// The number of the line that the answer begins behind.
    #[serde(default)]
    after: u32,
}

type Shared = State<Arc<Centre>>;

pub(super) fn routes() -> Router<Arc<Centre>> {
    Router::new()
        .route("/chats", post(open))
        .route("/chats/{chat}", get(state).delete(end))
        .route("/chats/{chat}/messages", get(lines).post(say))
}

async fn open(State(centre): Shared, body: RequestBody) -> Response {
    let requested = Instant::now();
    let act = |centre: &Centre| {
        let new: NewChat = read(&whole(body)?)?;
        let opened = centre.on_floor(|floor, now| floor.open_polled(new, requested, now))?;
        centre.queued.notify_waiters();
        Ok((StatusCode::CREATED, json!(opened)))
    };
    centre.answer(RequestKind::ChatOpen, act).await
}

async fn state(State(centre): Shared, Path(chat): Path<String>) -> Response {
    let act = |centre: &Centre| {
        let state = centre.on_floor(|floor, _| floor.polled(&chat))?;
        Ok((StatusCode::OK, json!(state)))
    };
    centre.answer(RequestKind::ChatState, act).await
}

async fn say(State(centre): Shared, Path(chat): Path<String>, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let ChatText { text } = read(&whole(body)?)?;
        let number = centre.on_floor(|floor, now| floor.polled_says(&chat, &text, now))?;
        Ok((StatusCode::CREATED, json!({ "number": number })))
    };
    centre.answer(RequestKind::ChatSay, act).await
}

async fn lines(
    State(centre): Shared,
    Path(chat): Path<String>,
    query: Result<Query<LinesQuery>, QueryRejection>,
) -> Response {
    let act = |centre: &Centre| {
        let malformed =
            |rejection: QueryRejection| RequestRefusal::Malformed(rejection.body_text());
        let Query(LinesQuery { after }) = query.map_err(malformed)?;
        let lines = centre.on_floor(|floor, _| floor.lines(&chat, after))?;
        Ok((StatusCode::OK, json!({ "messages": lines })))
    };
    centre.answer(RequestKind::ChatLines, act).await
}

async fn end(State(centre): Shared, Path(chat): Path<String>) -> Response {
    let act = |centre: &Centre| {
        centre.on_floor(|floor, now| floor.polled_ends(&chat, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::ChatEnd, act).await
}
