use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    PushSettings,
    counters::PushCounters,
    queue::{PushEntry, PushQueue},
    series::{RunSeries, SeriesSettings},
    writer::PushWriter,
};
use crate::{
    event::{Observers, PushFigures, PushLoss, ServiceEvent},
    record::Boundaries,
    runner::RunHandle,
    scenario::Drivers,
};

/// How often runs are asked for the seconds that are over.
const EVERY: Duration = Duration::from_millis(250);
/// Runs that began and were not looked at yet.
const BEGUN: usize = 256;
/// Runs that are followed at once.
const MOST_FOLLOWED: usize = 1_024;

/// Where it is said which runs began.
#[derive(Debug, Clone)]
pub struct PushIntake {
    begun: mpsc::Sender<RunHandle>,
    settings: Arc<PushSettings>,
    counters: Arc<PushCounters>,
}

impl PushIntake {
    /// The run is pushed from now on, if such runs are.
    pub fn take(&self, run: &RunHandle) {
        let wanted = self.settings.wants(run.identity().subject.mode);
        if wanted && self.begun.try_send(run.clone()).is_err() {
            self.counters.lose(PushLoss::Overload, 1);
            tracing::warn!(
                run = run.id(),
                "this run is not pushed: too many began at once"
            );
        }
    }
}

/// What became of what was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// How much was written and lost.
    pub figures: PushFigures,
    /// Why the latest batch was not taken that was not taken at once, in words.
    pub trouble: Option<String>,
}

/// Asks runs for their seconds and sends what they come to.
pub struct Pusher {
    intake: PushIntake,
    follower: Follower,
    writer: PushWriter,
}

/// The runs that are pushed, and what of them waits to be written.
struct Follower {
    begun: mpsc::Receiver<RunHandle>,
    series: Arc<SeriesSettings>,
    followed: Vec<FollowedRun>,
    queue: Arc<PushQueue>,
    counters: Arc<PushCounters>,
}

struct FollowedRun {
    run: RunHandle,
    series: RunSeries,
    next_second: u64,
}

impl Pusher {
    /// One that has begun nothing yet. The histograms that it pushes have these boundaries.
    pub fn new(settings: PushSettings, boundaries: &Boundaries, drivers: &Drivers) -> Self {
        let settings = Arc::new(settings);
        let (sender, begun) = mpsc::channel(BEGUN);
        let (queue, counters) = (Arc::<PushQueue>::default(), Arc::<PushCounters>::default());
        Self {
            writer: PushWriter::new(
                settings.clone(),
                drivers.http(),
                queue.clone(),
                counters.clone(),
            ),
            follower: Follower {
                begun,
                series: settings.of_series(boundaries),
                followed: Vec::new(),
                queue,
                counters: counters.clone(),
            },
            intake: PushIntake {
                begun: sender,
                settings,
                counters,
            },
        }
    }

    /// Where runs that begin are handed in.
    pub fn intake(&self) -> PushIntake {
        self.intake.clone()
    }

    /// Pushes until it is to end, and then for so long at most what is left; what became of it.
    pub async fn push(
        self,
        observers: Observers,
        until: CancellationToken,
        rest: Duration,
    ) -> Pushed {
        let Self {
            mut follower,
            writer,
            ..
        } = self;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writing = JoinSet::new();
        writing.spawn(writer.write());
        while !until.is_cancelled() {
            tokio::select! {
                () = until.cancelled() => {}
                _ = ticks.tick() => {}
                Some(ended) = writing.join_next() => tell_broken(ended),
            }
            follower.round();
            observers.emit(&ServiceEvent::ResultsPushed(follower.figures()));
        }
        follower.queue.close();
        if let Ok(Some(ended)) = timeout(rest, writing.join_next()).await {
            tell_broken(ended);
        }
        writing.shutdown().await;
        let unsent = follower.queue.samples();
        follower.counters.lose(PushLoss::Unsent, unsent);
        let figures = follower.counters.now();
        observers.emit(&ServiceEvent::ResultsPushed(figures));
        Pushed {
            figures,
            trouble: follower.counters.trouble(),
        }
    }
}

impl Follower {
    /// Asks every run for what is new.
    fn round(&mut self) {
        while let Ok(run) = self.begun.try_recv() {
            self.follow(run);
        }
        let (queue, counters) = (&self.queue, &self.counters);
        self.followed
            .retain_mut(|followed| !followed.ask(queue, counters));
    }

    fn follow(&mut self, run: RunHandle) {
        if self.followed.len() >= MOST_FOLLOWED {
            self.counters.lose(PushLoss::Overload, 1);
            return;
        }
        let report = run.report();
        let started_at = report.started_at.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let began_ms = u64::try_from(started_at.as_millisecond()).unwrap_or_default();
        let steps = report.steps.into_iter().map(|step| step.step).collect();
        let mut series = RunSeries::new(self.series.clone(), run.identity(), steps, began_ms);
        put(&self.queue, &self.counters, [series.begin()]);
        self.followed.push(FollowedRun {
            run,
            series,
            next_second: 0,
        });
    }

    fn figures(&self) -> PushFigures {
        PushFigures {
            behind: self.queue.behind(),
            ..self.counters.now()
        }
    }
}

impl FollowedRun {
    /// Hands over what is new; whether that was the last.
    fn ask(&mut self, queue: &PushQueue, counters: &PushCounters) -> bool {
        // Before the rest is looked at: what comes later is not missed.
        let over = self.run.has_ended();
        let (seconds, next) = self.run.seconds(self.next_second);
        let asked_for = next - self.next_second;
        let late = seconds.iter().filter(|second| second.batch.is_none());
        let late = late.count() as u64 + asked_for.saturating_sub(seconds.len() as u64);
        counters.lose(PushLoss::Overload, late);
        self.next_second = next;
        for second in &seconds {
            put(queue, counters, self.series.add(second));
        }
        if over {
            let verdict = self.run.report().verdict;
            put(queue, counters, self.series.end(verdict));
        }
        counters.lose(PushLoss::TooManySeries, self.series.take_left_out());
        over
    }
}

fn tell_broken(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("what pushes results of runs broke: {error}");
    }
}

fn put(queue: &PushQueue, counters: &PushCounters, entries: impl IntoIterator<Item = PushEntry>) {
    for entry in entries {
        counters.lose(PushLoss::QueueFull, queue.put(entry));
    }
}
