//! The HTTP side: the contract's requests, and the endpoints that steer and read the simulator.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Centre;
use super::answering::{self, BODY_LIMIT, RequestBody, answer, whole};
use super::delivery::Traffic;
use super::faults::Faults;
use super::floor::Census;
use super::ids::Party;
use super::requests::{
    Disconnection, Message, NewEngagement, NewSession, NewWebhook, RequestKind, RequestRefusal,
    Termination, read,
};
use super::statistics::Counts;
use super::{agent_api, chat_api};

/// What `GET /stats` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stats {
    /// What was counted since the start or the last reset.
    #[serde(flatten)]
    pub counts: Counts,
    /// What is open at this moment.
    pub now: Census,
    /// Events on their way at this moment.
    pub deliveries: Traffic,
}

type Shared = State<Arc<Centre>>;

pub(super) fn router(centre: Arc<Centre>) -> Router {
    let base = "/api/digital/v1";
    let providers = format!("{base}/channel-providers/{{provider}}/webhooks");
    Router::new()
        .route(&providers, post(webhook_create))
        .route(&format!("{providers}/{{webhook}}"), delete(webhook_delete))
        .route(&format!("{base}/sessions"), post(session_create))
        .route(
            &format!("{base}/sessions/{{verb}}"),
            post(session_terminate),
        )
        .route(&format!("{base}/engagements"), post(engagement_create))
        .route(
            &format!("{base}/engagements/{{verb}}"),
            get(participant_get).post(engagement_disconnect),
        )
        .route(
            &format!("{base}/engagements/{{engagement}}/messages"),
            post(message),
        )
        .merge(agent_api::routes())
        .merge(chat_api::routes())
        .route("/faults", get(faults).put(replace_faults))
        .route("/stats", get(stats))
        .route("/stats/reset", post(reset_stats))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(centre)
}

impl Centre {
    /// Answers one request of the contract: lets faults interfere, carries it out, counts it.
    pub(super) async fn answer<F>(&self, kind: RequestKind, act: F) -> Response
    where
        F: FnOnce(&Self) -> Result<(StatusCode, Value), RequestRefusal>,
    {
        let fate = self.on_floor(|floor, _| floor.request_fate(kind));
        let entry = self.statistics.requests.open(kind);
        let carry_out = async {
            match act(self) {
                Ok((status, body)) => (status, Json(body)).into_response(),
                Err(refusal) => refusal.into_response(),
            }
        };
        answer(fate, entry, &self.shutdown, carry_out).await
    }

    /// The status of a success that creates something.
    fn created(&self, kind: RequestKind) -> StatusCode {
        if self.settings.quirks.ok_for_created.contains(&kind) {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        }
    }
}

async fn webhook_create(
    State(centre): Shared,
    Path(provider): Path<String>,
    body: RequestBody,
) -> Response {
    let kind = RequestKind::WebhookCreate;
    let act = |centre: &Centre| {
        let [new]: [NewWebhook; 1] = read(&whole(body)?)?;
        let number = centre.on_floor(|floor, _| floor.webhooks().register(provider, new))?;
        let id = if centre.settings.quirks.numeric_ids {
            json!(number)
        } else {
            json!(format!("wh-{number}"))
        };
        Ok((centre.created(kind), json!({ "webhookId": id })))
    };
    centre.answer(kind, act).await
}

async fn webhook_delete(
    State(centre): Shared,
    Path((provider, webhook)): Path<(String, String)>,
) -> Response {
    let act = |centre: &Centre| {
        let digits = if centre.settings.quirks.numeric_ids {
            Some(webhook.as_str())
        } else {
            webhook.strip_prefix("wh-")
        };
        let number = digits
            .and_then(|digits| digits.parse().ok())
            .ok_or(RequestRefusal::NotFound("webhook"))?;
        centre.on_floor(|floor, _| floor.webhooks().remove(&provider, number))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::WebhookDelete, act).await
}

async fn session_create(State(centre): Shared, body: RequestBody) -> Response {
    let kind = RequestKind::SessionCreate;
    let act = |centre: &Centre| {
        read::<NewSession>(&whole(body)?)?;
        let session = centre.on_floor(super::floor::Floor::open_session)?;
        Ok((centre.created(kind), json!({ "sessionId": session.text() })))
    };
    centre.answer(kind, act).await
}

async fn session_terminate(
    State(centre): Shared,
    Path(verb): Path<String>,
    body: RequestBody,
) -> Response {
    let Some(session) = verb.strip_suffix(":terminate") else {
        return unknown_path(State(centre)).await;
    };
    let act = |centre: &Centre| {
        read::<Termination>(&whole(body)?)?;
        centre.on_floor(|floor, now| floor.terminate(session, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::SessionTerminate, act).await
}

async fn engagement_create(State(centre): Shared, body: RequestBody) -> Response {
    let requested = Instant::now();
    let act = |centre: &Centre| {
        let new: NewEngagement = read(&whole(body)?)?;
        let session = new.session_id.clone();
        let id = centre.on_floor(|floor, now| floor.open_chat(new, requested, now))?;
        centre.queued.notify_waiters();
        let engagement = id.text(centre.settings.quirks.numeric_ids);
        let answer = if centre.settings.quirks.sparse_answers {
            json!({ "engagementId": engagement })
        } else {
            json!({
                "engagementId": engagement,
                "sessionId": session,
                "dialogId": id.dialog(),
                "correlationId": id.correlation(),
            })
        };
        Ok((StatusCode::OK, answer))
    };
    centre.answer(RequestKind::EngagementCreate, act).await
}

async fn participant_get(State(centre): Shared, Path(engagement): Path<String>) -> Response {
    let act = |centre: &Centre| {
        let (id, session) = centre
            .on_floor(|floor, _| floor.find(&engagement).map(|chat| (chat.id, chat.session)))?;
        let answer = json!({
            "engagementId": engagement,
            "sessionId": session.text(),
            "dialogs": [{
                "dialogId": id.dialog(),
                "sourceParticipantId": id.participant(Party::Customer),
            }],
        });
        Ok((StatusCode::OK, answer))
    };
    centre.answer(RequestKind::ParticipantGet, act).await
}

async fn engagement_disconnect(
    State(centre): Shared,
    Path(verb): Path<String>,
    body: RequestBody,
) -> Response {
    let Some(engagement) = verb.strip_suffix(":disconnect") else {
        return unknown_path(State(centre)).await;
    };
    let act = |centre: &Centre| {
        let disconnection: Disconnection = read(&whole(body)?)?;
        centre
            .on_floor(|floor, now| floor.disconnect(engagement, &disconnection.session_id, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(RequestKind::EngagementDisconnect, act).await
}

async fn message(
    State(centre): Shared,
    Path(engagement): Path<String>,
    body: RequestBody,
) -> Response {
    let message = whole(body).and_then(|body| read::<Message>(&body));
    let kind = match &message {
        Ok(message) if message.is_bye() => RequestKind::InteractEnd,
        _ => RequestKind::SendChat,
    };
    let act = |centre: &Centre| {
        let message = message?;
        centre.on_floor(|floor, now| floor.message(&engagement, &message, now))?;
        Ok((StatusCode::OK, json!({})))
    };
    centre.answer(kind, act).await
}

async fn unknown_path(State(centre): Shared) -> Response {
    centre
        .answer(RequestKind::Unknown, |_| {
            Err(RequestRefusal::NotFound("path"))
        })
        .await
}

async fn unknown_method(State(centre): Shared) -> Response {
    centre
        .answer(RequestKind::Unknown, |_| Err(RequestRefusal::Method))
        .await
}

async fn faults(State(centre): Shared) -> Json<Faults> {
    Json(centre.on_floor(|floor, _| floor.faults().clone()))
}

async fn replace_faults(State(centre): Shared, body: RequestBody) -> Response {
    let put = |faults| centre.on_floor(|floor, _| floor.replace_faults(faults));
    answering::replace_faults(body, Faults::validate, put)
}

async fn stats(State(centre): Shared) -> Json<Stats> {
    let now = centre.on_floor(|floor, _| floor.census());
    Json(Stats {
        counts: centre.statistics.counts(),
        now,
        deliveries: centre.queue.traffic(),
    })
}

async fn reset_stats(State(centre): Shared) -> StatusCode {
    centre.statistics.reset();
    StatusCode::NO_CONTENT
}
