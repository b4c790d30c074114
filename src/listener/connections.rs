//! The open connections of a listener: which of them wait for their client, and which one has to go.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Limits,
    counters::{Closed, Counters, Name, Shortage},
};
use crate::descriptors::{self, Permit, Purpose, Reclaim};

/// A head or a body that takes longer is slow, and goes before connections that carried requests.
const SLOW: Duration = Duration::from_secs(1);
/// How long to wait for capacity before looking again.
const LOOK: Duration = Duration::from_millis(20);

/// The connections of one listener.
#[derive(Debug)]
pub struct Connections {
    pub(super) limits: Limits,
    pub(super) counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Connections that wait for their client, each since it came to be what it is.
    waiting: BTreeMap<(Phase, u64), Waiting>,
    /// The number of the next that comes to wait.
    next: u64,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The first request that is answered well.
    Silent,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// Another request.
    Idle,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    shared: Arc<Shared>,
}

/// What a connection and the list of those that wait have in common.
#[derive(Debug)]
struct Shared {
    peer: SocketAddr,
    /// Read since the last answer.
    bytes: AtomicU64,
    /// Whether it is counted among those that are open.
    counted: AtomicBool,
    end: CancellationToken,
}

/// One of the connections that a listener may have open, until it is dropped.
#[derive(Debug)]
pub(super) struct ListenerSlot {
    connections: Arc<Connections>,
    shared: Arc<Shared>,
    request_state: Mutex<RequestState>,
    _permit: Permit,
}

#[derive(Debug, Default)]
struct RequestState {
    /// `None` while a request is being answered.
    waiting: Option<(Phase, u64)>,
    /// It carried a request that was answered well.
    has_served: bool,
    /// Something of the next request came before the last one was answered.
    pipelined: bool,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits, counters: Arc<Counters>) -> Arc<Self> {
        let limit = u64::try_from(limits.connections).unwrap_or(u64::MAX);
        counters.limit.store(limit, Ordering::Relaxed);
        let connections = Arc::new(Self {
            limits,
            counters,
            state: Mutex::default(),
        });
        if connections.purpose() == Purpose::Inbound {
            let weak = Arc::downgrade(&connections);
            let reclaimer: Weak<dyn Reclaim> = weak;
            descriptors::reclaim_from(Purpose::Inbound, reclaimer);
        }
        connections
    }

    fn purpose(&self) -> Purpose {
        match self.counters.name() {
            Name::Web => Purpose::Web,
            Name::Callbacks | Name::Simulator | Name::Rooms | Name::Behaviour => Purpose::Inbound,
        }
    }

    /// Waits for capacity for one that was accepted. If there is none, the one that can be spared most is closed.
    pub(super) async fn admit(self: &Arc<Self>, peer: SocketAddr) -> Arc<ListenerSlot> {
        loop {
            let full = self.state().open >= self.limits.connections;
            if !full && let Some(permit) = descriptors::acquire(self.purpose()) {
                return self.slot(peer, permit);
            }
            // If the process has no descriptor left, an idle connection of any listener frees one.
            if !self.make_room() && (full || !descriptors::reclaim()) {
                self.counters
                    .note_shortage(Shortage::Full, &format_args!("that of {peer}"));
            } else if full {
                continue;
            }
            // The descriptor is free once the task of the connection has ended.
            sleep(LOOK).await;
        }
    }

    fn slot(self: &Arc<Self>, peer: SocketAddr, permit: Permit) -> Arc<ListenerSlot> {
        let shared = Arc::new(Shared {
            peer,
            bytes: AtomicU64::new(0),
            counted: AtomicBool::new(true),
            end: CancellationToken::new(),
        });
        self.state().open += 1;
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(ListenerSlot {
            connections: self.clone(),
            shared,
            request_state: Mutex::default(),
            _permit: permit,
        });
        slot.enter(&mut slot.request_state(), Some(Phase::Silent));
        slot
    }

    /// Closes the connection that can be spared most: the one that has been silent the longest, a slow one,
    /// the one that has been idle the longest. Whether there was one.
    pub(super) fn make_room(&self) -> bool {
        let closed = {
            let mut state = self.state();
            let slow = Instant::now().checked_sub(SLOW);
            let first = |phase| state.first(phase);
            let silent = first(Phase::Silent);
            let receiving = [first(Phase::Head), first(Phase::Body)]
                .into_iter()
                .flatten();
            let slow = receiving.filter(|(_, since)| slow.is_some_and(|slow| *since <= slow));
            let slow = slow.min_by_key(|(_, since)| *since);
            let chosen = silent.or(slow).or_else(|| first(Phase::Idle));
            chosen.and_then(|(key, _)| self.close(&mut state, key, Closed::Capacity))
        };
        let Some((peer, since)) = closed else {
            return false;
        };
        let waited = since.elapsed();
        let detail = format_args!("that of {peer}, from which nothing had come for {waited:.1?}");
        self.counters.note_shortage(Shortage::Capacity, &detail);
        true
    }

    /// Closes what has waited for too long.
    pub(super) fn close_expired(&self) {
        let now = Instant::now();
        let mut state = self.state();
        for (phase, limit, why) in [
            (Phase::Silent, self.limits.silent, Closed::Silent),
            (Phase::Head, self.limits.head, Closed::Slow),
            (Phase::Body, self.limits.body, Closed::Slow),
            (Phase::Idle, self.limits.idle, Closed::Idle),
        ] {
            while let Some((key, since)) = state.first(phase)
                && now.saturating_duration_since(since) >= limit
            {
                if let Some((peer, _)) = self.close(&mut state, key, why) {
                    let listener = self.counters.name().as_str();
                    tracing::debug!(%peer, listener, "closed a connection: {}", why.as_str());
                }
            }
        }
    }

    /// Cuts off requests that are not complete, those first that take longest, until what is left fits into
    /// memory. Those that are quick may take twice as much.
    fn shed(&self) {
        let limit = self.limits.bytes;
        loop {
            let bytes = self.counters.bytes.load(Ordering::Relaxed);
            if bytes <= limit {
                return;
            }
            let closed = {
                let mut state = self.state();
                let receiving = [state.first(Phase::Head), state.first(Phase::Body)];
                let oldest = receiving
                    .into_iter()
                    .flatten()
                    .min_by_key(|(_, since)| *since);
                let oldest =
                    oldest.filter(|(_, since)| since.elapsed() >= SLOW || bytes > 2 * limit);
                oldest.and_then(|(key, _)| self.close(&mut state, key, Closed::Bytes))
            };
            let Some((peer, since)) = closed else { return };
            let took = since.elapsed();
            let detail = format_args!("{bytes} bytes; that of {peer}, after {took:.1?}");
            self.counters.note_shortage(Shortage::Bytes, &detail);
        }
    }

    /// Has one that waits ended by its task. From now on it counts no more.
    fn close(
        &self,
        state: &mut State,
        key: (Phase, u64),
        why: Closed,
    ) -> Option<(SocketAddr, Instant)> {
        let Waiting { since, shared } = state.waiting.remove(&key)?;
        self.uncount(state, &shared);
        self.counters.count_closed(why);
        shared.end.cancel();
        Some((shared.peer, since))
    }

    fn uncount(&self, state: &mut State, shared: &Shared) {
        if shared.counted.swap(false, Ordering::Relaxed) {
            state.open -= 1;
            self.counters.connections.fetch_sub(1, Ordering::Relaxed);
        }
        shared.forget_bytes(&self.counters);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Shared {
    /// Adds bytes that were read; returns the sum of all connections. The sum grows first, and the release
    /// here pairs with the acquire of `forget_bytes`, so that no thread subtracts what is not added yet.
    fn count_bytes(&self, counters: &Counters, bytes: u64) -> u64 {
        let before = counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Release);
        before.saturating_add(bytes)
    }

    fn forget_bytes(&self, counters: &Counters) {
        let bytes = self.bytes.swap(0, Ordering::Acquire);
        counters.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Reclaim for Connections {
    fn close_idle(&self) -> bool {
        self.make_room()
    }
}

impl State {
    /// The one that has waited the longest for this.
    fn first(&self, phase: Phase) -> Option<((Phase, u64), Instant)> {
        let mut all = self.waiting.range((phase, 0)..=(phase, u64::MAX));
        all.next().map(|(key, waiting)| (*key, waiting.since))
    }
}

impl ListenerSlot {
    pub(super) fn peer(&self) -> SocketAddr {
        self.shared.peer
    }

    /// Completes when the connection has to go.
    pub(super) async fn ended(&self) {
        self.shared.end.cancelled().await;
    }

    /// So many bytes came.
    pub(super) fn received(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if !self.shared.counted.load(Ordering::Relaxed) {
            return;
        }
        let counters = &self.connections.counters;
        let all = self.shared.count_bytes(counters, bytes);
        {
            let mut request_state = self.request_state();
            match request_state.waiting {
                None => request_state.pipelined = true,
                Some((Phase::Silent | Phase::Idle, _)) => {
                    self.enter(&mut request_state, Some(Phase::Head));
                }
                Some((Phase::Head | Phase::Body, _)) => {}
            }
        }
        if all > self.connections.limits.bytes {
            self.connections.shed();
        }
    }

    /// The head of a request is complete.
    pub(super) fn begin(&self, has_body: bool) {
        let mut request_state = self.request_state();
        request_state.pipelined = false;
        self.enter(&mut request_state, has_body.then_some(Phase::Body));
    }

    /// Its body is complete, or is not wanted.
    pub(super) fn end_body(&self) {
        let mut request_state = self.request_state();
        if matches!(request_state.waiting, Some((Phase::Body, _))) {
            self.enter(&mut request_state, None);
        }
    }

    /// It was answered.
    pub(super) fn answered(&self, well: bool) {
        let mut request_state = self.request_state();
        request_state.has_served |= well;
        let next = match (request_state.pipelined, request_state.has_served) {
            (true, _) => Phase::Head,
            (false, true) => Phase::Idle,
            (false, false) => Phase::Silent,
        };
        request_state.pipelined = false;
        self.shared.forget_bytes(&self.connections.counters);
        self.enter(&mut request_state, Some(next));
    }

    /// From now on it carries another protocol, whose server knows how long it may wait.
    pub(super) fn upgraded(&self) {
        let mut request_state = self.request_state();
        self.shared.forget_bytes(&self.connections.counters);
        self.enter(&mut request_state, None);
    }

    fn enter(&self, request_state: &mut RequestState, phase: Option<Phase>) {
        let mut state = self.connections.state();
        if let Some(before) = request_state.waiting.take() {
            state.waiting.remove(&before);
        }
        // One that has been told to go waits for nothing.
        let Some(phase) = phase.filter(|_| self.shared.counted.load(Ordering::Relaxed)) else {
            return;
        };
        let key = (phase, state.next);
        state.next += 1;
        let waiting = Waiting {
            since: Instant::now(),
            shared: self.shared.clone(),
        };
        state.waiting.insert(key, waiting);
        request_state.waiting = Some(key);
    }

    fn request_state(&self) -> MutexGuard<'_, RequestState> {
        lock(&self.request_state)
    }
}

impl Drop for ListenerSlot {
    fn drop(&mut self) {
        let mut request_state = lock(&self.request_state);
        let mut state = self.connections.state();
        if let Some(key) = request_state.waiting.take() {
            state.waiting.remove(&key);
        }
        self.connections.uncount(&mut state, &self.shared);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers and lists that are whole after every statement.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
