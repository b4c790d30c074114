//! A contact centre to practise on: the wire protocol, agents, a queue, and faults on demand. Beside it, chat rooms:
//! [`rooms`]; and a service with a database: [`behaviour`].
//!
//! A request comes in through [`api`], which draws what [`faults`] make of it
//! and asks the [`floor`]. The floor owns all sessions, chats ([`engagement`]), [`agents`] and the
//! [`agenda`] of what happens next; it runs without I/O. What happens there goes through the
//! [`outbox`] as [`events`] to the [`webhooks`] of the chat, and out with [`delivery`]. The
//! [`statistics`] count all of it. Agents of a [`shift`] act by hand through the [`agent_api`] or an [`agent_socket`], and
//! customers without events ask through the [`chat_api`]. Locks are taken in the order floor, delivery, statistics, and never held
//! while waiting.

mod agenda;
mod agent_api;
mod agent_socket;
mod agents;
mod answering;
mod api;
mod behaviour;
mod chat_api;
mod delivery;
mod due;
mod engagement;
mod event_kind;
mod events;
mod fault_shapes;
mod faults;
mod floor;
mod handshake;
mod ids;
mod outbox;
mod quirks;
mod randomness;
mod receivers;
mod request_counts;
mod requests;
mod rooms;
mod settings;
mod setup;
mod shift;
mod statistics;
mod timekeeper;
mod transcript;
mod webhooks;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use api::Stats;
pub use behaviour::{
    BehaviourCensus, BehaviourCounts, BehaviourDatabaseError, BehaviourFaults, BehaviourLimits,
    BehaviourRequest, BehaviourService, BehaviourSettings, BehaviourStats, BehaviourStatus,
    StaleReads,
};
pub use delivery::Traffic;
pub use event_kind::EventKind;
pub use fault_shapes::{
    DelayShare, ErrorAnswers, ErrorStatus, FaultShare, Probability, TransitFaults,
};
pub use faults::{AgentFaults, AgentLeaves, Faults};
pub use floor::Census;
pub use quirks::{EventContentType, EventMethod, Quirks};
pub use requests::RequestKind;
pub use rooms::{
    ClientFrameKind, FrameCounts, FrameRefusal, ReadingStops, RefusedHandshakes, RoomCensus,
    RoomCounts, RoomFaults, RoomLimits, RoomStats, Rooms, RoomsSettings, SentCode, ServerFrameKind,
    SharedCounts, SlowClients, SocketCloser, SocketCloses, SupportEnd, SupportSettings,
};
pub use settings::{Agents, CentreSettings, DeliverySettings, SimulatorLimits, Staffing};
pub use setup::Setup;
pub use statistics::{Counts, End, EventCounts, Joins};

use delivery::{Courier, Queue};
use floor::Floor;
use statistics::Statistics;
use timekeeper::Timekeeper;

use crate::{
    descriptors::{self, Purpose},
    listener::{self, Connections, Counters, Listeners, Name},
    lookups::Lookups,
};

/// How long requests and events in flight may still take after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);
/// How long an idle connection stays that carried a request, unless `idle_close` says something else:
/// longer than customers wait for an agent.
const IDLE: Duration = Duration::from_hours(1);

/// Ids of one start of the process and the next lie apart by this much a second.
const IDS_PER_SECOND: u64 = 1_000_000;

/// Why the simulator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings contradict themselves.
    #[error("simulator settings, {what}: {reason}")]
    Settings {
        /// The path of the setting.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration holds something else than its settings.
    #[error("simulator settings: {0}")]
    Section(#[source] serde_json::Error),
    /// The client that sends events cannot be built.
    #[error("the HTTP client for events cannot be built: {0}")]
    Client(#[source] reqwest::Error),
    /// The database of the behaviour service cannot be used.
    #[error(transparent)]
    Behaviour(#[from] BehaviourDatabaseError),
    /// The histogram of join delays cannot be built.
    #[error("the histogram of join delays cannot be built: {0}")]
    Histogram(#[source] hdrhistogram::CreationError),
}

/// A simulated contact centre, ready to be served.
#[derive(Debug)]
pub struct Simulator {
    centre: Arc<Centre>,
    courier: Arc<Courier>,
    counters: Arc<Counters>,
}

/// What all connections share.
#[derive(Debug)]
struct Centre {
    settings: Arc<CentreSettings>,
    floor: Timekeeper<Floor>,
    queue: Arc<Queue>,
    statistics: Arc<Statistics>,
    /// Notified when a chat waits for an agent.
    queued: Notify,
    shutdown: CancellationToken,
}

impl Simulator {
    /// A centre with these settings, still empty. The process has a rustls crypto provider
    /// installed by now.
    pub fn new(settings: CentreSettings) -> Result<Self, Error> {
        settings.validate()?;
        let settings = Arc::new(settings);
        let statistics = Arc::new(Statistics::new()?);
        let queue = Arc::new(Queue::new(settings.delivery.queue.get() as usize));
        let courier = Courier::new(
            &settings.delivery,
            &settings.quirks,
            queue.clone(),
            statistics.clone(),
            Lookups::of_system(),
        )?;
        let started = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let origin = started.as_secs() * IDS_PER_SECOND;
        let floor = Floor::new(settings.clone(), queue.clone(), statistics.clone(), origin);
        let centre = Centre {
            settings,
            floor: Timekeeper::new(floor),
            queue,
            statistics,
            queued: Notify::new(),
            shutdown: CancellationToken::new(),
        };
        Ok(Self {
            centre: Arc::new(centre),
            courier: Arc::new(courier),
            counters: Listeners::default().of(Name::Simulator).clone(),
        })
    }

    /// The same, counted among the listeners of the process.
    #[must_use]
    pub fn among(mut self, listeners: &Listeners) -> Self {
        self.counters = listeners.of(Name::Simulator).clone();
        self
    }

    /// Serves clients until `shutdown`, then lets what is in flight end, for two seconds at most.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let Self {
            centre,
            courier,
            counters,
        } = self;
        // Cancels what is left when this future is dropped before its end.
        let _stop = centre.shutdown.clone().drop_guard();
        let abort = CancellationToken::new();
        let _abort = abort.clone().drop_guard();
        let tasks = TaskTracker::new();
        for _ in 0..couriers(centre.settings.delivery.connections.get()) {
            let (courier, stop, abort) = (courier.clone(), centre.shutdown.clone(), abort.clone());
            // Each has a connection to a receiver most of the time.
            let permit = descriptors::acquire(Purpose::Inbound);
            tasks.spawn(async move {
                abort.run_until_cancelled(courier.carry(&stop)).await;
                drop(permit);
            });
        }
        let clock = centre.clone();
        tasks.spawn(async move {
            clock
                .shutdown
                .run_until_cancelled(clock.floor.keep_time())
                .await
        });

        let router = api::router(centre.clone());
        let connections = Connections::new(centre.settings.of_connections(), counters);
        let serving = listener::serve(listener, router, connections, centre.shutdown.clone());
        let carrying = async {
            shutdown.cancelled().await;
            centre.shutdown.cancel();
            tasks.close();
            if timeout(GRACE, tasks.wait()).await.is_err() {
                abort.cancel();
                tasks.wait().await;
            }
        };
        tokio::join!(serving, carrying);
    }
}

/// How many events are carried at once: as many as the settings say, if the process may have that many
/// connections besides those of its clients.
fn couriers(wanted: u32) -> u32 {
    match descriptors::allowed() {
        0 => wanted,
        allowed => wanted
            .min(u32::try_from(allowed / 8).unwrap_or(u32::MAX))
            .max(1),
    }
}

impl CentreSettings {
    /// What clients may take. Without `idle_close` a connection stays open while its customer waits.
    fn of_connections(&self) -> listener::Limits {
        let usual = listener::Limits::USUAL;
        listener::Limits {
            connections: self.limits.connections.get() as usize,
            silent: self
                .idle_close
                .map_or(usual.silent, |idle| idle.min(usual.silent)),
            idle: self.idle_close.unwrap_or(IDLE),
            ..usual
        }
    }
}

impl Centre {
    /// Does something on the floor, after all that has come due before.
    fn on_floor<T>(&self, act: impl FnOnce(&mut Floor, Instant) -> T) -> T {
        self.floor.act(act)
    }
}
