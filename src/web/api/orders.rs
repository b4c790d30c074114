use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::{
    event::EndedBy,
    runner::{Order, OrderError, RunReport, Stop},
    scheduler::{OrderRefused, RunEntry},
    units::Rate,
    web::{
        App,
        extract::{PathName, Text},
        refusal::{ErrorBody, Refusal},
        responses::{Changes, OfRun},
    },
};

/// How long the answers of requests that are on their way are waited for when chats are ended now.
const ANSWERS: Duration = Duration::from_secs(10);
/// How long the `always` steps may take after that.
const CLEANUP: Duration = Duration::from_secs(10);

/// How to stop a run.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StopRequest {
    /// `false` lets chats in progress finish. `true` ends them: answers of requests that are on their way are
    /// waited for up to 10 s, then the `always` steps follow.
    pub now: bool,
}

/// What to change about a run in progress: exactly one of these.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(min_properties = 1, max_properties = 1)]
pub struct ChangeRequest {
    /// Starts from now on, such as `5/s`, `30/m` or `10/h`; for runs that start chats at a rate.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "rate")]
    #[schema(nullable = false)]
    pub rate: Option<String>,
    /// Customers from now on; for runs that keep a number of customers.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "customers"
    )]
    #[schema(nullable = false)]
    pub customers: Option<u64>,
}

/// A bare number is told which unit it lacks, and `null` is no rate.
fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(rate) => Ok(Some(rate)),
        serde_json::Value::Number(number) => Err(D::Error::custom(format!(
            "`{number}` is no rate; write for instance `{number}/s`"
        ))),
        _ => Err(D::Error::custom(
            "expected a rate; write for instance `10/s`",
        )),
    }
}

/// `null` is no number of customers.
fn customers<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(from).map(Some)
}

impl ChangeRequest {
    fn order(&self) -> Result<Order, Refusal> {
        let refused = |error: String| Refusal::Unusable {
            error,
            problems: Vec::new(),
        };
        match (&self.rate, self.customers) {
            (Some(rate), None) => rate
                .parse::<Rate>()
                .map(Order::Rate)
                .map_err(|error| refused(error.to_string())),
            (None, Some(customers)) => Ok(Order::Customers(customers)),
            _ => Err(refused(
                "exactly one of `rate` and `customers` is needed, such as `{ \"rate\": \"5/s\" }`"
                    .to_owned(),
            )),
        }
    }
}

impl App {
    /// Gives the order and returns the figures behind it.
    async fn order(&self, id: &str, order: Order) -> Result<Json<RunReport>, Refusal> {
        let RunEntry::Active(run) = self.find_run(id).await? else {
            return Err(OrderRefused::from(OrderError::Ended).into());
        };
        self.web.scheduler.order(&run, order).await?;
        Ok(Json(run.report()))
    }
}

type Accepted = (StatusCode, Json<RunReport>);

/// Stops a run: it starts no more chats.
///
/// Once no chat is due any more, a run ends by itself: then a stop counts only if it cuts a chat short, and otherwise
/// the verdict is that of any other run, and `ended_by` is `load`.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/stop",
    operation_id = "stop_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run")),
    request_body(
        description = "JSON or YAML; without a body, chats in progress finish",
        content(
            (Option<StopRequest> = "application/json", examples(
                ("finish" = (value = json!({ "now": false }))),
                ("now" = (value = json!({ "now": true }))),
            )),
            (Option<StopRequest> = "application/yaml"),
        ),
    ),
    responses(
        (status = 202, description = "The run will end; its state follows", body = RunReport),
        (status = 400, description = "The body is neither JSON nor YAML", body = ErrorBody),
        (status = 409, description = "The run has ended", body = ErrorBody),
        (status = 415, description = "The body is of another type", body = ErrorBody),
        (status = 422, description = "The body says something else", body = ErrorBody),
        OfRun,
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn stop(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
    body: Text,
) -> Result<Accepted, Refusal> {
    let StopRequest { now } = body.settings()?;
    let stop = if now {
        Stop::End {
            answers: ANSWERS,
            cleanup: CLEANUP,
        }
    } else {
        Stop::Finish
    };
    let report = app.order(&id, Order::Stop(stop, EndedBy::Operator)).await?;
    Ok((StatusCode::ACCEPTED, report))
}

/// Pauses a run: its schedule waits, chats in progress go on.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/pause",
    operation_id = "pause_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 202, description = "It starts no chats, as its state says; one that is setting up will start none", body = RunReport),
        (status = 409, description = "The run has ended or is finishing", body = ErrorBody),
        OfRun,
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn pause(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Accepted, Refusal> {
    let report = app.order(&id, Order::Pause).await?;
    Ok((StatusCode::ACCEPTED, report))
}

/// Resumes a run where its schedule stood.
#[utoipa::path(
    post,
    path = "/api/v1/runs/{id}/resume",
    operation_id = "resume_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 202, description = "It starts chats again, as its state says", body = RunReport),
        (status = 409, description = "The run has ended or is finishing", body = ErrorBody),
        OfRun,
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn resume(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
) -> Result<Accepted, Refusal> {
    let report = app.order(&id, Order::Resume).await?;
    Ok((StatusCode::ACCEPTED, report))
}

/// Changes the rate or the number of customers of a run in progress.
#[utoipa::path(
    patch,
    path = "/api/v1/runs/{id}",
    operation_id = "change_run",
    tag = "runs",
    params(("id" = String, Path, description = "The run")),
    request_body(
        description = "JSON or YAML",
        content(
            (ChangeRequest = "application/json", examples(
                ("rate" = (value = json!({ "rate": "5/s" }))),
                ("customers" = (value = json!({ "customers": 20 }))),
            )),
            (ChangeRequest = "application/yaml"),
        ),
    ),
    responses(
        (status = 200, description = "It is in force", body = RunReport),
        (status = 400, description = "The body is neither JSON nor YAML", body = ErrorBody),
        (status = 409, description = "The run has ended or is finishing, or the caps leave no capacity now", body = ErrorBody),
        (status = 415, description = "The body is of another type", body = ErrorBody),
        (status = 422, description = "The run has no such thing, or it is more than the caps allow", body = ErrorBody),
        OfRun,
        Changes,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn change(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
    body: Text,
) -> Result<Json<RunReport>, Refusal> {
    let order = body.settings::<ChangeRequest>()?.order()?;
    app.order(&id, order).await
}
