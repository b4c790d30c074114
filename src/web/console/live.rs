//! Pages that change, as server-sent events once a second.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
    time::{Instant, Interval, MissedTickBehavior, interval},
};

use super::{
    frame::{Viewer, as_text},
    now, run,
};
use crate::{
    runner::{RunRecord, Sample},
    scheduler::RunEntry,
    web::{App, MOST_STREAMS, PLACE_AGAIN, extract::Name, refusal::Refusal},
};

const EVERY: Duration = Duration::from_secs(1);
/// What was rendered is taken by all who ask within this time.
const FRESH: Duration = Duration::from_millis(900);
/// Keeps proxies from closing a stream that says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Pages that are kept; more are rendered for whoever asks.
const MOST_KEPT: usize = 256;
/// Samples in one event: a page that is opened late gets them in some pieces.
const SAMPLES: usize = 600;

/// What was rendered last, for everybody who looks at the same page with the same rights.
#[derive(Debug, Default)]
pub(in crate::web) struct Live(Mutex<HashMap<(String, Viewer), Rendered>>);

#[derive(Debug)]
struct Rendered {
    at: Instant,
    html: Arc<str>,
}

impl Live {
    fn get(&self, page: &str, viewer: Viewer, render: impl FnOnce() -> Markup) -> Arc<str> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (page.to_owned(), viewer);
        if let Some(rendered) = kept.get(&key)
            && rendered.at.elapsed() < FRESH
        {
            return rendered.html.clone();
        }
        let html: Arc<str> = as_text(render()).into();
        kept.retain(|_, rendered| rendered.at.elapsed() < FRESH);
        if kept.len() < MOST_KEPT {
            let (at, html) = (Instant::now(), html.clone());
            kept.insert(key, Rendered { at, html });
        }
        html
    }
}

/// One page that somebody looks at.
struct Look {
    app: Arc<App>,
    viewer: Viewer,
    run: Option<RunEntry>,
    /// Of a run that was over when the page was opened, everything.
    record: Option<Arc<RunRecord>>,
    ticks: Interval,
    shown: Option<Arc<str>>,
    /// The number of the next sample.
    next: u64,
    /// Samples come before the page that belongs to them.
    samples_told: bool,
    over: bool,
    /// That it is over was told, too.
    closed: bool,
    _place: OwnedSemaphorePermit,
}

/// What is going on.
pub(super) async fn now(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Response, Refusal> {
    let place = place(&app)?;
    Ok(stream(app, place, viewer, None, None, 0))
}

/// A run: `samples` with the number of the next one as id, its page as `page`, and `over` at its end.
pub(super) async fn run(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // Before the work that an open page is.
    let place = place(&app)?;
    let run = app.find_run(&id).await?;
    let record = match &run {
        RunEntry::Active(_) => None,
        RunEntry::Ended(_) => Some(app.find_record(&id).await?),
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let next = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    Ok(stream(app, place, viewer, Some(run), record, next))
}

fn place(app: &App) -> Result<OwnedSemaphorePermit, Refusal> {
    let place = app.pages.clone().try_acquire_owned();
    place.map_err(|_| Refusal::Busy {
        error: format!("{MOST_STREAMS} pages are open already; close one"),
        again: PLACE_AGAIN,
    })
}

fn stream(
    app: Arc<App>,
    place: OwnedSemaphorePermit,
    viewer: Viewer,
    run: Option<RunEntry>,
    record: Option<Arc<RunRecord>>,
    next: u64,
) -> Response {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = Look {
        app,
        viewer,
        run,
        record,
        ticks,
        shown: None,
        next,
        samples_told: false,
        over: false,
        closed: false,
        _place: place,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let events = unfold(look, Look::next);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

impl Look {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.samples() {
                return Some((Ok(event), self));
            }
            if let Some(event) = self.page() {
                return Some((Ok(event), self));
            }
            if self.closed {
                return None;
            }
            if self.over {
                self.closed = true;
                // Else the browser would connect again.
                return Some((Ok(Event::default().event("over").data("over")), self));
            }
            self.wait().await?;
        }
    }

    async fn wait(&mut self) -> Option<()> {
        let ended = async {
            match &self.run {
                Some(RunEntry::Active(run)) => run.ended().await,
                Some(RunEntry::Ended(_)) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.app.closing.cancelled() => return None,
            () = ended => self.over = true,
            _ = self.ticks.tick() => {}
        }
        self.over |= matches!(self.run, Some(RunEntry::Ended(_)));
        self.samples_told = false;
        Some(())
    }

    fn samples(&mut self) -> Option<Event> {
        if self.samples_told {
            return None;
        }
        let (samples, end) = match self.run.as_ref()? {
            RunEntry::Active(run) => run.samples(self.next),
            RunEntry::Ended(_) => {
                let samples = &self.record.as_ref()?.samples;
                let skip = usize::try_from(self.next).unwrap_or(usize::MAX);
                let rest = samples.iter().skip(skip).cloned().collect();
                (rest, samples.len() as u64)
            }
        };
        let (event, next) = told(samples, end, self.next)?;
        self.samples_told = event.is_none();
        self.next = next;
        event
    }

    fn page(&mut self) -> Option<Event> {
        let viewer = self.viewer;
        let live = &self.app.live;
        let html = match &self.run {
            None => live.get("now", viewer, || now::fragment(&self.app, viewer)),
            // What was rendered a moment ago does not know of the end.
            Some(entry) if self.over => as_text(run::fragment(entry, viewer)).into(),
            Some(entry) => live.get(entry.id(), viewer, || run::fragment(entry, viewer)),
        };
        if self.shown.as_ref() == Some(&html) {
            return None;
        }
        self.shown = Some(html.clone());
        Some(Event::default().event("page").data(&*html))
    }
}

/// The next samples of a run, if there are any, and the number of those behind them. `end` is the number
/// behind the last.
fn told(mut samples: Vec<Arc<Sample>>, end: u64, from: u64) -> Option<(Option<Event>, u64)> {
    if samples.is_empty() {
        return Some((None, from));
    }
    let begin = end - samples.len() as u64;
    samples.truncate(SAMPLES);
    let next = begin + samples.len() as u64;
    let event = Event::default().event("samples").id(next.to_string());
    let event = event.json_data(&samples).ok()?;
    Some((Some(event), next))
}
