//! What a listener took and what it could not take: counted, logged, reported.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::queue::{AGAIN, OverflowReader, Overflows};
use crate::line_budget::LineBudget;

/// How long it may take until a queue that overflowed is emptied; the longest that Linux has usually takes a tenth of it.
const CLEARED_UP: Duration = Duration::from_secs(1);

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Inbound events.
    Callbacks,
    /// Metrics, admin API, console.
    Web,
    /// The simulated contact centre.
    Simulator,
    /// The simulated chat rooms.
    Rooms,
    /// The simulated behaviour service.
    Behaviour,
}

impl Name {
    /// Every listener.
    pub const ALL: [Self; 5] = [
        Self::Callbacks,
        Self::Web,
        Self::Simulator,
        Self::Rooms,
        Self::Behaviour,
    ];
    /// The simulators.
    pub const SIMULATED: [Self; 3] = [Self::Simulator, Self::Rooms, Self::Behaviour];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callbacks => "callbacks",
            Self::Web => "web",
            Self::Simulator => "simulator",
            Self::Rooms => "rooms",
            Self::Behaviour => "behaviour",
        }
    }
}

/// Why the listener closed a connection that its client would have kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It carried no request that was answered well, for too long.
    Silent,
    /// A head or a body was not complete in time.
    Slow,
    /// It carried a request, and none since for too long.
    Idle,
    /// Another connection needed its slot or its descriptor.
    Capacity,
    /// Requests that were not complete took too much memory together.
    Bytes,
}

impl Closed {
    /// Every cause.
    pub const ALL: [Self; 5] = [
        Self::Silent,
        Self::Slow,
        Self::Idle,
        Self::Capacity,
        Self::Bytes,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Capacity => "capacity",
            Self::Bytes => "bytes",
        }
    }
}

/// What kept a listener from taking all that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// A connection was closed to make room for another.
    Capacity,
    /// A request was cut off, because those that were not complete took too much memory.
    Bytes,
    /// A connection had to wait, because the listener was full and no connection could be closed.
    Full,
    /// The system would not hand over a connection.
    NotAccepted,
    /// Connections found the accept queue full.
    AcceptQueue,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capacity => "a connection was closed to make room for another",
            Self::Bytes => {
                "a request was cut off, because those that were not complete took too much memory"
            }
            Self::Full => "a connection had to wait, because all that are allowed are busy",
            Self::NotAccepted => "a connection was not accepted, because the system refused",
            Self::AcceptQueue => "connections were dropped, because the accept queue was full",
        })
    }
}

/// How a listener stands, and what happened to it since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Open connections.
    pub connections: u64,
    /// How many there may be at once; 0 if it does not listen.
    pub limit: u64,
    /// Bytes of requests that are not answered yet.
    pub bytes: u64,
    /// Connections that it closed, in the order of [`Closed::ALL`].
    pub closed: [u64; Closed::ALL.len()],
    /// How often a connection had to wait because none could be taken.
    pub waited: u64,
    /// Connections that were dropped because its accept queue was full, as far as that can be told.
    pub dropped: u64,
}

/// Counts what one listener takes and what it cannot.
#[derive(Debug)]
pub struct Counters {
    name: Name,
    pub(super) connections: AtomicU64,
    pub(super) limit: AtomicU64,
    pub(super) bytes: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    waited: AtomicU64,
    dropped: AtomicU64,
    accepted: AtomicU64,
    /// `None` until it listens.
    overflows: Mutex<Option<Overflows>>,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    shortage: Option<(Instant, Shortage)>,
    lines: LineBudget,
}

impl Counters {
    fn new(name: Name) -> Self {
        Self {
            name,
            connections: AtomicU64::default(),
            limit: AtomicU64::default(),
            bytes: AtomicU64::default(),
            closed: Default::default(),
            waited: AtomicU64::default(),
            dropped: AtomicU64::default(),
            accepted: AtomicU64::default(),
            overflows: Mutex::default(),
            latest: Mutex::default(),
        }
    }

    /// The last shortage, if there was one at or after a moment, by what the kernel has counted until now. Waits for a
    /// while if an accept queue overflowed and it is not clear yet whether it was that of this listener: after a
    /// standstill of the process, timeouts end before the queue is emptied.
    pub async fn shortage_since(&self, moment: Instant) -> Option<Shortage> {
        let until = Instant::now() + CLEARED_UP;
        loop {
            let known = self.latest_since(moment);
            if known.is_some() {
                return known;
            }
            self.count_overflows(Overflows::look_between);
            let known = self.latest_since(moment);
            if known.is_some() || !self.has_unclear_overflows() || Instant::now() >= until {
                return known;
            }
            sleep(AGAIN).await;
        }
    }

    fn latest_since(&self, moment: Instant) -> Option<Shortage> {
        let (at, shortage) = self.latest().shortage?;
        (at >= moment).then_some(shortage)
    }

    fn has_unclear_overflows(&self) -> bool {
        let overflows = lock(&self.overflows);
        overflows.as_ref().is_some_and(Overflows::are_unclear)
    }

    /// [`Figures::dropped`] until now, with what the kernel has counted since the last reading.
    pub fn dropped(&self) -> u64 {
        self.count_overflows(Overflows::look_between);
        self.dropped.load(Ordering::Relaxed)
    }

    /// How it stands.
    pub fn figures(&self) -> Figures {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Figures {
            connections: read(&self.connections),
            limit: read(&self.limit),
            bytes: read(&self.bytes),
            closed: self.closed.each_ref().map(read),
            waited: read(&self.waited),
            dropped: read(&self.dropped),
        }
    }

    pub(super) fn name(&self) -> Name {
        self.name
    }

    pub(super) fn count_closed(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that something could not be taken; `detail` says which.
    pub(crate) fn note_shortage(&self, shortage: Shortage, detail: &dyn fmt::Display) {
        match shortage {
            Shortage::Full | Shortage::NotAccepted => {
                self.waited.fetch_add(1, Ordering::Relaxed);
            }
            Shortage::Capacity | Shortage::Bytes | Shortage::AcceptQueue => {}
        }
        let admitted = {
            let mut latest = self.latest();
            latest.shortage = Some((Instant::now(), shortage));
            latest.lines.admit()
        };
        let Some(untold) = admitted else { return };
        let Figures {
            connections, limit, ..
        } = self.figures();
        tracing::warn!(
            listener = self.name.as_str(),
            connections,
            limit,
            untold,
            "{shortage}: {detail}; who opens them: `ss -tnp`"
        );
    }

    /// From now on it listens, with an accept queue of this length.
    pub(super) fn listen(&self, length: u32, read: OverflowReader) {
        let overflows = Overflows::new(length, self.accepted.load(Ordering::Relaxed), read);
        *lock(&self.overflows) = Some(overflows);
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a period of those that [`Overflows`] compares.
    pub(super) fn end_period(&self) {
        self.count_overflows(Overflows::end_period);
    }

    fn count_overflows(&self, look: fn(&mut Overflows, u64) -> u64) {
        let own = {
            let mut overflows = lock(&self.overflows);
            let accepted = self.accepted.load(Ordering::Relaxed);
            overflows.as_mut().map_or(0, |it| look(it, accepted))
        };
        if own > 0 {
            self.count_dropped(own);
        }
    }

    pub(crate) fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
        let detail = format!("{count} of them, each a second late or lost");
        self.note_shortage(Shortage::AcceptQueue, &detail);
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        lock(&self.latest)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Values that are whole after every statement.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The listeners of the process. Clones share them.
#[derive(Debug, Clone)]
pub struct Listeners([Arc<Counters>; Name::ALL.len()]);

impl Default for Listeners {
    fn default() -> Self {
        Self(Name::ALL.map(|name| Arc::new(Counters::new(name))))
    }
}

impl Listeners {
    /// One of them.
    pub fn of(&self, name: Name) -> &Arc<Counters> {
        &self.0[name as usize]
    }

    /// How all of them stand, in the order of [`Name::ALL`].
    pub fn figures(&self) -> [Figures; Name::ALL.len()] {
        self.0.each_ref().map(|counters| counters.figures())
    }
}
