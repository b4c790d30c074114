use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    CallbackLimits, CallbackRefusal, Claims, Reception, Request,
    key_registry::KeyRegistry,
    refusal_log::CallbackRefusalLog,
    route::{Refused, Route},
};
use crate::{
    arrival::Arrival,
    event::{Fate, Observers, RunObservers, ServiceEvent},
    inbox::{Inbox, Owner},
    listener::{Listeners, Name, Shortage},
    scenario::{Scenario, Scope, TOKEN_BEGIN},
    target::Target,
};

/// Paths of ended runs that are remembered at the most.
const MOST_CLOSED_PATHS: usize = 1_000;
/// Parts of a path in which the token is looked for.
const MOST_PARTS: usize = 32;
/// So long after a connection was not taken, or was closed, its event may be missing: a sender whose
/// connection is refused tries again about a second later.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Every inbound event of the process goes through here. Clones share it.
#[derive(Debug, Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: CallbackLimits,
    /// For what no run knows.
    observers: Observers,
    listeners: Listeners,
    state: Mutex<State>,
    refused: CallbackRefusalLog,
}

#[derive(Debug, Default)]
struct State {
    routes: HashMap<String, Arc<Route>>,
    closed: VecDeque<(Instant, String)>,
    /// Scenario and target; bounded by the configuration.
    registries: HashMap<(Arc<str>, Arc<str>), Arc<KeyRegistry>>,
}

/// The path of one run, open until it is closed or dropped.
#[derive(Debug)]
pub struct Path {
    exchange: Exchange,
    token: String,
    route: Arc<Route>,
}

impl Exchange {
    /// An exchange whose `observers` observe events that no run knows.
    pub fn new(limits: CallbackLimits, observers: Observers) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                observers,
                listeners: Listeners::default(),
                state: Mutex::default(),
                refused: CallbackRefusalLog::default(),
            }),
        }
    }

    /// How the listeners of the process fare, that for events among them.
    pub fn listeners(&self) -> &Listeners {
        &self.shared.listeners
    }

    /// What kept the listener for events from taking all that came since a moment: an event that did not
    /// come may be one that was not taken.
    pub async fn shortage_since(&self, moment: Instant) -> Option<Shortage> {
        let moment = moment.checked_sub(RETRY_DELAY).unwrap_or(moment);
        let listener = self.listeners().of(Name::Callbacks);
        listener.shortage_since(moment).await
    }

    /// What kept the simulators in this process from taking all that came since a moment.
    pub async fn simulator_shortage_since(&self, moment: Instant) -> Option<Shortage> {
        let of = |name| self.listeners().of(name).shortage_since(moment);
        let shortages = join_all(Name::SIMULATED.map(of)).await;
        shortages.into_iter().flatten().next()
    }

    /// Connections with events or for a simulator that were dropped because an accept queue of this
    /// process was full.
    pub fn dropped_connections(&self) -> u64 {
        let names = Name::SIMULATED.into_iter().chain([Name::Callbacks]);
        names.map(|name| self.listeners().of(name).dropped()).sum()
    }

    /// The largest body of an event.
    pub fn max_body_bytes(&self) -> usize {
        self.shared.limits.max_body_bytes
    }

    /// A path for the run of these observers. Its 122 random bits are what keeps strangers from sending events.
    pub fn open(
        &self,
        scenario: Arc<Scenario>,
        target: Arc<Target>,
        scope: Scope,
        observers: RunObservers,
    ) -> Path {
        let token = format!("{TOKEN_BEGIN}{}", Uuid::new_v4().simple());
        let subject = &observers.run().subject;
        let key = (subject.scenario.clone(), subject.target.clone());
        let mut state = self.state();
        let registry = state
            .registries
            .entry(key)
            .or_insert_with(|| Arc::new(KeyRegistry::new(self.shared.limits)))
            .clone();
        let owner = Arc::new(Owner::new(registry.next_run(), observers));
        registry.open(&owner);
        let route = Arc::new(Route {
            owner,
            registry,
            scenario,
            target,
            scope,
        });
        state.routes.insert(token.clone(), route.clone());
        Path {
            exchange: self.clone(),
            token,
            route,
        }
    }

    /// Takes a request that arrived on a path. The token may stand in any part of it: a proxy may or may
    /// not have taken away what stands before, and centres put names behind it.
    pub fn deliver(
        &self,
        path: &str,
        arrival: Arrival,
        request: &Request<'_>,
    ) -> Result<Reception, CallbackRefusal> {
        let Some(route) = self.route(path) else {
            self.settle_for_nobody(Fate::Unknown);
            let refusal = CallbackRefusal::NoSuchPath;
            self.shared
                .refused
                .note(path, request, &refusal, &refusal.to_string());
            return Err(refusal);
        };
        let most = self.max_body_bytes();
        if let Some(delay) = arrival.read_delay {
            route.owner.read(delay);
        }
        let taken = route.take(arrival.at, request, most);
        taken.map_err(|Refused { refusal, reason }| {
            route.owner.pass(&route.owner, Fate::Rejected);
            self.shared.refused.note(path, request, &refusal, &reason);
            refusal
        })
    }

    /// Notes an event whose body could not be read.
    pub fn reject(&self, path: &str, request: &Request<'_>, refusal: &CallbackRefusal) {
        match self.route(path) {
            Some(route) => route.owner.pass(&route.owner, Fate::Rejected),
            None => self.settle_for_nobody(Fate::Rejected),
        }
        let reason = refusal.to_string();
        self.shared.refused.note(path, request, refusal, &reason);
    }

    /// What whoever started a run should know about the events that came.
    pub fn findings(&self) -> Vec<String> {
        let mut findings = self.shared.refused.findings();
        let registries: Vec<_> = self.state().registries.values().cloned().collect();
        if registries.iter().any(|registry| registry.ids_repeat()) {
            findings.push(
                "ids of events do not identify them: they came for different chats, or with different contents; \
                 duplicates were recognized by id and content"
                    .to_owned(),
            );
        }
        findings
    }

    fn settle_for_nobody(&self, fate: Fate) {
        let observers = &self.shared.observers;
        observers.emit(&ServiceEvent::StrayCallback(fate));
    }

    /// Gives up what has waited too long; call it about once a second.
    pub fn sweep(&self, now: Instant) {
        let registries: Vec<_> = {
            let mut state = self.state();
            state.forget(now, &self.shared.limits);
            state.registries.values().cloned().collect()
        };
        for registry in registries {
            registry.sweep(now);
        }
        // A registry that no path leads to, and that has nothing to remember, is not needed any more.
        let needed =
            |registry: &Arc<KeyRegistry>| Arc::strong_count(registry) > 1 || !registry.is_empty();
        self.state()
            .registries
            .retain(|_, registry| needed(registry));
    }

    /// How many registries there are, and how many early events they keep together.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let state = self.state();
        let registries = state.registries.values();
        let early = registries.map(|registry| registry.early_events());
        (state.registries.len(), early.sum())
    }

    fn route(&self, path: &str) -> Option<Arc<Route>> {
        let state = self.state();
        let mut parts = path.split('/').take(MOST_PARTS);
        parts.find_map(|part| state.routes.get(part).cloned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it is held; the maps are usable even so.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, now: Instant, limits: &CallbackLimits) {
        while let Some((closed, token)) = self.closed.front() {
            let too_many = self.closed.len() > MOST_CLOSED_PATHS;
            if !too_many && now.saturating_duration_since(*closed) < limits.remember_for {
                return;
            }
            self.routes.remove(token);
            self.closed.pop_front();
        }
    }
}

impl Path {
    /// The last segment of the callback URL.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// An inbox for a new chat of the run.
    pub fn inbox(&self) -> Inbox {
        let chat = self.route.registry.next_chat();
        Inbox::new(self.route.owner.clone(), chat)
    }

    /// By which events of this path, and of those of other runs, find an inbox.
    pub fn claims(&self, inbox: &Inbox) -> Claims {
        Claims::new(self.route.registry.clone(), inbox.sender())
    }
}

impl Drop for Path {
    /// Settles what still waits. The path is remembered a while, for events that come late, and
    /// for servers that use it for other runs.
    fn drop(&mut self) {
        self.route.registry.close(&self.route.owner);
        let now = Instant::now();
        let mut state = self.exchange.state();
        state.closed.push_back((now, self.token.clone()));
        state.forget(now, &self.exchange.shared.limits);
    }
}
