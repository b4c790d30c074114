//! The requests of agents who act by hand.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{
    Centre, agent_socket,
    answering::{RequestBody, whole},
    floor::Floor,
    requests::{AgentChat, AgentName, AgentText, RequestKind, RequestRefusal, read},
    shift::Offer,
};
use crate::units::duration;

/// How long a request may wait for a chat, at most.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How long to wait for a chat.
#[derive(Debug, Deserialize)]
struct WaitingQuery {
    #[serde(default, with = "duration")]
    wait: Duration,
}

/// Who opens a socket.
#[derive(Debug, Deserialize)]
struct AttendantQuery {
    agent: String,
}

type Shared = State<Arc<Centre>>;

pub(super) fn routes() -> Router<Arc<Centre>> {
    Router::new()
        .route("/agent/login", post(log_in))
        .route("/agent/logout", post(log_out))
        .route("/agent/waiting", get(waiting))
        .route("/agent/accept", post(accept))
        .route("/agent/say", post(say))
        .route("/agent/end", post(end))
        .route("/agent/socket", get(socket))
}

fn malformed(rejection: &QueryRejection) -> RequestRefusal {
    RequestRefusal::Malformed(rejection.body_text())
}

async fn log_in(State(centre): Shared, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let AgentName { agent } = read::<AgentName>(&whole(body)?)?.checked()?;
        let chats = centre.on_floor(|floor, _| floor.log_in(&agent))?;
        Ok((StatusCode::OK, json!({ "agent": agent, "chats": chats })))
    };
    centre.answer(RequestKind::AgentLogin, act).await
}

async fn log_out(State(centre): Shared, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let AgentName { agent } = read(&whole(body)?)?;
        centre.on_floor(|floor, now| floor.log_out(&agent, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::AgentLogout, act).await
}

async fn waiting(
    State(centre): Shared,
    query: Result<Query<WaitingQuery>, QueryRejection>,
) -> Response {
    let offers = match &query {
        Ok(Query(query)) => centre.offers_within(query.wait.min(LONGEST_WAIT)).await,
        Err(_) => Vec::new(),
    };
    let act = |_: &Centre| match query {
        Ok(_) => Ok((StatusCode::OK, json!({ "chats": offers }))),
        Err(rejection) => Err(malformed(&rejection)),
    };
    centre.answer(RequestKind::AgentWaiting, act).await
}

impl Centre {
    /// The chats that wait, as soon as there are any, or none after this time.
    async fn offers_within(&self, time: Duration) -> Vec<Offer> {
        let deadline = Instant::now() + time;
        loop {
            // Before the look, so that no chat is missed that comes behind it.
            let queued = self.queued.notified();
            tokio::pin!(queued);
            queued.as_mut().enable();
            let offers = self.on_floor(|floor, _| floor.offers());
            if !offers.is_empty() {
                return offers;
            }
            let waiting = self
                .shutdown
                .run_until_cancelled(timeout_at(deadline, queued));
            match waiting.await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return offers,
            }
        }
    }
}

async fn accept(State(centre): Shared, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let AgentChat { agent, chat } = read(&whole(body)?)?;
        let accept = |floor: &mut Floor, now| floor.accept(&agent, chat.as_deref(), now);
        let accepted = centre.on_floor(accept)?;
        Ok((StatusCode::OK, json!(accepted)))
    };
    centre.answer(RequestKind::AgentAccept, act).await
}

async fn say(State(centre): Shared, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let AgentText { agent, chat, text } = read(&whole(body)?)?;
        let write = |floor: &mut Floor, now| floor.agent_writes(&agent, &chat, text, now);
        let number = centre.on_floor(write)?;
        Ok((StatusCode::OK, json!({ "number": number })))
    };
    centre.answer(RequestKind::AgentSay, act).await
}

async fn end(State(centre): Shared, body: RequestBody) -> Response {
    let act = |centre: &Centre| {
        let AgentChat { agent, chat } = read(&whole(body)?)?;
        let chat = chat.ok_or(RequestRefusal::NotFound("`chat` in the body"))?;
        centre.on_floor(|floor, now| floor.agent_ends(&agent, &chat, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::AgentEnd, act).await
}

/// Logs an agent in who acts at a socket.
async fn socket(
    State(centre): Shared,
    query: Result<Query<AttendantQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let agent = match query {
        Ok(Query(AttendantQuery { agent })) => AgentName { agent }.checked(),
        Err(rejection) => Err(malformed(&rejection)),
    };
    match agent {
        Ok(AgentName { agent }) => agent_socket::handshake(&centre, &agent, &headers),
        Err(refusal) => refusal.into_response(),
    }
}
