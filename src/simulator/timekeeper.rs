//! State in which something comes due by itself.

use std::sync::{Mutex, PoisonError};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// State that changes with time. It runs without I/O.
pub(super) trait Timed {
    /// When something comes due next.
    fn next(&self) -> Option<Instant>;

    /// Lets everything happen that has come due.
    fn advance(&mut self, now: Instant);
}

/// Such state, kept up with the time by [`Timekeeper::keep_time`].
#[derive(Debug)]
pub(super) struct Timekeeper<T> {
    state: Mutex<T>,
    /// Notified when something comes due sooner than expected.
    due_sooner: Notify,
}

impl<T: Timed> Timekeeper<T> {
    pub fn new(state: T) -> Self {
        Self {
            state: Mutex::new(state),
            due_sooner: Notify::new(),
        }
    }

    /// Does something with the state, after all that has come due before.
    pub fn act<R>(&self, act: impl FnOnce(&mut T, Instant) -> R) -> R {
        // A panic inside leaves at worst one chat half changed; the others go on.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken under the lock, so that time never runs backwards for the state.
        let now = Instant::now();
        let expected = state.next();
        state.advance(now);
        let done = act(&mut state, now);
        if let Some(next) = state.next()
            && expected.is_none_or(|expected| next < expected)
        {
            self.due_sooner.notify_one();
        }
        done
    }

    /// Lets things happen when they come due, for ever.
    pub async fn keep_time(&self) {
        loop {
            match self.act(|state, _| state.next()) {
                Some(next) => {
                    tokio::select! {
                        () = sleep_until(next) => {}
                        () = self.due_sooner.notified() => {}
                    }
                }
                None => self.due_sooner.notified().await,
            }
        }
    }
}
