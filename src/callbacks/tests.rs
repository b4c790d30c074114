//! A bench with a ledger per run, and one for the whole process.

mod arrivals;
mod deliveries;
mod duplicates;
mod fuzz;
mod hand_over;
mod limits;
mod random;
mod requests;
mod runs;
mod waits;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{CallbackRefusal, ClaimError, Claims, Exchange, Path, Reception, Request};
use crate::{
    arrival::Arrival,
    callbacks::CallbackLimits,
    document::{Problems, parse},
    event::{
        Fate, Mode, Observer, Observers, RunEvent, RunIdentity, RunObserver, ServiceEvent, Subject,
        Trigger,
    },
    inbox::{Inbound, Inbox, WaitError},
    scenario::{Match, RunScope, Scenario, Scope, WaitSources},
    target::Target,
};

/// What was observed of inbound events, of all runs or of one.
#[derive(Debug, Default)]
struct Ledger(Mutex<Entries>);

#[derive(Debug, Default, Clone)]
struct Entries {
    received: BTreeMap<String, i64>,
    /// Under an empty name what no run knows.
    settled: BTreeMap<String, Vec<Fate>>,
    /// Events of one run that came on the path of another.
    through: BTreeMap<(String, String), i64>,
    taken_over: usize,
    repeated_ids: usize,
    verified: usize,
    read_delays: Vec<Duration>,
}

impl RunObserver for Ledger {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        let mut entries = self.0.lock().unwrap();
        let (events, through) = match event {
            RunEvent::CallbackReceived { through } => (1, through),
            RunEvent::CallbackTakenOver { through } => {
                entries.taken_over += 1;
                (1, through)
            }
            RunEvent::CallbackHandedOver { through } => (-1, through),
            RunEvent::CallbackSettled(fate) => {
                let settled = entries.settled.entry(run.id.clone());
                return settled.or_default().push(*fate);
            }
            RunEvent::CallbackIdRepeated => return entries.repeated_ids += 1,
            RunEvent::CallbackVerified => return entries.verified += 1,
            RunEvent::CallbackRead { delay } => return entries.read_delays.push(*delay),
            _ => return,
        };
        *entries.received.entry(run.id.clone()).or_default() += events;
        if let Some(through) = through {
            let key = (run.id.clone(), through.id.clone());
            *entries.through.entry(key).or_default() += events;
        }
    }
}

impl Observer for Ledger {
    fn observe_service(&self, event: &ServiceEvent) {
        if let ServiceEvent::StrayCallback(fate) = event {
            let mut entries = self.0.lock().unwrap();
            entries
                .settled
                .entry(String::new())
                .or_default()
                .push(*fate);
        }
    }

    fn of_run(self: Arc<Self>, _: &Arc<RunIdentity>, _: &Scenario) -> Option<Arc<dyn RunObserver>> {
        Some(self)
    }
}

impl Ledger {
    fn entries(&self) -> Entries {
        self.0.lock().unwrap().clone()
    }

    /// What became of all events, in the order in which it became known.
    fn fates(&self) -> Vec<Fate> {
        self.entries().settled.into_values().flatten().collect()
    }

    fn received(&self, id: &str) -> i64 {
        self.entries().received.get(id).copied().unwrap_or_default()
    }

    /// Events that came for the run and are not settled.
    fn waiting(&self, id: &str) -> i64 {
        let settled = self.entries().settled.get(id).map_or(0, Vec::len);
        self.received(id) - i64::try_from(settled).unwrap()
    }
}

struct Bench {
    exchange: Exchange,
    everybody: Arc<Ledger>,
    observers: Observers,
    scenario: Arc<Scenario>,
    target: Arc<Target>,
}

/// A run that only has a path; it is over when the path is dropped.
struct TestRun {
    id: String,
    token: String,
    path: Option<Path>,
    ledger: Arc<Ledger>,
}

/// A chat that claims keys and waits.
struct Chat {
    inbox: Inbox,
    claims: Claims,
}

impl Chat {
    fn claim(&mut self, key: String) -> Result<(), ClaimError> {
        self.claims.claim(key)
    }

    async fn wait(
        &mut self,
        since: Instant,
        deadline: Instant,
        judge: impl FnMut(&Inbound) -> Match,
    ) -> Result<Inbound, WaitError> {
        self.inbox
            .wait(WaitSources::Callbacks, since, deadline, judge, |_| {})
            .await
    }
}

/// A secret of the target.
const SECRET: &str = "shared-with-the-centre";

const CALLBACKS: &str = "{ key: event.key, id: event.id, disconnected: event.kind == 'left' }";

impl Bench {
    fn new() -> Self {
        Self::with(CALLBACKS, CallbackLimits::default())
    }

    fn with(callbacks: &str, limits: CallbackLimits) -> Self {
        let text = format!("scenario: s\ncallbacks: {callbacks}\nsteps: [{{ think: 0s }}]\n");
        let problems = Problems::default();
        let scenario = Scenario::read(&parse("s.yaml", &text).unwrap(), &problems);
        assert_eq!(problems.into_result(), Ok(()));
        let everybody = Arc::<Ledger>::default();
        let observers = Observers::default().and(everybody.clone());
        Self {
            exchange: Exchange::new(limits, observers.clone()),
            everybody,
            observers,
            scenario: Arc::new(scenario.unwrap()),
            target: Arc::new(Target::new("t", "http://t").with_secret("word", SECRET)),
        }
    }

    fn run(&self) -> TestRun {
        let subject = Subject {
            scenario: "s".into(),
            target: "t".into(),
            mode: Mode::Burst,
        };
        let identity = Arc::new(RunIdentity::new("run".into(), subject, Trigger::Api));
        let ledger = Arc::<Ledger>::default();
        let observers = self.observers.of_run(&identity, &self.scenario);
        let path = self.exchange.open(
            self.scenario.clone(),
            self.target.clone(),
            Scope::of_run(Arc::new(RunScope {
                target: self.target.variable(),
                ..RunScope::default()
            })),
            observers.with_counters(ledger.clone()),
        );
        TestRun {
            id: identity.id.clone(),
            token: path.token().to_owned(),
            path: Some(path),
            ledger,
        }
    }

    fn send(&self, run: &TestRun, event: &Value) {
        self.send_at(run, Instant::now(), event);
    }

    fn send_at(&self, run: &TestRun, arrived: Instant, event: &Value) {
        let body = event.to_string();
        let reception = self.request_at(run, arrived, body.as_bytes());
        assert_eq!(reception, Ok(Reception::Taken));
    }

    fn request(&self, run: &TestRun, body: &[u8]) -> Result<Reception, CallbackRefusal> {
        self.request_at(run, Instant::now(), body)
    }

    fn request_at(
        &self,
        run: &TestRun,
        arrived: Instant,
        body: &[u8],
    ) -> Result<Reception, CallbackRefusal> {
        let headers = HeaderMap::new();
        let request = Request::post(&headers, body.to_vec());
        let arrival = Arrival {
            at: arrived,
            read_delay: None,
        };
        self.exchange.deliver(&run.token, arrival, &request)
    }

    /// A request whose body broke off.
    fn broken_off(&self, path: &str) {
        let headers = HeaderMap::new();
        let request = Request::post(&headers, "");
        self.exchange
            .reject(path, &request, &CallbackRefusal::BrokenOff);
    }
}

impl TestRun {
    fn chat(&self) -> Chat {
        let path = self.path.as_ref().unwrap();
        let inbox = path.inbox();
        let claims = path.claims(&inbox);
        Chat { inbox, claims }
    }

    fn chat_with(&self, key: &str) -> Chat {
        let mut chat = self.chat();
        chat.claim(key.to_owned()).unwrap();
        chat
    }

    fn fates(&self) -> Vec<Fate> {
        self.ledger.fates()
    }

    /// How many events for this run came on the path of another one.
    fn through(&self, other: &Self) -> i64 {
        let entries = self.ledger.entries();
        let key = (self.id.clone(), other.id.clone());
        entries.through.get(&key).copied().unwrap_or_default()
    }

    fn waiting(&self) -> i64 {
        self.ledger.waiting(&self.id)
    }

    /// Ends the run; from now on its counts have to agree.
    fn end(&mut self) {
        self.path = None;
        self.check_counts();
    }

    fn check_counts(&self) {
        let entries = self.ledger.entries();
        assert_eq!(self.waiting(), 0, "{entries:?}");
    }
}

fn event(key: &str, kind: &str) -> Value {
    json!({ "key": key, "kind": kind })
}

fn judge(inbound: &Inbound) -> Match {
    let kind = inbound.event.get_attr("kind").unwrap_or_default();
    match kind.as_str() {
        Some("reply") => Match::Wanted,
        Some("left") => Match::Disconnected,
        _ => Match::Other,
    }
}

/// Waits up to five seconds for a reply that came since `since`.
async fn reply(chat: &mut Chat, since: Instant) -> Result<Inbound, WaitError> {
    let deadline = Instant::now() + Duration::from_secs(5);
    chat.wait(since, deadline, judge).await
}
