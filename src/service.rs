//! The long-running service: what it is made of, how it starts and how it ends.

use std::{convert::Infallible, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    callbacks::{Exchange, receiver},
    config::{Plan, Settings},
    event::{Observers, ServiceEvent},
    history::{History, Recorder},
    listener::bind,
    plain_words,
    record::{Boundaries, FailureLog, Metrics, MetricsError},
    runner::{Engine, TraceBudget},
    scenario::{DriverError, Drivers},
    scheduler::{CutOff, Scheduler},
    simulator::{self, Simulator},
    vitals::Vitals,
    web::{self, Access, AccessError, Readiness, Web},
};

pub use crate::web::NewToken;

/// How often the runtime is asked how late it is.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// How often events that nobody asked for are given up, and connections that nobody uses closed.
const SWEEP: Duration = Duration::from_secs(1);
/// How long open connections may hold up the end.
const LAST_CONNECTIONS: Duration = Duration::from_millis(400);

/// How long the whole end may take after the grace, a little less than the five seconds that are promised.
const LONGEST_END: Duration = Duration::from_millis(4_900);

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// An address is taken or is not ours.
    #[error(
        "cannot listen on {address} for {what}: {}; {}",
        plain_words::of_system(error),
        remedy(error, setting)
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What was to be served there.
        what: &'static str,
        /// The setting that names it.
        setting: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The admin API would be open to strangers, or its token cannot be had.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There are no metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Targets cannot be reached.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A thread that has to be cannot be started.
    #[error("cannot start a thread: {}", plain_words::of_system(.0))]
    Thread(io::Error),
    /// The simulator cannot be set up.
    #[error(transparent)]
    Simulator(#[from] simulator::Error),
}

/// What to do about an address on which nobody can listen.
fn remedy(error: &io::Error, setting: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("stop what listens there, or change `{setting}`"),
        io::ErrorKind::PermissionDenied => format!("take a port from 1024 on for `{setting}`"),
        io::ErrorKind::AddrNotAvailable => {
            format!("`ip address` lists the addresses that there are; change `{setting}`")
        }
        _ => format!("change `{setting}`"),
    }
}

/// The service with everything listening and running.
pub struct Service {
    addresses: Addresses,
    scheduler: Scheduler,
    readiness: Readiness,
    /// Ends the servers and what watches the process, once no run needs them any more.
    servers: CancellationToken,
    broken: CancellationToken,
    tasks: TaskTracker,
    /// Lets the history come to its end, once no run is in progress any more.
    runs_over: CancellationToken,
    recording: Option<JoinHandle<()>>,
}

/// Where the service listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Metrics, health, admin API, console.
    pub web: SocketAddr,
    /// Inbound events.
    pub callbacks: SocketAddr,
    /// The simulator, if there is one.
    pub simulator: Option<SocketAddr>,
}

/// What targets are reached with.
fn drivers() -> Result<Drivers, DriverError> {
    Drivers::of_environment(|proxies| {
        tracing::info!("targets without a `proxy` are reached through {proxies}");
    })
}

/// What is bound and not served yet.
struct Listeners {
    web: TcpListener,
    callbacks: TcpListener,
    simulator: Option<(Simulator, TcpListener)>,
}

impl Listeners {
    fn bind(settings: &Settings) -> Result<(Self, Addresses), ServiceError> {
        let asked = settings.listen;
        let web = listen(asked.web, "the web", "listen.web")?;
        let callbacks = listen(asked.callbacks, "callbacks", "listen.callbacks")?;
        let mut addresses = Addresses {
            web: address(&web, asked.web),
            callbacks: address(&callbacks, asked.callbacks),
            simulator: None,
        };
        let mut simulator = None;
        if let Some(settings) = &settings.simulator {
            let listener = listen(settings.listen, "the simulator", "simulator.listen")?;
            addresses.simulator = Some(address(&listener, settings.listen));
            simulator = Some((Simulator::new(settings.centre.clone())?, listener));
        }
        let listeners = Self {
            web,
            callbacks,
            simulator,
        };
        Ok((listeners, addresses))
    }
}

impl Service {
    /// Binds every address first, so that a service that starts is one that works.
    pub async fn start(plan: Plan) -> Result<Self, ServiceError> {
        let settings = &plan.settings;
        let access = access(&plan)?;
        let (listeners, addresses) = Listeners::bind(settings)?;
        let metrics = Arc::new(Metrics::new(&Boundaries::of(&plan.declarations()))?);
        let mut observers = Observers::default()
            .and(metrics.clone())
            .and(Arc::new(FailureLog::default()));
        let (recorder, history) = remember(&plan).await?;
        observers = observers.and_of_runs(history.failures());
        if let Some(recorder) = &recorder {
            observers = observers.and_of_runs(recorder.observer());
        }
        let exchange = Exchange::new(settings.callbacks, observers.clone());
        let engine = Engine {
            drivers: drivers()?,
            exchange: exchange.clone(),
            callback_url: settings
                .callback_url
                .clone()
                .unwrap_or_else(|| format!("http://{}", addresses.callbacks))
                .into(),
            observers: observers.clone(),
            budget: settings.health,
            vitals: Vitals::start().map_err(ServiceError::Thread)?,
            traces: TraceBudget::default(),
        };
        let plan = Arc::new(plan);
        let scheduler = Scheduler::new(engine.clone(), plan.clone());
        let runs_over = CancellationToken::new();
        let recording = recorder.map(|recorder| {
            scheduler.tell_runs(recorder.intake());
            keep(recorder, observers, runs_over.clone())
        });
        let service = Self {
            addresses,
            scheduler: scheduler.clone(),
            readiness: Readiness::default(),
            runs_over,
            recording,
            servers: CancellationToken::new(),
            broken: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let web = Web {
            scheduler: scheduler.clone(),
            history,
            metrics: metrics.clone(),
            access,
            ready: service.readiness.clone(),
            observers: engine.observers.clone(),
            listeners: exchange.listeners().clone(),
        };
        service.serve(listeners, web, exchange);
        service.watch(engine, &metrics);
        scheduler.install(plan).await;
        service.readiness.ready();
        Ok(service)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Reads the configuration anew; see [`Scheduler::reload`].
    pub async fn reload(&self) {
        // Both outcomes are logged and counted where they are known.
        let _ = self.scheduler.reload().await;
    }

    /// What starts runs, for whoever has to end them at once.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Ends within the grace and five seconds: runs first, with everything they need still there,
    /// then the servers.
    pub async fn shut_down(self) -> Result<(), CutOff> {
        self.readiness.shutting_down();
        let grace = self.scheduler.plan().settings.shutdown.grace;
        let last = Instant::now() + grace + LONGEST_END;
        let ended = self.scheduler.shut_down(grace).await;
        self.runs_over.cancel();
        self.servers.cancel();
        self.tasks.close();
        if timeout(LAST_CONNECTIONS, self.tasks.wait()).await.is_err() {
            tracing::debug!("some connections were still open at the end");
        }
        if let Some(recording) = self.recording
            && timeout_at(last, recording).await.is_err()
        {
            tracing::warn!("the last rows of the history could not be written in time");
        }
        ended
    }

    /// Completes if a server breaks. A service without one of them only looks alive: it should end,
    /// and be started anew by whatever watches over it.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    fn serve(&self, listeners: Listeners, web: Web, exchange: Exchange) {
        let until = &self.servers;
        if let Some((simulator, listener)) = listeners.simulator {
            let simulator = simulator.among(exchange.listeners());
            let serving = simulator.serve(listener, until.clone());
            self.spawn("the simulator", serving.map(Ok::<_, Infallible>));
        }
        let receiving = receiver::serve(listeners.callbacks, exchange, until.clone());
        self.spawn("the callback listener", receiving.map(Ok::<_, Infallible>));
        self.spawn("the web listener", web.serve(listeners.web, until.clone()));
    }

    /// Serves until the servers are to end; a server that ends before breaks the service.
    fn spawn<E: std::fmt::Display + Send + 'static>(
        &self,
        what: &'static str,
        server: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let server = self.tasks.spawn(server);
        let (servers, broken) = (self.servers.clone(), self.broken.clone());
        self.tasks.spawn(async move {
            match server.await {
                Ok(Ok(())) if servers.is_cancelled() => return,
                Ok(Ok(())) => tracing::error!("{what} ended"),
                Ok(Err(error)) => tracing::error!("{what} broke: {error}"),
                Err(error) => tracing::error!("{what} broke: {error}"),
            }
            broken.cancel();
        });
    }

    fn watch(&self, engine: Engine, metrics: &Arc<Metrics>) {
        let Engine {
            drivers,
            exchange,
            observers,
            vitals,
            ..
        } = engine;
        let until = &self.servers;
        self.tasks
            .spawn(metrics.monitor().clone().watch(until.clone()));
        let watching = observers.clone();
        self.tasks.spawn(every(SWEEP, until.clone(), move |now, _| {
            exchange.sweep(now);
            drivers.close_expired();
            watching.emit(&ServiceEvent::ListenersWatched(
                exchange.listeners().figures(),
            ));
        }));
        let mut heard = vitals.mark();
        self.tasks
            .spawn(every(HEARTBEAT, until.clone(), move |_, lag| {
                observers.emit(&ServiceEvent::SchedulerLag(lag));
                let (beats, now) = vitals.since(heard);
                heard = now;
                for beat in beats {
                    observers.emit(&ServiceEvent::Beat(beat));
                }
            }));
    }
}

/// Calls `act` at intervals, with the time and by how much it is late.
pub(crate) async fn every(
    interval: Duration,
    until: CancellationToken,
    mut act: impl FnMut(Instant, Duration),
) {
    let mut due = Instant::now() + interval;
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = sleep_until(due) => {
                let now = Instant::now();
                act(now, now.saturating_duration_since(due));
                due = now + interval;
            }
        }
    }
}

/// Who may change something; an error if the web would be open to those who may not.
pub fn access(plan: &Plan) -> Result<Access, ServiceError> {
    let settings = &plan.settings;
    let directory = plan.path.parent().unwrap_or(Path::new("."));
    let access = Access::from_environment(&settings.admin, directory)?;
    access.allows_listening_on(settings.listen.web)?;
    Ok(access)
}

/// Makes the admin token, if the configuration asks for that and there is none.
pub fn create_token(plan: &Plan) -> Result<Option<NewToken>, ServiceError> {
    let directory = plan.path.parent().unwrap_or(Path::new("."));
    let created = web::create_token(&plan.settings.admin, directory);
    Ok(created.map_err(AccessError::from)?)
}

/// The history in the data directory, if there is one.
async fn remember(plan: &Plan) -> Result<(Option<Recorder>, History), ServiceError> {
    let Some(directory) = &plan.settings.data.directory else {
        return Ok((None, History::default()));
    };
    let base = plan.path.parent().unwrap_or(Path::new("."));
    let started = Recorder::start(&base.join(directory), &plan.settings.data);
    let (mut recorder, history) = started.map_err(ServiceError::Thread)?;
    recorder.opened().await;
    Ok((Some(recorder), history))
}

/// Writes what happens to runs until they are over.
fn keep(recorder: Recorder, observers: Observers, runs_over: CancellationToken) -> JoinHandle<()> {
    let recording = tokio::spawn(recorder.record(observers, runs_over));
    tokio::spawn(async move {
        if let Err(error) = recording.await {
            tracing::error!("the history broke and keeps nothing any more: {error}");
        }
    })
}

/// Binds an address.
pub fn listen(
    address: SocketAddr,
    what: &'static str,
    setting: &'static str,
) -> Result<TcpListener, ServiceError> {
    bind(address).map_err(|error| ServiceError::Listen {
        address,
        what,
        setting,
        error,
    })
}

/// Where a listener is, which differs from what was asked for when that was port 0.
pub(crate) fn address(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
