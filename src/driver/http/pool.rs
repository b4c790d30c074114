//! The connections to one server: how many there are, which of them are idle, and who waits for one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout},
};

use super::{failure::Cause, forwarding::Forwarding, sender::Sender};
use crate::{
    descriptors::{self, Purpose, Reclaim},
    driver::transport::{
        ConnectionSettings, Connector, Destination, Progress, Sharing, Stage, TransportFailure,
    },
    units::duration,
};

/// Shorter than what common servers allow, so that it is mostly us who close an idle connection.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// A connection whose answer has been read takes the next request at once, unless the server answered
/// before it had read the request.
const READY_WITHIN: Duration = Duration::from_millis(500);

/// The part of the greatest age by which connections differ in theirs.
const SPREAD: f64 = 0.2;

/// The connection pool of one server.
pub(super) struct Pool {
    pub(super) origin: Destination,
    connector: Connector,
    /// Connections that are older take no further request.
    max_age: Option<Duration>,
    most: usize,
    opening_at_most: usize,
    opening: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections in use, idle, or being opened.
    slots: usize,
    /// What was used last stands last and is taken first. While somebody waits, nothing is idle.
    idle: VecDeque<Idle>,
    /// Whoever came first is served first.
    waiting: VecDeque<oneshot::Sender<Grant>>,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// What somebody gets who has something to send.
enum Grant {
    /// A connection that was used before.
    Used(PoolSlot, Sender),
    /// Leave to open one.
    Open(PoolSlot, Opening),
}

/// One of the connections that a pool may have. When it is dropped, somebody else may have it.
struct PoolSlot(Option<Arc<Pool>>);

/// Held while a connection is being opened.
struct Opening {
    permit: Option<OwnedSemaphorePermit>,
    pool: Arc<Pool>,
}

/// A connection in somebody's hands.
pub(super) struct Connection {
    slot: PoolSlot,
    pub(super) sender: Sender,
    /// It carried a request before.
    pub(super) used: bool,
}

impl Pool {
    pub(super) fn new(
        origin: Destination,
        connector: Connector,
        wanted: &ConnectionSettings,
    ) -> Arc<Self> {
        let pool = Arc::new(Self {
            origin,
            connector,
            max_age: match wanted.sharing {
                Sharing::Shared { max_age, .. } => Some(max_age),
                Sharing::PerCustomer => None,
            },
            most: match wanted.sharing {
                Sharing::Shared { most, .. } => most.get(),
                Sharing::PerCustomer => usize::MAX,
            },
            opening_at_most: wanted.opening.get(),
            opening: Arc::new(Semaphore::new(wanted.opening.get())),
            state: Mutex::default(),
        });
        let weak = Arc::downgrade(&pool);
        let reclaimer: Weak<dyn Reclaim> = weak;
        descriptors::reclaim_from(Purpose::Outbound, reclaimer);
        pool
    }

    /// Waits for an idle connection or opens one. A wait that is given up loses nothing.
    pub(super) async fn connection(
        self: &Arc<Self>,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        progress.reach(Stage::Connection);
        let grant = if let Some(grant) = self.grant_at_once() {
            progress.granted_at_once();
            grant
        } else {
            let grant = self.grant().await;
            progress.granted();
            grant
        };
        match grant {
            Grant::Used(slot, sender) => {
                let used = true;
                let connection = Connection { slot, sender, used };
                self.ready(connection, progress).await
            }
            Grant::Open(slot, opening) => {
                let sender = self.open(progress).await?;
                drop(opening);
                let used = false;
                Ok(Connection { slot, sender, used })
            }
        }
    }

    /// The connection, or another one in its slot: it was closed while it was idle, and nothing has been
    /// sent on it.
    pub(super) async fn ready(
        self: &Arc<Self>,
        mut connection: Connection,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        if connection.sender.is_ready() {
            return Ok(connection);
        }
        let ready = timeout(READY_WITHIN, connection.sender.ready()).await;
        if let Ok(Ok(())) = ready {
            return Ok(connection);
        }
        self.replace(connection, progress).await
    }

    /// Another connection in the slot of this one.
    pub(super) async fn replace(
        self: &Arc<Self>,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<Connection, Cause> {
        progress.reach(Stage::Connection);
        let Connection { slot, sender, .. } = connection;
        drop(sender);
        // It is never closed; without a permit the connection is opened all the same.
        let opening = Opening {
            permit: self.opening.clone().acquire_owned().await.ok(),
            pool: self.clone(),
        };
        let sender = self.open(progress).await?;
        drop(opening);
        let used = false;
        Ok(Connection { slot, sender, used })
    }

    async fn open(&self, progress: &mut Progress) -> Result<Sender, Cause> {
        // In a box: most requests find a connection, and need no room for opening one.
        let connected = Box::pin(self.connector.open(progress)).await?;
        let permit = Some(connected.permit);
        let mut sender = Sender::open(connected.stream, connected.arrivals, permit).await?;
        if let Some(proxy) = connected.forwarded_by {
            sender = sender.forwarded(Forwarding::new(&proxy, &self.origin.server));
        }
        sender.round_trip = progress.round_trip;
        sender.expires = self.max_age.map(|age| {
            // Connections that were opened together must not all be opened anew together.
            Instant::now() + age.mul_f64(1.0 - SPREAD * fastrand::f64())
        });
        Ok(sender)
    }

    /// A connection whose answer has been read waits for the next request.
    pub(super) fn give_back(self: &Arc<Self>, connection: Connection) {
        let Connection {
            slot, mut sender, ..
        } = connection;
        if sender.is_ready() {
            self.keep(slot, sender);
        } else if !sender.is_closed() {
            let pool = self.clone();
            // It ends soon, whatever the server does.
            tokio::spawn(async move {
                if let Ok(Ok(())) = timeout(READY_WITHIN, sender.ready()).await {
                    pool.keep(slot, sender);
                }
            });
        }
    }

    /// Why no connection was there for so long.
    pub(super) fn shortage(&self, waited: Duration) -> TransportFailure {
        let waited = duration::exact(waited);
        let opening = self.opening_at_most - self.opening.available_permits();
        let slots = self.state().slots;
        if opening >= self.opening_at_most.min(slots) {
            return TransportFailure::connect(&format!(
                "no connection within {waited}: {opening} to this server are being opened, and none came about"
            ));
        }
        TransportFailure::timeout(format!(
            "no connection was free for {waited}: all {slots} to this server are in use; `connections` of the \
             target allows more"
        ))
    }

    /// Closes what has been idle for long; whether the pool has no connection then.
    pub(super) fn close_expired(&self) -> bool {
        let mut state = self.state();
        state.close_expired(Instant::now());
        state.slots == 0
    }

    /// What there is, unless somebody else waits for it.
    fn grant_at_once(self: &Arc<Self>) -> Option<Grant> {
        let mut state = self.state();
        state.forget_gone();
        if state.waiting.is_empty() {
            self.next(&mut state)
        } else {
            None
        }
    }

    async fn grant(self: &Arc<Self>) -> Grant {
        loop {
            let granted = {
                let mut state = self.state();
                state.forget_gone();
                if state.waiting.is_empty()
                    && let Some(grant) = self.next(&mut state)
                {
                    return grant;
                }
                let (waiter, granted) = oneshot::channel();
                state.waiting.push_back(waiter);
                granted
            };
            if let Ok(grant) = granted.await {
                return grant;
            }
        }
    }

    fn keep(self: &Arc<Self>, slot: PoolSlot, sender: Sender) {
        let now = Instant::now();
        if sender.is_expired(now) {
            // The slot goes to whoever waits, who opens another one.
            return;
        }
        let mut state = self.state();
        state.close_expired(now);
        state.forget_gone();
        if let Some(waiter) = state.waiting.pop_front() {
            let unwanted = waiter.send(Grant::Used(slot, sender));
            drop(state);
            // Who gave up meanwhile leaves the slot to the next, without the connection.
            drop(unwanted);
        } else {
            state.idle.push_back(Idle { sender, since: now });
            slot.leave_open();
        }
    }

    /// Gives those who wait what there is.
    fn serve(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut unwanted = Vec::new();
        loop {
            state.forget_gone();
            if state.waiting.is_empty() {
                break;
            }
            let Some(grant) = self.next(&mut state) else {
                break;
            };
            if let Some(waiter) = state.waiting.pop_front() {
                unwanted.extend(waiter.send(grant).err());
            }
        }
        // To give something back takes the state.
        drop(state);
        drop(unwanted);
    }

    fn next(self: &Arc<Self>, state: &mut State) -> Option<Grant> {
        let slot = || PoolSlot(Some(self.clone()));
        while let Some(idle) = state.idle.pop_back() {
            if !idle.sender.is_closed() && !idle.is_over(Instant::now()) {
                return Some(Grant::Used(slot(), idle.sender));
            }
            state.slots -= 1;
        }
        if state.slots >= self.most {
            return None;
        }
        let permit = Some(self.opening.clone().try_acquire_owned().ok()?);
        state.slots += 1;
        let pool = self.clone();
        Some(Grant::Open(slot(), Opening { permit, pool }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters and lists that are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is idle may be closed where the process has no descriptor left for a connection to another server.
impl Reclaim for Pool {
    fn close_idle(&self) -> bool {
        let oldest = {
            let mut state = self.state();
            let oldest = state.idle.pop_front();
            state.slots -= usize::from(oldest.is_some());
            oldest
        };
        oldest.is_some()
    }

    fn idle_since(&self) -> Option<Instant> {
        self.state().idle.front().map(|idle| idle.since)
    }
}

impl State {
    /// Those who gave up before it was their turn.
    fn forget_gone(&mut self) {
        while self.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            self.waiting.pop_front();
        }
    }

    fn close_expired(&mut self, now: Instant) {
        while (self.idle.front()).is_some_and(|idle| idle.is_over(now)) {
            self.idle.pop_front();
            self.slots -= 1;
        }
    }
}

impl Idle {
    /// Whether it was idle for too long, or is too old.
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= IDLE_FOR || self.sender.is_expired(now)
    }
}

impl PoolSlot {
    /// The connection stays, in nobody's hands.
    fn leave_open(mut self) {
        self.0 = None;
    }
}

impl Drop for PoolSlot {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            let mut state = pool.state();
            state.slots -= 1;
            pool.serve(state);
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.pool.serve(self.pool.state());
    }
}
