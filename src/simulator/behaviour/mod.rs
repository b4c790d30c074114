//! A service with memory to practise on: it stores behaviours of users on articles, and answers queries for them.
//!
//! A request comes in through the [`api`], which draws what the [`faults`] make of it, reads it ([`record`]) and has it
//! carried out by the threads that work with the [`database`]: one [`writer`], and some [`readers`] beside it, each behind
//! bounded [`orders`]. The [`statistics`] count all of it.

mod api;
mod database;
mod faults;
mod orders;
mod readers;
mod record;
mod settings;
mod statistics;
mod writer;

use std::{
    fs::File,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::{
    database::BehaviourDatabaseError,
    faults::{BehaviourFaults, BehaviourRequest, StaleReads},
    record::BehaviourStatus,
    settings::{BehaviourLimits, BehaviourSettings},
    statistics::{BehaviourCensus, BehaviourCounts, BehaviourStats},
};
use self::{
    database::Database,
    faults::FaultDraws,
    orders::DatabaseQueue,
    readers::{BehaviourQuery, Found, QueryThreads},
    record::BehaviourRecord,
    statistics::BehaviourStatistics,
    writer::Storing,
};
use super::Error;
use crate::listener::{self, Connections, Counters, Listeners, Name};

/// Connections to the database that read.
const READERS: usize = 2;

/// A simulated behaviour service, ready to be served.
pub struct BehaviourService {
    behaviours: Arc<Behaviours>,
    threads: Vec<JoinHandle<()>>,
    lock: Option<File>,
    counters: Arc<Counters>,
}

/// What all requests share.
struct Behaviours {
    settings: BehaviourSettings,
    draws: Mutex<FaultDraws>,
    statistics: Arc<BehaviourStatistics>,
    writes: DatabaseQueue<Storing, BehaviourRecord>,
    queries: DatabaseQueue<BehaviourQuery, Found>,
    shutdown: CancellationToken,
}

impl BehaviourService {
    /// A service with these settings and what its database holds.
    pub fn new(settings: BehaviourSettings) -> Result<Self, Error> {
        settings.validate()?;
        let statistics = Arc::new(BehaviourStatistics::new());
        let limits = &settings.limits;
        let Database {
            writer,
            readers,
            lock,
        } = Database::open(settings.database.as_deref(), READERS)?;
        let (writes, thread) = writer::start(writer, limits, statistics.clone())?;
        let QueryThreads {
            queries,
            mut threads,
        } = readers::start(readers, limits)?;
        threads.push(thread);
        let behaviours = Behaviours {
            draws: Mutex::new(FaultDraws::new(settings.seed, settings.faults.clone())),
            settings,
            statistics,
            writes,
            queries,
            shutdown: CancellationToken::new(),
        };
        Ok(Self {
            behaviours: Arc::new(behaviours),
            threads,
            lock,
            counters: Listeners::default().of(Name::Behaviour).clone(),
        })
    }

    /// The same, counted among the listeners of the process.
    #[must_use]
    pub fn among(mut self, listeners: &Listeners) -> Self {
        self.counters = listeners.of(Name::Behaviour).clone();
        self
    }

    /// Serves clients until `shutdown`, then lets what is in flight end, for two seconds at most, and closes the database.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let Self {
            behaviours,
            threads,
            lock,
            counters,
        } = self;
        // Ends what is left when this future is dropped before its end.
        let stop = behaviours.shutdown.clone();
        let _stop = stop.clone().drop_guard();
        let limits = listener::Limits {
            connections: behaviours.settings.limits.connections.get() as usize,
            ..listener::Limits::USUAL
        };
        let connections = Connections::new(limits, counters);
        let serving = listener::serve(listener, api::router(behaviours), connections, stop.clone());
        let ending = async {
            shutdown.cancelled().await;
            stop.cancel();
        };
        tokio::join!(serving, ending);
        // No request has a queue to the threads any more.
        orders::join_all(threads).await;
        drop(lock);
    }
}

impl Behaviours {
    /// The faults in force. A panic elsewhere leaves them whole.
    fn draws(&self) -> MutexGuard<'_, FaultDraws> {
        self.draws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn census(&self) -> BehaviourCensus {
        BehaviourCensus {
            records: self.statistics.records(),
            waiting_writes: self.writes.waiting(),
            waiting_queries: self.queries.waiting(),
        }
    }
}
