mod conclusion;
mod finishing;
mod member;
mod orders;
mod searching;
mod setup;
mod starts;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::member::RunMember;
use super::{
    Engine, RunHandle, RunSpec, RunState, Tally,
    between_chats::BetweenChats,
    context::{EndSignal, GracePeriod},
    control::OrderRequest,
    graceful_stop::GracefulStop,
    pacing::Pacing,
    search::Searching,
    verdict::Course,
};
use crate::{
    event::{EndedBy, RunEvent, RunObservers},
    load::ThresholdSubject,
    vitals::Mark,
};

/// How often a run looks at itself: its own lag, and thresholds that may end it.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// When a threshold or the graceful stop ends the chats: how long answers that are on their way are waited for.
const ANSWERS_AFTER_END: Duration = Duration::from_secs(10);
/// When a threshold ends the run: how long chats get for their `always` steps.
const CLEANUP_AFTER_ABORT: Duration = Duration::from_secs(10);
/// Orders that wait to be followed.
const ORDERS: usize = 16;

/// A run in progress; the task that owns its pacing, its chats and its course.
pub(super) struct RunTask {
    engine: Engine,
    spec: Arc<RunSpec>,
    ending: Arc<EndSignal>,
    /// Of what concerns the whole run.
    observers: RunObservers,
    /// Never empty.
    members: Vec<RunMember>,
    tally: Arc<Tally>,
    orders: mpsc::Receiver<OrderRequest>,
    ended: watch::Sender<bool>,
    pacing: Pacing,
    /// If it looks for the limit of its target.
    search: Option<Searching>,
    /// The number of chats that were due so far, dropped ones included.
    next: u64,
    chats: JoinSet<EndedChat>,
    course: Course,
    /// The vitals so far.
    heard: Mark,
    /// Connections that had been dropped when the run began.
    dropped_before: u64,
    /// Until it has passed.
    graceful_stop: Option<GracefulStop>,
    /// Since when no more chats start.
    finishing_since: Option<Instant>,
    /// Every chat has ended, so that a stop changes nothing about what the run found out.
    measured: bool,
}

/// A chat that has ended.
struct EndedChat {
    began: Instant,
    /// Which member it belonged to.
    member: usize,
}

impl Engine {
    /// Starts a run. It goes on by itself; the handle can outlive it.
    pub fn start(&self, spec: RunSpec) -> RunHandle {
        let (run, handle) = RunTask::new(self, spec);
        handle.attach(tokio::spawn(run.execute()));
        handle
    }
}

impl RunTask {
    pub(super) fn new(engine: &Engine, spec: RunSpec) -> (Self, RunHandle) {
        let spec = Arc::new(spec);
        let tally = Arc::new(Tally::new(&spec));
        let ending = Arc::<EndSignal>::default();
        let members = RunMember::all(engine, &spec, &ending, &tally);
        let observers = if spec.mix.is_mixed() {
            let observers = engine.observers.of_mixed_run(&spec.identity);
            observers.with_counters(tally.clone())
        } else {
            members[0].context.observers.clone()
        };
        let (order, orders) = mpsc::channel(ORDERS);
        let (ended, has_ended) = watch::channel(false);
        let run = Self {
            search: Searching::of(&spec, engine.budget),
            graceful_stop: spec.graceful_stop,
            pacing: Pacing::new(
                spec.load.shape().clone(),
                spec.max_rate,
                spec.seed,
                Instant::now(),
            ),
            engine: engine.clone(),
            spec,
            ending,
            observers,
            members,
            tally: tally.clone(),
            orders,
            ended,
            next: 0,
            chats: JoinSet::new(),
            course: Course::default(),
            heard: engine.vitals.mark(),
            dropped_before: engine.exchange.dropped_connections(),
            finishing_since: None,
            measured: false,
        };
        (run, RunHandle::new(tally, order, has_ended))
    }

    /// From setup to verdict.
    pub(super) async fn execute(mut self) {
        self.emit(&RunEvent::Started);
        self.set_up().await;
        if self.course.setup_failed.is_none() {
            self.tally.enter(RunState::Running);
            let now = Instant::now();
            self.pacing.begin(now);
            self.load_changed(now);
            self.begin_step();
            self.run_chats().await;
        }
        if let Some(search) = &mut self.search {
            search.give_up(&self.tally);
            self.course.search = Some(search.found());
        }
        self.measured = true;
        self.tally.enter(RunState::TearingDown);
        self.tear_down().await;
        self.await_connections().await;
        self.conclude();
    }

    fn emit(&self, event: &RunEvent) {
        self.observers.emit(event);
    }

    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            tokio::select! {
                result = &mut work => return result,
                Some(request) = self.orders.recv() => self.obey(request),
                () = sleep_until(heartbeat) => heartbeat = self.look(Instant::now()),
            }
        }
    }

    /// Notes how the machine and the load stand, and closes a second that is over; the next moment to look.
    fn look(&mut self, now: Instant) -> Instant {
        self.hear_vitals();
        self.ask(now);
        let ledgers = self
            .members
            .iter()
            .filter_map(|member| member.context.ledger.as_ref());
        ledgers.for_each(|ledger| ledger.sweep(now));
        self.tally.tick();
        now + HEARTBEAT
    }

    /// Starts chats as the profile says until it is over, and waits for the last of them.
    async fn run_chats(&mut self) {
        let mut heartbeat = Instant::now() + HEARTBEAT;
        loop {
            self.clear_ended();
            let now = Instant::now();
            if !self.starts_no_more() {
                self.start_due(now);
                if self.search_on(now) {
                    self.start_due(now);
                }
            }
            let over = self.starts_are_over(now);
            if over && self.chats.is_empty() {
                self.ask(now);
                return;
            }
            self.enter_state(now);
            let next_look = if over {
                self.stop_gracefully(now)
            } else {
                self.next_look()
            };
            tokio::select! {
                biased;
                Some(request) = self.orders.recv() => self.obey(request),
                // Before the chats: when all fail at once, one is always ready, and that is when
                // a threshold has to end the run.
                () = sleep_until(heartbeat) => {
                    let now = Instant::now();
                    self.tally.note_lag(now.saturating_duration_since(heartbeat));
                    heartbeat = self.look(now);
                    for member in &self.members {
                        member.context.clients.close_expired();
                    }
                    self.abort_if_hopeless(now);
                }
                Some(result) = self.chats.join_next() => self.chat_ended(result),
                () = sleep_until(next_look.unwrap_or(heartbeat)), if next_look.is_some() => {}
            }
        }
    }

    /// Notes what the profile wants, which is nothing before the chats and once the run starts no more of them.
    fn ask(&self, now: Instant) {
        let wanted = self.pacing.wanted(now);
        let asked = if self.starts_are_over(now) {
            self.pacing.nothing()
        } else {
            self.pacing.asked(now)
        };
        let scheduled = self.pacing.scheduled(self.next, now);
        self.tally.ask(wanted, asked, scheduled);
    }

    /// Notes that from now on the load is another one. What was due by the one before has to be noted before.
    fn load_changed(&self, now: Instant) {
        self.tally.forget_pace();
        self.ask(now);
    }

    /// How far the chats are. Before and behind them the setup and the teardown say so.
    fn enter_state(&self, now: Instant) {
        let state = match (self.starts_are_over(now), self.pacing.is_paused()) {
            (true, _) => RunState::Finishing,
            (false, true) => RunState::Paused,
            (false, false) => RunState::Running,
        };
        self.tally.enter(state);
    }

    fn hear_vitals(&mut self) {
        let (beats, mark) = self.engine.vitals.since(self.heard);
        self.heard = mark;
        self.tally.note_beats(&beats);
    }

    fn starts_are_over(&self, now: Instant) -> bool {
        self.starts_no_more() || self.load_is_through(now)
    }

    /// Whether something keeps chats from starting that the load would start.
    fn starts_no_more(&self) -> bool {
        let course = &self.course;
        course.stopped.is_some() || course.aborted || course.rows_ran_out.is_some()
    }

    fn load_is_through(&self, now: Instant) -> bool {
        match &self.search {
            Some(search) => search.is_over(),
            None => self.pacing.is_over(self.next, now),
        }
    }

    fn next_look(&self) -> Option<Instant> {
        let search = self.search.as_ref().and_then(Searching::next_look);
        let search = search.and_then(|elapsed| self.pacing.when(elapsed));
        let customers = self.members.iter().flat_map(|member| &member.between_chats);
        let customer = customers.filter_map(BetweenChats::next).min();
        [self.pacing.next_look(self.next), search, customer]
            .into_iter()
            .flatten()
            .min()
    }

    fn abort_if_hopeless(&mut self, now: Instant) {
        if let Some(search) = &mut self.search {
            search.give_way(&self.tally);
            return;
        }
        // Of a run that is being ended, nothing is left to abort: what ends it stays the reason.
        if self.ending.is_over(GracePeriod::None) {
            return;
        }
        let spec = &self.spec;
        let hopeless = spec.thresholds.iter().any(|threshold| {
            let total = match threshold.subject() {
                ThresholdSubject::Chats => self.pacing.total(),
                ThresholdSubject::Step(_) | ThresholdSubject::Deliveries => None,
            };
            threshold.abort() && threshold.may_abort(self.tally.measure(threshold), total)
        });
        if hopeless {
            self.course.aborted = true;
            self.tally.note_failed_end(EndedBy::Threshold);
            self.pacing.stop_starts(self.next, now);
            self.load_changed(now);
            self.ending.give(ANSWERS_AFTER_END, CLEANUP_AFTER_ABORT);
        }
    }
}
