//! Name lookups by the operating system, on threads of their own.
//!
//! `getaddrinfo` follows the settings of the system: nsswitch.conf, hosts, resolv.conf and the modules that they
//! name. It blocks while it waits, for half a minute and more where a name server does not answer. So lookups
//! have threads that nothing else uses. Everybody who asks for a name while it is being looked up waits for the same
//! lookup. Where that hangs, a second thread asks once more, in case the name server answers again.

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::plain_words;

/// Lookups at the same time, each on its thread.
pub(crate) const MOST_THREADS: usize = 64;
/// Names that are being looked up or wait for a thread.
pub(crate) const MOST_NAMES: usize = 1024;
/// How long a name waits for a thread. A lookup that gets an answer takes milliseconds; if no thread is free after
/// this time, the lookups of all threads hang.
pub(crate) const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// A name whose lookup takes longer than this is looked up once more for the next who asks.
pub(crate) const HANGS_AFTER: Duration = Duration::from_secs(5);
/// Threads that look up the same name or are to do so.
const MOST_THREADS_PER_NAME: usize = 2;
/// A thread that has nothing to do ends after this time.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// Parts of what the system says of a name that it cannot look up, and what to say instead.
const REASONS: [(&str, &str); 4] = [
    ("Name or service not known", "the name is not known"),
    ("No address associated", "the name has no address"),
    ("Temporary failure", "the name server does not answer"),
    ("Non-recoverable failure", "the name server failed"),
];

/// Looks a name up; it may block. The ports of the addresses are ignored.
type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The lookups in progress. Clones share them.
#[derive(Clone)]
pub(crate) struct Lookups(Arc<Shared>);

struct Shared {
    look_up: Box<LookUp>,
    state: Mutex<State>,
    /// There is a name in the queue.
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// By name, until no thread looks it up any more.
    lookups: HashMap<Arc<str>, Lookup>,
    /// Names that no thread has taken yet.
    queue: VecDeque<Arc<str>>,
    threads: usize,
    idle: usize,
}

/// A name that is being looked up.
struct Lookup {
    /// Of the lookup that whoever asks joins.
    stage: watch::Sender<Stage>,
    asked: Instant,
    /// Threads that look the name up, or will when they take it from the queue.
    threads: usize,
}

/// A lookup that a thread has begun.
pub(crate) struct Begun {
    name: String,
    stage: watch::Receiver<Stage>,
}

/// How far a lookup is.
enum Stage {
    Waiting,
    Begun,
    Ended(Result<Arc<[SocketAddr]>, Arc<io::Error>>),
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// The system says why.
    #[error("cannot look up `{name}`: {}", reason(error))]
    Failed { name: String, error: Arc<io::Error> },
    /// It is known, without an address.
    #[error("`{name}` has no address")]
    NoAddress { name: String },
    /// No thread was free within [`BEGINS_WITHIN`].
    #[error(
        "the lookup of `{name}` did not begin within {within} s: all {threads} threads for lookups are in use by \
         other names",
        within = BEGINS_WITHIN.as_secs(),
        threads = MOST_THREADS
    )]
    Busy { name: String },
    /// [`MOST_NAMES`] are being looked up.
    #[error(
        "cannot look up `{name}`: {most} other names are being looked up or wait for it, and no more can",
        most = MOST_NAMES
    )]
    TooMany { name: String },
    /// The system starts no thread.
    #[error(
        "cannot look up `{name}`: no thread can be started for it: {}",
        plain_words::of_system(error)
    )]
    NoThread { name: String, error: io::Error },
}

impl LookupError {
    /// Whether no lookup was begun because this machine has no thread for it.
    pub(crate) fn is_our_own(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::TooMany { .. } | Self::NoThread { .. }
        )
    }

    /// What the system says.
    pub(crate) fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::NoAddress { .. }
            | Self::Busy { .. }
            | Self::TooMany { .. }
            | Self::NoThread { .. } => None,
        }
    }
}

/// Why the system could not look a name up, in words that fit behind a colon.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let known = REASONS.iter().find(|(part, _)| text.contains(part));
    known.map_or_else(
        || plain_words::of_system(error),
        |(_, words)| (*words).to_owned(),
    )
}

impl Lookups {
    /// Lookups by the operating system.
    pub(crate) fn of_system() -> Self {
        Self::with(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    /// Lookups by this function, which may block.
    pub(crate) fn with(
        look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            look_up: Box::new(look_up),
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Waits until a thread looks the name up.
    pub(crate) async fn begin(&self, name: &str) -> Result<Begun, LookupError> {
        let mut stage = self.join(name)?;
        let name = name.to_owned();
        let begins = stage.wait_for(|stage| !matches!(stage, Stage::Waiting));
        if timeout(BEGINS_WITHIN, begins).await.is_err() {
            return Err(LookupError::Busy { name });
        }
        Ok(Begun { name, stage })
    }

    /// The addresses of a name.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Arc<[SocketAddr]>, LookupError> {
        self.begin(name).await?.addresses().await
    }

    /// Names that are being looked up or wait for it.
    #[cfg(test)]
    pub(crate) fn in_progress(&self) -> usize {
        self.0.state().lookups.len()
    }

    /// Threads that look the name up or are to do so.
    #[cfg(test)]
    pub(crate) fn threads_for(&self, name: &str) -> usize {
        let state = self.0.state();
        state.lookups.get(name).map_or(0, |lookup| lookup.threads)
    }

    /// The lookup of a name in progress, or a new one.
    fn join(&self, name: &str) -> Result<watch::Receiver<Stage>, LookupError> {
        let mut state = self.0.state();
        let known = state.lookups.get(name);
        if let Some(lookup) = known.filter(|lookup| lookup.is_enough()) {
            return Ok(lookup.stage.subscribe());
        }
        if known.is_none() && state.lookups.len() >= MOST_NAMES {
            return Err(LookupError::TooMany {
                name: name.to_owned(),
            });
        }
        self.need_thread(name, &mut state)?;
        let name: Arc<str> = name.into();
        state.queue.push_back(name.clone());
        let lookup = state.lookups.entry(name).or_default();
        Ok(lookup.add_thread())
    }

    /// Sees to it that a thread takes one more name from the queue.
    fn need_thread(&self, name: &str, state: &mut State) -> Result<(), LookupError> {
        if state.idle > state.queue.len() {
            self.0.work.notify_one();
        } else if state.threads < MOST_THREADS {
            match self.start_thread() {
                Ok(()) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    return Err(LookupError::NoThread {
                        name: name.to_owned(),
                        error,
                    });
                }
                // The threads that there are take it.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn start_thread(&self) -> io::Result<()> {
        let shared = self.0.clone();
        let thread = thread::Builder::new().name("lookup".to_owned());
        // Nobody waits for its end: what it is doing may hang.
        thread.spawn(move || shared.work()).map(drop)
    }
}

impl Shared {
    /// Looks up one name after the other, until there is none for a while.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(name) = state.queue.pop_front() {
                state = self.look_up(&name, state);
                continue;
            }
            state.idle += 1;
            let woken = self.work.wait_timeout(state, IDLE_FOR);
            let (guard, waited) = woken.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn look_up<'a>(
        &'a self,
        name: &str,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let lookup = state.lookups.get(name);
        let wanted =
            lookup.is_some_and(|lookup| !lookup.is_over() && lookup.stage.receiver_count() > 0);
        if !wanted {
            // Another thread has taken the name, or nobody waits for it any more.
            state.end(name, Err(io::ErrorKind::Interrupted.into()));
            return state;
        }
        if let Some(lookup) = lookup {
            lookup.stage.send_replace(Stage::Begun);
        }
        drop(state);
        let result = (self.look_up)(name);
        let mut state = self.state();
        state.end(name, result);
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lists and numbers that are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One thread has done with a name. The first that ends answers all who wait.
    fn end(&mut self, name: &str, result: io::Result<Vec<SocketAddr>>) {
        let Some(lookup) = self.lookups.get_mut(name) else {
            return;
        };
        if !lookup.is_over() {
            let result = result.map(Into::into).map_err(Arc::new);
            lookup.stage.send_replace(Stage::Ended(result));
        }
        lookup.threads -= 1;
        if lookup.threads == 0 {
            self.lookups.remove(name);
        }
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Waiting),
            asked: Instant::now(),
            threads: 0,
        }
    }
}

impl Lookup {
    /// One more thread looks the name up. Whoever waits for the lookup in progress gets the answer of either.
    fn add_thread(&mut self) -> watch::Receiver<Stage> {
        self.threads += 1;
        if self.is_over() {
            self.stage = watch::Sender::new(Stage::Waiting);
            self.asked = Instant::now();
        }
        self.stage.subscribe()
    }

    fn is_over(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Ended(_))
    }

    /// Whether whoever asks for the name now waits for the lookup in progress.
    fn is_enough(&self) -> bool {
        let useful = match *self.stage.borrow() {
            Stage::Waiting => true,
            Stage::Begun => self.asked.elapsed() < HANGS_AFTER,
            Stage::Ended(_) => false,
        };
        useful || self.threads >= MOST_THREADS_PER_NAME
    }
}

impl Begun {
    /// The addresses of the name.
    pub(crate) async fn addresses(mut self) -> Result<Arc<[SocketAddr]>, LookupError> {
        loop {
            if let Stage::Ended(result) = &*self.stage.borrow_and_update() {
                return result.clone().map_err(|error| LookupError::Failed {
                    name: self.name.clone(),
                    error,
                });
            }
            if self.stage.changed().await.is_err() {
                return Err(LookupError::Failed {
                    name: self.name,
                    error: Arc::new(io::Error::other("the lookup broke off")),
                });
            }
        }
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}
