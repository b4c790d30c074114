//! The requests of the behaviour service, and the endpoints that steer and read it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Behaviours,
    faults::{BehaviourFate, BehaviourFaults, BehaviourRequest},
    readers::BehaviourQuery,
    record::{BehaviourRecord, BehaviourStatus, NewBehaviour, checked_user, read_status, refused},
    statistics::BehaviourStats,
    writer::Storing,
};
use crate::simulator::{
    answering::{self, BODY_LIMIT, RequestBody, answer, whole},
    requests::RequestRefusal,
};

/// What stands behind the path of a query.
#[derive(Debug, Default, Deserialize)]
struct QueryWords {
    status: Option<String>,
    limit: Option<String>,
    after: Option<String>,
}

/// The answer to a query.
#[derive(Debug, Serialize)]
struct QueryAnswer {
    user: String,
    status: Option<BehaviourStatus>,
    /// How many there are, whatever the limit of the answer.
    count: u64,
    records: Vec<BehaviourRecord>,
}

type Shared = State<Arc<Behaviours>>;

pub(super) fn router(behaviours: Arc<Behaviours>) -> Router {
    Router::new()
        .route("/user/status", post(store))
        .route("/{user}/query", get(query))
        .route("/stats", get(stats))
        .route("/stats/reset", post(reset_stats))
        .route("/faults", get(faults).put(replace_faults))
        .route("/healthz", get(async || "alive\n"))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(behaviours)
}

impl Behaviours {
    /// Answers one request: lets faults interfere, carries it out, counts it.
    async fn answer(
        &self,
        kind: BehaviourRequest,
        carry_out: impl AsyncFnOnce(BehaviourFate) -> Result<Response, RequestRefusal>,
    ) -> Response {
        let fate = self.draws().draw(kind);
        let entry = self.statistics.requests.open(kind);
        let carrying_out = async {
            let answer = carry_out(fate).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        };
        answer(fate.request, entry, &self.shutdown, carrying_out).await
    }
}

async fn store(State(behaviours): Shared, body: RequestBody) -> Response {
    let carry_out = async |fate: BehaviourFate| {
        let new = NewBehaviour::read(&whole(body)?, Timestamp::now())?;
        let fate = fate.write;
        let record = behaviours.writes.carry_out(Storing { new, fate }).await?;
        Ok((StatusCode::CREATED, Json(record)).into_response())
    };
    behaviours.answer(BehaviourRequest::Store, carry_out).await
}

async fn query(
    State(behaviours): Shared,
    Path(user): Path<String>,
    words: Result<Query<QueryWords>, QueryRejection>,
) -> Response {
    let carry_out = async |fate: BehaviourFate| {
        let Query(words) =
            words.map_err(|rejection| RequestRefusal::Malformed(rejection.body_text()))?;
        let most = behaviours.settings.limits.answer.get();
        let mut asked = words.read(user, most)?;
        asked.stale = fate.stale;
        let (user, status) = (asked.user.clone(), asked.status);
        let found = behaviours.queries.carry_out(asked).await?;
        if fate.stale.is_some() {
            behaviours.statistics.count(|counts| counts.stale += 1);
        }
        let answer = QueryAnswer {
            user,
            status,
            count: found.count,
            records: found.records,
        };
        Ok(Json(answer).into_response())
    };
    behaviours.answer(BehaviourRequest::Query, carry_out).await
}

impl QueryWords {
    /// `most`: records of one answer.
    fn read(self, user: String, most: u32) -> Result<BehaviourQuery, RequestRefusal> {
        checked_user(&user)?;
        let status = self.status.map(|word| read_status(&word)).transpose()?;
        let limit = self.limit.map(|limit| {
            let limit = limit
                .parse()
                .ok()
                .filter(|limit| (1..=most).contains(limit));
            limit.ok_or_else(|| refused("limit", format!("is no whole number from 1 to {most}")))
        });
        let after = self.after.map(|after| {
            let after = after.parse();
            after.map_err(|_| refused("after", "is not the id of a record"))
        });
        Ok(BehaviourQuery {
            user,
            status,
            after: after.transpose()?,
            limit: limit.transpose()?.unwrap_or(most),
            stale: None,
        })
    }
}

async fn unknown_path(State(behaviours): Shared) -> Response {
    let refuse = async |_| Err(RequestRefusal::NotFound("path"));
    behaviours.answer(BehaviourRequest::Unknown, refuse).await
}

async fn unknown_method(State(behaviours): Shared) -> Response {
    let refuse = async |_| Err(RequestRefusal::Method);
    behaviours.answer(BehaviourRequest::Unknown, refuse).await
}

async fn faults(State(behaviours): Shared) -> Json<BehaviourFaults> {
    Json(behaviours.draws().faults.clone())
}

async fn replace_faults(State(behaviours): Shared, body: RequestBody) -> Response {
    let put = |faults| behaviours.draws().faults = faults;
    answering::replace_faults(body, BehaviourFaults::validate, put)
}

async fn stats(State(behaviours): Shared) -> Json<BehaviourStats> {
    Json(behaviours.statistics.read(behaviours.census()))
}

async fn reset_stats(State(behaviours): Shared) -> StatusCode {
    behaviours.statistics.reset();
    StatusCode::NO_CONTENT
}
