//! The long-running service: what it is made of, how it starts and how it ends.

mod bound;
mod composition;
mod error;
mod interval;
mod simulators;

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    bound::Bound,
    composition::{Composition, CompositionParts},
    error::ServiceError,
    simulators::SimulatorAddresses,
};
use self::{interval::every, simulators::BoundSimulators};
use crate::{
    config::{Plan, Sections, Settings},
    event::{Observers, ServiceEvent},
    history::{History, Recorder},
    push::{Pushed, Pusher},
    record::{Boundaries, FailureLog, Metrics},
    runner::Engine,
    scenario::{DriverError, Drivers},
    scheduler::{CutOff, Scheduler},
    simulator::Setup,
    web::{self, Access, AccessError, Readiness, Web},
};

pub use crate::web::NewToken;

/// Who reads the sections of a configuration that [`crate::config`] knows nothing of.
pub const SECTIONS: Sections = Sections {
    simulator: Setup::read_section,
};

/// How often the runtime is asked how late it is.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// How long open connections may hold up the end.
const LAST_CONNECTIONS: Duration = Duration::from_millis(400);

/// How long what was not pushed yet may hold up the end.
const LAST_PUSH: Duration = Duration::from_secs(2);

/// How long the whole end may take after the grace, a little less than the five seconds that are promised.
const LONGEST_END: Duration = Duration::from_millis(4_900);

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
    pushing: Option<JoinHandle<()>>,
}

/// Where the service listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Metrics, health, admin API, console.
    pub web: SocketAddr,
    /// Inbound events.
    pub callbacks: SocketAddr,
    /// What is simulated beside it.
    pub simulators: SimulatorAddresses,
}

/// What targets are reached with.
fn drivers() -> Result<Drivers, DriverError> {
    Drivers::of_environment(|proxies| {
        tracing::info!("targets without a `proxy` are reached through {proxies}");
    })
}

/// What is bound and not served yet.
struct Listeners {
    web: Bound,
    callbacks: Bound,
    simulators: BoundSimulators,
}

impl Listeners {
    fn bind(settings: &Settings) -> Result<Self, ServiceError> {
        let listen = settings.listen;
        let setup = settings.simulator.as_ref().map(Setup::of_section);
        Ok(Self {
            web: Bound::to(listen.web, "the web", "listen.web")?,
            callbacks: Bound::to(listen.callbacks, "callbacks", "listen.callbacks")?,
            simulators: BoundSimulators::bind(setup.transpose()?)?,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            web: self.web.address,
            callbacks: self.callbacks.address,
            simulators: self.simulators.addresses(),
        }
    }
}

impl Service {
    /// Binds every address first, so that a service that starts is one that works.
    pub async fn start(plan: Plan) -> Result<Self, ServiceError> {
        let settings = &plan.settings;
        let access = access(&plan)?;
        let listeners = Listeners::bind(settings)?;
        let addresses = listeners.addresses();
        let boundaries = Boundaries::of(&plan.declarations());
        let metrics = Arc::new(Metrics::new(&boundaries)?);
        let mut observers = Observers::default()
            .and(metrics.clone())
            .and(Arc::new(FailureLog::default()));
        let Remembered { recorder, history } = remember(&plan).await?;
        observers = observers.and_of_runs(history.failures());
        if let Some(recorder) = &recorder {
            observers = observers.and_of_runs(recorder.observer());
        }
        let drivers = drivers()?;
        let pusher =
            (settings.push.clone()).map(|settings| Pusher::new(settings, &boundaries, &drivers));
        let composition = Composition::new(CompositionParts {
            drivers,
            observers: observers.clone(),
            callbacks: listeners.callbacks,
            callback_url: settings.callback_url.clone(),
            limits: settings.callbacks,
            budget: settings.health,
        })?;
        let engine = composition.engine().clone();
        let plan = Arc::new(plan);
        let scheduler = Scheduler::new(engine.clone(), plan.clone());
        let runs_over = CancellationToken::new();
        let recording = recorder.map(|recorder| {
            scheduler.tell_runs(recorder.intake());
            keep(recorder, observers.clone(), runs_over.clone())
        });
        let pushing = pusher.map(|pusher| {
            scheduler.push_runs(pusher.intake());
            push(pusher, observers.clone(), runs_over.clone())
        });
        let service = Self {
            addresses,
            scheduler: scheduler.clone(),
            readiness: Readiness::default(),
            runs_over,
            recording,
            pushing,
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
            observers,
            listeners: engine.exchange.listeners().clone(),
        };
        let counted = engine.exchange.listeners();
        for (what, serving) in listeners.simulators.serve(counted, &service.servers) {
            service.spawn(what, serving.map(Ok::<_, Infallible>));
        }
        service.serve(composition, web, listeners.web);
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
        if let Some(pushing) = self.pushing
            && timeout_at(last, pushing).await.is_err()
        {
            tracing::warn!("the last results of runs could not be pushed in time");
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

    fn serve(&self, composition: Composition, web: Web, web_listener: Bound) {
        let until = &self.servers;
        let receiving = composition.serve(until.clone());
        self.spawn("the callback listener", receiving.map(Ok::<_, Infallible>));
        let serving = web.serve(web_listener.listener, until.clone());
        self.spawn("the web listener", serving);
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

    fn watch(&self, engine: Engine, metrics: &Metrics) {
        let Engine {
            observers, vitals, ..
        } = engine;
        let until = &self.servers;
        self.tasks
            .spawn(metrics.monitor().clone().watch(until.clone()));
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

/// The history, and what writes it if there is a data directory.
struct Remembered {
    recorder: Option<Recorder>,
    history: History,
}

async fn remember(plan: &Plan) -> Result<Remembered, ServiceError> {
    let Some(directory) = &plan.settings.data.directory else {
        return Ok(Remembered {
            recorder: None,
            history: History::default(),
        });
    };
    let base = plan.path.parent().unwrap_or(Path::new("."));
    let started = Recorder::start(&base.join(directory), &plan.settings.data);
    let (mut recorder, history) = started.map_err(ServiceError::Thread)?;
    recorder.opened().await;
    Ok(Remembered {
        recorder: Some(recorder),
        history,
    })
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

/// Pushes results of runs until they are over.
fn push(pusher: Pusher, observers: Observers, runs_over: CancellationToken) -> JoinHandle<()> {
    let pushing = tokio::spawn(pusher.push(observers, runs_over, LAST_PUSH));
    tokio::spawn(async move {
        match pushing.await {
            Ok(Pushed { figures, .. }) => {
                let lost = figures.losses().map(|(_, lost)| lost).sum::<u64>();
                tracing::info!(written = figures.written, lost, "samples of runs pushed");
            }
            Err(error) => tracing::error!("nothing is pushed any more: {error}"),
        }
    })
}
