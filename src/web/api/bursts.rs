use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::BurstRequest;
use crate::{
    config::{Burst, Schedule},
    document::parse,
    runner::RunReport,
    scheduler::{BurstPreview, BurstRefused, Scheduler},
    web::{
        App,
        extract::Text,
        refusal::{ErrorBody, Refusal},
        responses::Examined,
    },
};

/// A burst in the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct BurstView {
    /// Its name.
    pub name: String,
    /// What each chat does.
    pub scenario: String,
    /// Whom it talks to.
    pub target: String,
    /// When chats start, in the words of the configuration.
    pub load: String,
    /// What decides about the verdict.
    pub thresholds: Vec<String>,
    /// The value of every input.
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    /// When it starts by itself.
    pub schedule: Option<ScheduleView>,
}

/// When a burst starts by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// Five fields.
    pub cron: String,
    /// On whose clocks.
    pub time_zone: String,
    /// The next start that is planned, RFC 3339; null if there is none.
    pub next_start: Option<String>,
}

impl BurstView {
    async fn of(burst: &Burst, scheduler: &Scheduler) -> Self {
        let schedule = match &burst.schedule {
            Some(schedule) => {
                let next = scheduler.next_start(&burst.name).await;
                Some(ScheduleView::new(schedule, next))
            }
            None => None,
        };
        let thresholds = burst.thresholds.iter();
        let subject = burst.subject();
        Self {
            name: burst.name.to_string(),
            scenario: subject.scenario.to_string(),
            target: subject.target.to_string(),
            load: burst.load.to_string(),
            thresholds: thresholds.map(ToString::to_string).collect(),
            inputs: burst.mix.inputs(),
            schedule,
        }
    }
}

impl ScheduleView {
    fn new(schedule: &Schedule, next: Option<DateTime<Utc>>) -> Self {
        Self {
            cron: schedule.text.clone(),
            time_zone: schedule.time_zone.name().to_owned(),
            next_start: next.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        }
    }
}

/// The bursts in the configuration.
#[utoipa::path(
    get,
    path = "/api/v1/bursts",
    operation_id = "list_bursts",
    tag = "bursts",
    responses((status = 200, description = "All of them", body = Vec<BurstView>)),
)]
pub(in crate::web) async fn list(State(app): State<Arc<App>>) -> Json<Vec<BurstView>> {
    let plan = app.web.scheduler.plan();
    let mut bursts = Vec::with_capacity(plan.bursts.len());
    for burst in &plan.bursts {
        bursts.push(BurstView::of(burst, &app.web.scheduler).await);
    }
    Json(bursts)
}

/// Tells what a burst would ask for, and starts nothing.
#[utoipa::path(
    post,
    path = "/api/v1/bursts/preview",
    operation_id = "preview_burst",
    tag = "bursts",
    request_body(
        description = "The same as for a start",
        content((BurstRequest = "application/json"), (BurstRequest = "application/yaml")),
    ),
    responses(
        (status = 200, description = "What would start, or why nothing would", body = BurstPreview),
        (status = 400, description = "The body is neither JSON nor YAML", body = ErrorBody),
        (status = 415, description = "The body is of another type", body = ErrorBody),
        (status = 422, description = "The body does not describe a burst; every problem is listed", body = ErrorBody),
        Examined,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn preview(
    State(app): State<Arc<App>>,
    body: Text,
) -> Result<Json<BurstPreview>, Refusal> {
    let preview = app.examined(body, Scheduler::preview_requested).await?;
    Ok(Json(preview))
}

impl App {
    /// Works on a request for a burst, whose costs take time to be counted.
    async fn examined<T: Send + 'static>(
        &self,
        body: Text,
        work: fn(&Scheduler, &str) -> Result<T, BurstRefused>,
    ) -> Result<T, Refusal> {
        let scheduler = self.web.scheduler.clone();
        let examining = move || {
            let read = parse("request", &body.0).map_err(Refusal::unreadable);
            read.and_then(|_| Ok(work(&scheduler, &body.0)?))
        };
        self.examinations.take(examining).await?
    }
}

/// Starts a burst.
#[utoipa::path(
    post,
    path = "/api/v1/bursts",
    operation_id = "start_burst",
    tag = "bursts",
    request_body(
        description = "JSON or YAML",
        content(
            (BurstRequest = "application/json", examples(
                ("configured" = (
                    summary = "One in the configuration, as it is",
                    value = json!({ "burst": "lunch-rush" }),
                )),
                ("changed" = (
                    summary = "One in the configuration with another load",
                    value = json!({ "burst": "lunch-rush", "load": { "rate": "1/s", "for": "10s" } }),
                )),
                ("ad-hoc" = (
                    summary = "One of its own",
                    value = json!({
                        "scenario": "contact-center-chat",
                        "target": "contact-center",
                        "load": { "chats": 5, "ramp": "5s" },
                        "thresholds": [{ "p95": "30s" }, { "failed": "1%", "abort": true }],
                        "inputs": { "reply_delay": "500ms" },
                        "seed": 7,
                    }),
                )),
            )),
            (BurstRequest = "application/yaml"),
        ),
    ),
    responses(
        (status = 202, description = "It started; `warnings` says what may go wrong on this machine", body = RunReport, headers(("Location" = String, description = "The run"))),
        (status = 400, description = "The body is neither JSON nor YAML", body = ErrorBody),
        (status = 409, description = "The caps leave no capacity now", body = ErrorBody),
        (status = 415, description = "The body is of another type", body = ErrorBody),
        (status = 422, description = "The body does not describe a burst; every problem is listed", body = ErrorBody),
        Examined,
    ),
    security(("admin_token" = [])),
)]
pub(in crate::web) async fn start(
    State(app): State<Arc<App>>,
    body: Text,
) -> Result<impl IntoResponse, Refusal> {
    app.takes_on_work()?;
    let run = app.examined(body, Scheduler::start_requested).await?;
    let location = format!("/api/v1/runs/{}", run.id());
    let report = Json(run.report());
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], report))
}
