//! A run as it goes on, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::unfold;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    runner::RunReport,
    scheduler::RunEntry,
    web::{
        App, MOST_STREAMS, PLACE_AGAIN,
        extract::PathName,
        refusal::{ErrorBody, Refusal},
        responses::OfRun,
    },
};

const EVERY: Duration = Duration::from_secs(1);
/// Keeps proxies from closing a stream that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The id of the last event; earlier ones are counted from one.
const LAST: &str = "end";

/// One client that follows one run. Nothing is kept for it: a report is made when the connection
/// takes one, for all who follow the run.
struct Follower {
    app: Arc<App>,
    run: RunEntry,
    ticks: Interval,
    sent: u64,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// Waits until there is something to say; `None` when all is said.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.over {
            return None;
        }
        loop {
            let over = match &self.run {
                RunEntry::Ended(_) => true,
                RunEntry::Active(run) => tokio::select! {
                    biased;
                    () = self.app.closing.cancelled() => return None,
                    () = run.ended() => true,
                    _ = self.ticks.tick() => false,
                },
            };
            // If it cannot be had now, it is tried again.
            if let Some(report) = self.report(over).await {
                self.sent += 1;
                self.over = over;
                let id = if over {
                    LAST.to_owned()
                } else {
                    self.sent.to_string()
                };
                let event = Event::default().event("report").id(id).data(&*report);
                return Some((Ok(event), self));
            }
        }
    }

    /// The report as JSON: the last one, or one that may be a second old.
    async fn report(&self, last: bool) -> Option<Arc<str>> {
        let run = self.run.clone();
        // A report has nothing in it that JSON cannot say.
        let make = move || serde_json::to_string(&*run.report()).unwrap_or_default();
        if last {
            return self.app.looks.take(make).await.ok().map(Arc::from);
        }
        let id = self.run.id().to_owned();
        let shared = self.app.followed.get(id, || self.app.looks.take(make));
        shared.await.ok()
    }
}

/// Follows a run.
///
/// Events of type `report`: the run's report as JSON, once a second while it is in progress and
/// once when it has ended; then the stream closes. A report of a run in progress may be a second old, because
/// all who follow the run get the same. The id of the last event is `end`, and a client
/// that connects again with `Last-Event-ID: end` is answered with 204, which keeps browsers from
/// connecting for ever.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/events",
    operation_id = "follow_run",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the client has seen"),
    ),
    responses(
        (status = 200, description = "The reports", body = RunReport, content_type = "text/event-stream"),
        (status = 204, description = "The client has seen the last one"),
        OfRun,
        (status = 503, description = "Too many clients follow runs, or the service is shutting down", body = ErrorBody),
    ),
)]
pub(in crate::web) async fn follow(
    State(app): State<Arc<App>>,
    PathName(id): PathName,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = app.find_run(&id).await?;
    if headers.get("last-event-id").is_some_and(|id| id == LAST) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let permit = app.followers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::Busy {
        error: format!(
            "{MOST_STREAMS} clients follow runs already; close one, or ask for `/api/v1/runs/{id}`"
        ),
        again: PLACE_AGAIN,
    })?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        app: app.clone(),
        run,
        ticks,
        sent: 0,
        over: false,
        _permit: permit,
    };
    let stream = unfold(follower, Follower::next);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(stream).keep_alive(keep_alive).into_response())
}
