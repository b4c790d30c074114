//! Pages that change, as server-sent events once a second.
//!
//! `configuration` says which configuration is in force, `page` has the parts of the page that change, `samples` those
//! of a run with the number of the next one as id, and `over` says that no more of them will come.

mod open_page;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream::unfold;
use maud::Markup;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use self::open_page::{OpenPage, OpenRun};
use super::{
    followed::configuration_of,
    frame::{Viewer, as_text},
    probe,
    runs::{self, HistoryFilter},
};
use crate::web::{
    App, MOST_STREAMS, PLACE_AGAIN,
    api::history::HourFilter,
    extract::{PathName, QueryParameters},
    refusal::Refusal,
    shared::SharedTexts,
};

const EVERY: Duration = Duration::from_secs(1);
/// Keeps proxies from closing a stream that says nothing, and tells the page that the service is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The pages that were rendered last, for everybody who looks at the same page with the same rights.
#[derive(Debug, Default)]
pub(in crate::web) struct Live(SharedTexts<(String, Viewer)>);

impl Live {
    /// The page as it is, or was within the last second. `None` if it could not be rendered now.
    async fn get(
        &self,
        app: &App,
        page: &str,
        viewer: Viewer,
        render: impl FnOnce() -> Markup + Send + 'static,
    ) -> Option<Arc<str>> {
        let render = || app.looks.take(move || as_text(render()));
        self.0.get((page.to_owned(), viewer), render).await.ok()
    }
}

/// What is going on.
pub(super) async fn now(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let permit = permit(&app)?;
    Ok(stream(app, permit, (viewer, headers), OpenPage::Now))
}

/// What is loaded.
pub(super) async fn configuration(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let permit = permit(&app)?;
    Ok(stream(
        app,
        permit,
        (viewer, headers),
        OpenPage::Configuration,
    ))
}

/// A run.
pub(super) async fn run(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    PathName(id): PathName,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // Before the work that an open page is.
    let permit = permit(&app)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let next = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    let open = OpenRun::of(&app, &id, next).await?;
    Ok(stream(
        app,
        permit,
        (viewer, headers),
        OpenPage::Run(Box::new(open)),
    ))
}

/// A probe.
pub(super) async fn probe(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    PathName(name): PathName,
    QueryParameters(filter): QueryParameters<HourFilter>,
) -> Result<Response, Refusal> {
    let permit = permit(&app)?;
    let open = probe::OpenProbe::of(&app, &name, filter).await?;
    Ok(stream(
        app,
        permit,
        (viewer, headers),
        OpenPage::Probe(Arc::new(open)),
    ))
}

/// The history.
pub(super) async fn runs(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    headers: HeaderMap,
    QueryParameters(filter): QueryParameters<HistoryFilter>,
) -> Result<Response, Refusal> {
    let permit = permit(&app)?;
    let open = runs::OpenHistory::of(&app, filter).await?;
    Ok(stream(
        app,
        permit,
        (viewer, headers),
        OpenPage::Runs(Arc::new(open)),
    ))
}

fn permit(app: &App) -> Result<OwnedSemaphorePermit, Refusal> {
    let permit = app.pages.clone().try_acquire_owned();
    permit.map_err(|_| Refusal::Busy {
        error: format!("{MOST_STREAMS} pages are open already; close one"),
        again: PLACE_AGAIN,
    })
}

fn stream(
    app: Arc<App>,
    permit: OwnedSemaphorePermit,
    (viewer, headers): (Viewer, HeaderMap),
    page: OpenPage,
) -> Response {
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = PageFollower {
        app,
        viewer,
        headers,
        page,
        ticks,
        configuration: None,
        shown: None,
        looked: false,
        _permit: permit,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let events = unfold(look, PageFollower::next);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// One page that somebody looks at.
struct PageFollower {
    app: Arc<App>,
    viewer: Viewer,
    /// Of the request, with the session if there is one.
    headers: HeaderMap,
    page: OpenPage,
    ticks: Interval,
    /// The one that was told last.
    configuration: Option<String>,
    shown: Option<Arc<str>>,
    /// Since the last tick.
    looked: bool,
    _permit: OwnedSemaphorePermit,
}

impl PageFollower {
    /// The next event; `None` when the listener is closing.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.configuration() {
                return Some((Ok(event), self));
            }
            if let Some(event) = self.page.samples(&self.app).await {
                return Some((Ok(event), self));
            }
            if let Some(event) = self.changed().await {
                return Some((Ok(event), self));
            }
            if let Some(event) = self.page.over() {
                return Some((Ok(event), self));
            }
            self.wait().await?;
        }
    }

    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            biased;
            () = self.app.closing.cancelled() => return None,
            () = self.page.ended() => {}
            _ = self.ticks.tick() => {}
        }
        self.viewer = self.viewer.renewed(&self.app, &self.headers);
        self.page.look_again();
        self.looked = false;
        Some(())
    }

    fn configuration(&mut self) -> Option<Event> {
        let in_force = configuration_of(&self.app);
        if self.configuration.as_ref() == Some(&in_force) {
            return None;
        }
        let event = Event::default().event("configuration").data(&in_force);
        self.configuration = Some(in_force);
        Some(event)
    }

    /// The page, if it is not as it was shown last.
    async fn changed(&mut self) -> Option<Event> {
        if std::mem::replace(&mut self.looked, true) {
            return None;
        }
        let html = self.page.render(&self.app, self.viewer).await?;
        if self.shown.as_ref() == Some(&html) {
            return None;
        }
        self.shown = Some(html.clone());
        Some(Event::default().event("page").data(&*html))
    }
}
