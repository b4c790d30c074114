//! The pages that somebody has open, and what has to be known to render them again.

use std::sync::Arc;

use axum::response::sse::Event;
use maud::Markup;

use crate::{
    runner::{RunHandle, RunRecord, Sample},
    scheduler::RunEntry,
    web::{
        App,
        console::{
            configuration,
            frame::{Viewer, as_text},
            now, probe,
            run::{self, Around},
            runs,
        },
        refusal::Refusal,
    },
};

/// Samples in one event: a page that is opened late gets them in some pieces.
const SAMPLES: usize = 600;

/// A page that somebody has open.
pub(super) enum OpenPage {
    Now,
    Run(Box<OpenRun>),
    Probe(Arc<probe::OpenProbe>),
    Runs(Arc<runs::OpenHistory>),
    /// And the form for a burst, which is made of it.
    Configuration,
}

impl OpenPage {
    /// The parts of the page that change; `None` if they are as they were, or cannot be rendered now.
    pub(super) async fn render(&mut self, app: &Arc<App>, viewer: Viewer) -> Option<Arc<str>> {
        let shared = app.clone();
        match self {
            Self::Now => {
                let render = move || now::fragment(&shared, viewer);
                app.live.get(app, "now", viewer, render).await
            }
            Self::Run(run) => run.render(app, viewer).await,
            Self::Probe(open) => {
                // It is in use nowhere else: what was rendered before is over.
                if let Some(open) = Arc::get_mut(open) {
                    open.refresh(app).await;
                }
                let open = open.clone();
                looked(app, move || open.fragment(&shared, viewer)).await
            }
            Self::Runs(open) => {
                if let Some(open) = Arc::get_mut(open) {
                    open.refresh(app).await;
                }
                let open = open.clone();
                looked(app, move || open.fragment()).await
            }
            Self::Configuration => {
                let render = move || configuration::fragment(&shared.web.scheduler.plan());
                app.live.get(app, "configuration", viewer, render).await
            }
        }
    }

    /// Waits for the end of the run that the page is about; for ever if it is about none in progress.
    pub(super) async fn ended(&self) {
        match self {
            Self::Run(run) => run.ended().await,
            _ => std::future::pending().await,
        }
    }

    /// Time has passed since the last look.
    pub(super) fn look_again(&mut self) {
        if let Self::Run(run) = self {
            run.look_again();
        }
    }

    /// Samples that were not sent yet.
    pub(super) async fn samples(&mut self, app: &App) -> Option<Event> {
        match self {
            Self::Run(run) => run.samples(app).await,
            _ => None,
        }
    }

    /// That the run is over, once.
    pub(super) fn over(&mut self) -> Option<Event> {
        match self {
            Self::Run(run) => run.over(),
            _ => None,
        }
    }
}

/// The page of a run, which becomes that of an ended one.
pub(super) struct OpenRun {
    entry: RunEntry,
    seconds: Seconds,
    /// The number of the next sample.
    next: u64,
    /// Samples come before the page that belongs to them.
    samples_told: bool,
    over_told: bool,
    /// Of an ended run.
    around: Option<Around>,
}

/// Where the samples of a run are.
enum Seconds {
    OfHandle(RunHandle),
    /// Of a run that was over when the page was opened.
    Kept(Arc<RunRecord>),
}

impl OpenRun {
    /// From the sample of this number on.
    pub(super) async fn of(app: &App, id: &str, next: u64) -> Result<Self, Refusal> {
        let entry = app.find_run(id).await?;
        let seconds = match &entry {
            RunEntry::Active(handle) => Seconds::OfHandle(handle.clone()),
            RunEntry::Ended(_) => Seconds::Kept(app.find_record(id).await?),
        };
        Ok(Self {
            entry,
            seconds,
            next,
            samples_told: false,
            over_told: false,
            around: None,
        })
    }

    async fn render(&mut self, app: &Arc<App>, viewer: Viewer) -> Option<Arc<str>> {
        let RunEntry::Ended(report) = &self.entry else {
            let (entry, shared) = (self.entry.clone(), app.clone());
            let render = move || {
                let report = entry.report();
                let around = Around::in_progress(&shared, &report);
                run::fragment(&entry, &report, &around, viewer)
            };
            return app.live.get(app, self.entry.id(), viewer, render).await;
        };
        let named = app.web.history.named_runs();
        if self
            .around
            .as_ref()
            .is_some_and(|around| around.is_of(&named))
        {
            return None;
        }
        let around = Around::of_ended(app, report).await;
        let html = as_text(run::fragment(&self.entry, report, &around, viewer));
        self.around = Some(around);
        Some(html.into())
    }

    async fn ended(&self) {
        match &self.entry {
            RunEntry::Active(handle) => handle.ended().await,
            RunEntry::Ended(_) => std::future::pending().await,
        }
    }

    fn look_again(&mut self) {
        self.samples_told = false;
        if let RunEntry::Active(handle) = &self.entry {
            self.entry = RunEntry::of(handle);
        }
    }

    async fn samples(&mut self, app: &App) -> Option<Event> {
        if self.samples_told {
            return None;
        }
        let (samples, next) = match &self.seconds {
            Seconds::OfHandle(handle) => handle.next_samples(self.next, SAMPLES),
            Seconds::Kept(record) => kept(&record.samples, self.next),
        };
        if samples.is_empty() {
            self.samples_told = true;
            return None;
        }
        // Those of a page that is opened late are many.
        let event = app.looks.take(move || told(&samples, next)).await.ok()??;
        self.next = next;
        Some(event)
    }

    fn over(&mut self) -> Option<Event> {
        let is_over = matches!(self.entry, RunEntry::Ended(_));
        let first = is_over && !std::mem::replace(&mut self.over_told, is_over);
        first.then(|| Event::default().event("over").data("over"))
    }
}

/// The next samples of a run that is over, and the number behind them. Who counted the seconds of a long run while it went
/// on begins anew, and passes over what is known.
fn kept(samples: &[Arc<Sample>], next: u64) -> (Vec<Arc<Sample>>, u64) {
    let next = usize::try_from(next).unwrap_or(usize::MAX);
    let begin = if next > samples.len() { 0 } else { next };
    let end = begin.saturating_add(SAMPLES).min(samples.len());
    (samples[begin..end].to_vec(), end as u64)
}

/// Samples of a run, and the number behind them.
fn told(samples: &[Arc<Sample>], next: u64) -> Option<Event> {
    let event = Event::default().event("samples").id(next.to_string());
    event.json_data(samples).ok()
}

/// What is rendered for one page alone.
async fn looked(app: &App, render: impl FnOnce() -> Markup + Send + 'static) -> Option<Arc<str>> {
    let rendered = app.looks.take(move || as_text(render())).await;
    rendered.ok().map(Arc::from)
}
