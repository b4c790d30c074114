//! Name lookups by the operating system, on threads of their own.
//!
//! `getaddrinfo` follows the settings of the system: nsswitch.conf, hosts, resolv.conf and the modules that they
//! name. It blocks while it waits, for half a minute and more where a name server does not answer. So lookups
//! have threads that nothing else uses, and one name has one of them at most: everybody who asks for it meanwhile
//! waits for the same lookup.

use std::{
    collections::{HashMap, VecDeque},
    fmt, io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use super::resolver::LookupError;

/// Lookups at the same time, each on its thread.
pub(super) const MOST_THREADS: usize = 64;
/// Names that are being looked up or wait for a thread.
pub(super) const MOST_NAMES: usize = 1024;
/// How long a name waits for a thread. A lookup that gets an answer takes milliseconds; if no thread is free after
/// this time, the lookups of all threads hang.
pub(super) const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// A thread that has nothing to do ends after this time.
const IDLE_FOR: Duration = Duration::from_secs(10);

/// Looks a name up; it may block. The ports of the addresses are ignored.
type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The lookups in progress. Clones share them.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Shared>);

struct Shared {
    look_up: Box<LookUp>,
    state: Mutex<State>,
    /// There is a name in the queue.
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// By name, until the lookup has ended.
    lookups: HashMap<Arc<str>, watch::Sender<Stage>>,
    /// Names that no thread has taken yet.
    queue: VecDeque<Arc<str>>,
    threads: usize,
    idle: usize,
}

/// How far a lookup is.
enum Stage {
    Waiting,
    Begun,
    Ended(Result<Arc<[SocketAddr]>, Arc<io::Error>>),
}

impl Lookups {
    /// Lookups by the operating system.
    pub(super) fn of_system() -> Self {
        Self::with(|name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    pub(super) fn with(
        look_up: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            look_up: Box::new(look_up),
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// The addresses of a name.
    pub(super) async fn addresses(&self, name: &str) -> Result<Arc<[SocketAddr]>, LookupError> {
        let mut lookup = self.join(name)?;
        let begins = lookup.wait_for(|stage| !matches!(stage, Stage::Waiting));
        if timeout(BEGINS_WITHIN, begins).await.is_err() {
            return Err(LookupError::Busy {
                name: name.to_owned(),
            });
        }
        let failed = |error| LookupError::Failed {
            name: name.to_owned(),
            error,
        };
        loop {
            if let Stage::Ended(result) = &*lookup.borrow_and_update() {
                return result.clone().map_err(failed);
            }
            if lookup.changed().await.is_err() {
                return Err(failed(Arc::new(io::Error::other("the lookup broke off"))));
            }
        }
    }

    /// Names that are being looked up or wait for it.
    #[cfg(test)]
    pub(super) fn in_progress(&self) -> usize {
        self.0.state().lookups.len()
    }

    /// The lookup of a name in progress, or a new one.
    fn join(&self, name: &str) -> Result<watch::Receiver<Stage>, LookupError> {
        let mut state = self.0.state();
        if let Some(lookup) = state.lookups.get(name) {
            return Ok(lookup.subscribe());
        }
        if state.lookups.len() >= MOST_NAMES {
            return Err(LookupError::TooMany {
                name: name.to_owned(),
            });
        }
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
        let name: Arc<str> = name.into();
        let (lookup, joined) = watch::channel(Stage::Waiting);
        state.lookups.insert(name.clone(), lookup);
        state.queue.push_back(name);
        Ok(joined)
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
        let Some(lookup) = lookup.filter(|lookup| lookup.receiver_count() > 0) else {
            // Whoever asked has given up.
            state.lookups.remove(name);
            return state;
        };
        lookup.send_replace(Stage::Begun);
        drop(state);
        let result = (self.look_up)(name);
        let mut state = self.state();
        if let Some(lookup) = state.lookups.remove(name) {
            lookup.send_replace(Stage::Ended(result.map(Into::into).map_err(Arc::new)));
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lists and numbers that are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}
