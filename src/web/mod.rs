//! What the service shows and takes over HTTP: metrics, health, a page for people, and the admin
//! API with the OpenAPI document that is generated from it.
//!
//! A request comes in over the [`crate::listener`], passes the [`gate`] that every route lies behind (time,
//! [`access`], size of the body), and is answered by the [`console`], by [`health`] or by the [`api`].
//! Whatever is refused anywhere becomes an answer in [`refusal`].

mod access;
mod api;
mod console;
mod extract;
mod gate;
mod health;
mod openapi;
mod refusal;
mod refusal_log;
mod responses;
mod session;
mod shared;
#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

pub use access::{
    Access, AccessError, NewToken, TOKEN_VARIABLE, TokenError, TokenSource, create_token,
};
pub use api::{
    BaselineList, BaselineRequest, BaselineView, BurstRequest, BurstView, ChangeRequest,
    CustomersRequest, FailureList, HourList, InputView, LoadRequest, MemberRequest, OrphanList,
    ProbeResult, ProbeView, RunList, RunSummary, ScenarioView, ScheduleView, SearchRequest,
    StageRequest, StepPart, StepView, StopRequest, TargetView, ThresholdRequest,
};
pub use health::{Readiness, ServiceStage};
pub use openapi::document;
pub use refusal::ErrorBody;

use self::{
    access::{Guesses, RefusedRequest, RequestSender},
    api::turns::Turns,
    console::Live,
    refusal_log::RefusalLog,
    session::ConsoleSessions,
    shared::SharedTexts,
};
use crate::{
    event::Observers,
    history::History,
    listener::{self, Connections, Limits, Listeners, Name},
    record::Metrics,
    scheduler::Scheduler,
};

/// Idle for longer than the interval of a usual scraper, so that it is mostly the client who closes.
const LIMITS: Limits = Limits {
    connections: 512,
    idle: Duration::from_secs(75),
    ..Limits::USUAL
};
/// Clients that follow runs, and pages that are open, at once: none takes the slots of the other, and both
/// leave some connections. What they are told is made once a second, for all of them.
const MOST_STREAMS: usize = 192;
/// How long whoever finds no slot is asked to stay away.
const PLACE_AGAIN: Duration = Duration::from_secs(10);

/// The web side of the service.
#[derive(Debug, Clone)]
pub struct Web {
    /// Starts runs, and knows those in progress.
    pub scheduler: Scheduler,
    /// Runs and failures that are kept.
    pub history: History,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Who may change something.
    pub access: Access,
    /// What `/readyz` says.
    pub ready: Readiness,
    /// Those who are told of requests that are refused.
    pub observers: Observers,
    /// How the listeners fare.
    pub listeners: Listeners,
}

/// What all requests share.
#[derive(Debug)]
struct App {
    web: Web,
    sessions: ConsoleSessions,
    /// Lines about requests that are refused, for want of the token or for their host.
    refused: RefusalLog,
    guesses: Guesses,
    live: Live,
    /// The reports of runs that are followed, by the ids of these.
    followed: SharedTexts<String>,
    turns: Turns,
    /// Of whoever looks at runs in progress.
    looks: Turns,
    /// Of requests that describe a burst.
    examinations: Turns,
    /// Slots of clients that follow a run.
    followers: Arc<Semaphore>,
    /// Slots of pages that are open.
    pages: Arc<Semaphore>,
    /// Cancelled when the listener is closing: streams end then.
    closing: CancellationToken,
}

impl App {
    fn new(web: &Web, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            web: web.clone(),
            sessions: ConsoleSessions::default(),
            refused: RefusalLog::default(),
            guesses: Guesses::default(),
            live: Live::default(),
            followed: SharedTexts::default(),
            turns: Turns::of("reports are made"),
            looks: Turns::of("runs in progress are looked at"),
            examinations: Turns::of("requests for bursts are examined"),
            followers: Arc::new(Semaphore::new(MOST_STREAMS)),
            pages: Arc::new(Semaphore::new(MOST_STREAMS)),
            closing,
        })
    }

    fn router(self: Arc<Self>) -> Router {
        let (routes, _) = openapi::routes().split_for_parts();
        gate::behind(routes, &self).with_state(self)
    }

    /// Whether a request may change something: it has the token, or it comes from a page of ours in a
    /// browser that has signed in.
    fn may_change(&self, sender: &RequestSender<'_>) -> Result<(), RefusedRequest> {
        if self.sessions.has(sender.headers) && session::is_from_here(sender.headers) {
            return Ok(());
        }
        self.web.access.check(sender, &self.guesses)
    }
}

impl Web {
    /// Serves until `shutdown`, then lets requests in flight end, for two seconds at most; streams
    /// and idle connections end at once.
    ///
    /// # Errors
    /// The listener is open to others, and there is no admin token; or it is broken.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        self.access
            .allows_listening_on(listener.local_addr()?)
            .map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error))?;
        let app = App::new(&self, shutdown.clone());
        let counters = self.listeners.of(Name::Web).clone();
        let connections = Connections::new(LIMITS, counters);
        listener::serve(listener, app.clone().router(), connections, shutdown).await;
        app.refused.tell_rest("requests refused");
        Ok(())
    }
}
