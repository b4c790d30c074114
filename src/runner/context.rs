use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    ChatSpec, Engine, RunSpec, TraceBudget, barriers::Barriers, deliveries::Ledger,
    forever::FOREVER,
};
use crate::{
    callbacks::Path,
    event::{Mode, RunEvent, RunIdentity, RunObservers},
    inbox::{Inbox, Owner},
    scenario::{Clients, Reuse, RowsOfRun, RunScope, Scope, SessionValues},
};

/// What the chats of a run share.
#[derive(Debug)]
pub(super) struct RunContext {
    pub(super) engine: Engine,
    pub(super) spec: Arc<RunSpec>,
    /// What these chats do.
    pub(super) chats: ChatSpec,
    /// The run, as what these chats measure.
    pub(super) identity: Arc<RunIdentity>,
    pub(super) clients: Clients,
    pub(super) path: Option<Path>,
    /// The owner of the inboxes, if frames come and no events.
    owner: Option<Arc<Owner>>,
    /// Who has to receive what is said in rooms, if the scenario says how that is recognized.
    pub(super) ledger: Option<Arc<Ledger>>,
    /// Where its chats wait for each other, if the scenario says so.
    pub(super) barriers: Option<Barriers>,
    pub(super) ending: Arc<EndSignal>,
    pub(super) observers: RunObservers,
}

impl RunContext {
    /// The context of chats of a new run, whose events are taken from now on.
    pub(super) fn new(
        engine: &Engine,
        spec: Arc<RunSpec>,
        chats: ChatSpec,
        ending: Arc<EndSignal>,
        observers: RunObservers,
    ) -> Self {
        let identity = observers.run().clone();
        let path = chats.scenario.callbacks.is_some().then(|| {
            engine.exchange.open(
                chats.scenario.clone(),
                chats.target.clone(),
                Scope::of_run(Arc::new(run_scope(&chats, &identity, spec.seed, None))),
                observers.clone(),
            )
        });
        let owns_frames = path.is_none() && chats.scenario.connects();
        let owner = owns_frames.then(|| Arc::new(Owner::new(1, observers.clone())));
        let deliveries = chats.scenario.sockets.deliveries.as_ref();
        let ledger = deliveries.map(|rule| Ledger::new(rule.within, observers.clone()));
        let barriers = chats.scenario.has_barriers().then(Barriers::default);
        Self {
            clients: clients(engine, &chats, identity.subject.mode),
            engine: engine.clone(),
            spec,
            chats,
            identity,
            path,
            owner,
            ledger,
            barriers,
            ending,
            observers,
        }
    }

    /// What expressions see before anything was captured.
    pub(super) fn scope(&self) -> Scope {
        let url = self
            .path
            .as_ref()
            .map(|path| format!("{}/{}", self.engine.callback_url, path.token()));
        let mut scope = Scope::of_run(Arc::new(run_scope(
            &self.chats,
            &self.identity,
            self.spec.seed,
            url,
        )));
        scope.set_sessions(SessionValues::kept(|name| self.chats.target.keeps(name)));
        scope
    }

    /// What the traces of its chats in progress may take, if that is bounded: those of probes take what they need.
    pub(super) fn trace_budget(&self) -> Option<TraceBudget> {
        let is_burst = self.identity.subject.mode == Mode::Burst;
        is_burst.then(|| self.engine.traces.clone())
    }

    /// An inbox for the chat with this number, if something may come for it.
    pub(super) fn inbox(&self, chat: u64) -> Option<Inbox> {
        let of_frames = || Some(Inbox::new(self.owner.clone()?, chat));
        self.path.as_ref().map(Path::inbox).or_else(of_frames)
    }

    pub(super) fn emit(&self, event: &RunEvent) {
        self.observers.emit(event);
    }

    /// Notes that the end of the run interrupts a track with this grace period.
    pub(super) fn note_cut_short(&self, grace: GracePeriod) {
        // The teardown belongs to no chat and is not measured, and the graceful stop belongs to the load.
        if grace != GracePeriod::Teardown && !self.ending.is_graceful(grace) {
            self.ending.cut_short.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a track with this grace period has to stop.
    pub(super) fn grace_is_over(&self, grace: GracePeriod) -> bool {
        self.ending.is_over(grace)
    }

    /// Completes when a track with this grace period has to stop.
    pub(super) fn end_of_grace(&self, grace: GracePeriod) -> impl Future<Output = ()> {
        self.ending.end_of_grace(grace)
    }
}

/// A run of a probe sees the target as somebody new does, unless it is to reuse connections. A burst may need
/// all that it is allowed, and probes beside it must not wait for it.
fn clients(engine: &Engine, chats: &ChatSpec, mode: Mode) -> Clients {
    let endpoint = chats.target.endpoint();
    let reuse = match mode {
        Mode::Probe if endpoint.connections.probe_reuse => Reuse::Common,
        Mode::Probe => Reuse::Fresh,
        Mode::Burst => Reuse::Own,
    };
    engine.drivers.clients(&endpoint, reuse)
}

/// How long a track goes on once its run is to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GracePeriod {
    /// Not at all: setup, and the steps of a chat.
    None,
    /// The time for answers and one cleanup time: `always`.
    Cleanup,
    /// One cleanup time longer: the teardown, which comes behind the last `always`.
    Teardown,
}

/// Tells everything in a run that it is to end now.
#[derive(Debug, Default)]
pub(super) struct EndSignal {
    end: watch::Sender<Option<End>>,
    /// Set before anybody hears of an end. Tracks ask for it often.
    is_given: AtomicBool,
    /// Whether a chat was interrupted by the end of the run, in its steps or in its `always` steps.
    cut_short: AtomicBool,
}

/// When a run was told to end now, and how long it may clean up.
#[derive(Debug, Clone, Copy)]
struct End {
    at: Instant,
    answers: Duration,
    cleanup: Duration,
    teardown: Duration,
    /// It is the graceful stop.
    is_graceful: bool,
    /// The graceful stop has ended the steps of the chats, at this end or before it.
    after_graceful: bool,
}

impl EndSignal {
    /// Whether something tells tracks to stop, now or later.
    pub(super) fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Whether a track with this grace period has to stop.
    pub(super) fn is_over(&self, grace: GracePeriod) -> bool {
        if !self.is_given() {
            return false;
        }
        let end = *self.end.borrow();
        end.is_some_and(|end| end.deadline(grace) <= Instant::now())
    }

    /// Completes when a track with this grace period has to stop.
    pub(super) fn end_of_grace(&self, grace: GracePeriod) -> impl Future<Output = ()> {
        self.past(move |end| end.deadline(grace))
    }

    /// Completes at a moment of the end, once there is one.
    async fn past(&self, moment: impl Fn(&End) -> Instant) {
        let mut end = self.end.subscribe();
        loop {
            let deadline = end.borrow_and_update().as_ref().map(&moment);
            let out = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = out => return,
                // Its sender is this one.
                _ = end.changed() => {}
            }
        }
    }

    /// Completes when a track with this grace period, which has to stop, does not wait any longer for the answer to
    /// what is on its way. That of a step of the setup or of a chat may be needed to clean up.
    pub(super) async fn gives_up_answers(&self, grace: GracePeriod) {
        if grace == GracePeriod::None {
            self.past(End::answers).await;
        }
    }

    /// Gives the ends of another signal, those of this moment and all that come, for as long as this is polled.
    pub(super) async fn follow(&self, other: &Self) {
        let mut end = other.end.subscribe();
        loop {
            let asked = *end.borrow_and_update();
            if let Some(asked) = asked {
                self.shorten(asked);
            }
            if end.changed().await.is_err() {
                // Its sender is the other one.
                return;
            }
        }
    }

    /// Whether the end of the run interrupted a chat. All of them is known once their tasks are joined.
    pub(super) fn has_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    /// The end that leaves less time holds: a shutdown is in more of a hurry than whoever ended
    /// the run before it. The teardown has as long as the `always` steps.
    pub(super) fn give(&self, answers: Duration, cleanup: Duration) {
        self.shorten(End {
            at: Instant::now(),
            answers,
            cleanup,
            teardown: cleanup,
            is_graceful: false,
            after_graceful: false,
        });
    }

    /// Ends the chats, and lets the teardown take as long as it does in a run that nothing ends. Whether nothing
    /// had ended them before.
    pub(super) fn give_to_chats(&self, answers: Duration, cleanup: Duration) -> bool {
        let is_first = self.end.borrow().is_none();
        if is_first {
            self.shorten(End {
                at: Instant::now(),
                answers,
                cleanup,
                teardown: FOREVER,
                is_graceful: true,
                after_graceful: true,
            });
        }
        is_first
    }

    /// Whether it is the graceful stop that interrupts a track with this grace period. It has ended the steps of
    /// every chat, also where an order shortens what follows.
    fn is_graceful(&self, grace: GracePeriod) -> bool {
        self.end.borrow().is_some_and(|end| match grace {
            GracePeriod::None => end.after_graceful,
            GracePeriod::Cleanup | GracePeriod::Teardown => end.is_graceful,
        })
    }

    fn shorten(&self, mut asked: End) {
        self.is_given.store(true, Ordering::Release);
        self.end.send_if_modified(|end| {
            let sooner = end.is_none_or(|end| {
                asked.deadline(GracePeriod::Teardown) < end.deadline(GracePeriod::Teardown)
            });
            if sooner {
                asked.after_graceful |= end.is_some_and(|end| end.after_graceful);
                *end = Some(asked);
            }
            sooner
        });
    }
}

impl End {
    /// Until then answers of requests that are on their way are waited for.
    fn answers(&self) -> Instant {
        self.at + self.answers.min(FOREVER)
    }

    fn deadline(&self, grace: GracePeriod) -> Instant {
        let cleaned_up = || self.answers() + self.cleanup.min(FOREVER);
        match grace {
            GracePeriod::None => self.at,
            GracePeriod::Cleanup => cleaned_up(),
            GracePeriod::Teardown => cleaned_up() + self.teardown.min(FOREVER),
        }
    }
}

fn run_scope(
    chats: &ChatSpec,
    identity: &RunIdentity,
    seed: u64,
    callback_url: Option<String>,
) -> RunScope {
    let one = |name: &'static str, value: String| BTreeMap::from([(name, value)]).into();
    let mut scope = RunScope {
        target: chats.target.variable(),
        inputs: chats.inputs.clone(),
        run: one("id", identity.id.clone()),
        callback: callback_url.map_or_else(Default::default, |url| one("url", url)),
        rows: Arc::new(RowsOfRun::new(chats.scenario.rows.clone(), seed)),
        origins: Arc::default(),
    };
    let origins = chats
        .scenario
        .origins_of_run(chats.target.origins(), &scope);
    scope.origins = Arc::new(origins);
    scope
}
