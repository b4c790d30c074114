use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use minijinja::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Inbound, Mailbox, line::Line, owner::Owner};
use crate::{
    body::read_json,
    config::CallbackLimits,
    event::{Event, Fate, Observers, RunIdentity},
    scenario::{Scenario, Scope, key_text},
};

/// Paths of ended runs that are remembered at the most.
const MOST_CLOSED_PATHS: usize = 1_000;

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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    routes: HashMap<String, Arc<Route>>,
    closed: VecDeque<(Instant, String)>,
    /// Scenario and target; bounded by the configuration.
    lines: HashMap<(Arc<str>, Arc<str>), Arc<Line>>,
}

/// How the events on one path are read.
#[derive(Debug)]
struct Route {
    owner: Arc<Owner>,
    line: Arc<Line>,
    scenario: Arc<Scenario>,
    scope: Scope,
}

/// The path of one run, open until it is closed or dropped.
#[derive(Debug)]
pub struct Path {
    exchange: Exchange,
    token: String,
    route: Arc<Route>,
}

/// What the exchange made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It is on its way.
    Taken,
    /// No run has this path.
    NoSuchPath,
    /// The body is no JSON.
    NotJson,
}

impl Exchange {
    /// An exchange that tells `observers` about events that no run knows.
    pub fn new(limits: CallbackLimits, observers: Observers) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                observers,
                state: Mutex::default(),
            }),
        }
    }

    /// The largest body of an event.
    pub fn max_body_bytes(&self) -> usize {
        self.shared.limits.max_body_bytes
    }

    /// A path for a new run. Its 122 random bits are what keeps strangers from sending events.
    pub fn open(
        &self,
        run: Arc<RunIdentity>,
        scenario: Arc<Scenario>,
        scope: Scope,
        observers: Observers,
    ) -> Path {
        let token = Uuid::new_v4().simple().to_string();
        let subject = &run.subject;
        let key = (subject.scenario.clone(), subject.target.clone());
        let mut state = self.state();
        let line = state
            .lines
            .entry(key)
            .or_insert_with(|| Arc::new(Line::new(self.shared.limits)))
            .clone();
        let owner = Arc::new(Owner::new(run, observers, self.shared.observers.clone()));
        line.open(&owner);
        let route = Arc::new(Route {
            owner,
            line,
            scenario,
            scope,
        });
        state.routes.insert(token.clone(), route.clone());
        Path {
            exchange: self.clone(),
            token,
            route,
        }
    }

    /// Takes the body of a request that arrived on a path.
    pub fn deliver(&self, token: &str, arrived: Instant, body: &[u8]) -> Reception {
        let Some(route) = self.route(token) else {
            self.shared.observers.tell(&Event::CallbackSettled {
                run: None,
                fate: Fate::Unknown,
            });
            return Reception::NoSuchPath;
        };
        let Ok(event) = read_json(body, None) else {
            route.owner.pass(Fate::Rejected);
            return Reception::NotJson;
        };
        match route.read(event, arrived, body.len()) {
            Some((key, inbound)) => route.line.deliver(&route.owner, key, inbound),
            None => route.owner.pass(Fate::Unknown),
        }
        Reception::Taken
    }

    /// Notes an event whose body was not read.
    pub fn reject(&self, token: &str) {
        match self.route(token) {
            Some(route) => route.owner.pass(Fate::Rejected),
            None => self.shared.observers.tell(&Event::CallbackSettled {
                run: None,
                fate: Fate::Rejected,
            }),
        }
    }

    /// Gives up what has waited too long; call it about once a second.
    pub fn sweep(&self, now: Instant) {
        let lines: Vec<_> = {
            let mut state = self.state();
            state.forget(now, &self.shared.limits);
            state.lines.values().cloned().collect()
        };
        for line in lines {
            line.sweep(now);
        }
        // A line that no path leads to, and that has nothing to remember, is not needed any more.
        let needed = |line: &Arc<Line>| Arc::strong_count(line) > 1 || !line.is_empty();
        self.state().lines.retain(|_, line| needed(line));
    }

    /// How many lines there are, and how long their orders of arrival are together.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        let state = self.state();
        let orders = state.lines.values().map(|line| line.order_length());
        (state.lines.len(), orders.sum())
    }

    fn route(&self, token: &str) -> Option<Arc<Route>> {
        self.state().routes.get(token).cloned()
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

impl Route {
    /// The key of an event and the event as a mailbox keeps it; `None` if it has no key.
    fn read(&self, event: Value, arrived: Instant, bytes: usize) -> Option<(String, Inbound)> {
        let callbacks = self.scenario.callbacks.as_ref()?;
        let mut scope = self.scope.clone();
        scope.look_at_event(event.clone(), std::time::Duration::ZERO);
        let scope = Arc::new(scope);
        let key = key_text(&callbacks.key.evaluate(&scope).ok()?)?;
        let id = callbacks.id.as_ref().and_then(|id| {
            let value = id.evaluate(&scope).ok()?;
            let text = || key_text(&value).unwrap_or_else(|| value.to_string());
            (!value.is_undefined() && !value.is_none()).then(text)
        });
        let inbound = Inbound {
            arrived,
            event,
            id,
            bytes,
        };
        Some((key, inbound))
    }
}

impl Path {
    /// The last segment of the callback URL.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A mailbox for one chat of the run.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.route.line.clone(), self.route.owner.clone())
    }
}

impl Drop for Path {
    /// Settles what still waits. The path is remembered a while, for events that come late, and
    /// for servers that use it for other runs.
    fn drop(&mut self) {
        self.route.line.close(&self.route.owner);
        let now = Instant::now();
        let mut state = self.exchange.state();
        state.closed.push_back((now, self.token.clone()));
        state.forget(now, &self.exchange.shared.limits);
    }
}
