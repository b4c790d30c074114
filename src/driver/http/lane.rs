//! The connections to one server: how many there are, which of them are idle, and who waits for one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{connector::Sender, failure::Cause, origin::Origin};

/// Shorter than what common servers allow, so that it is mostly us who close an idle connection.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// Connections that are being opened at once: twenty thousand customers who come together do not call
/// together. With a handshake of 150 ms that allows 1,700 a second.
const OPENING: usize = 256;

/// The way to one server.
pub(super) struct Lane {
    pub(super) origin: Origin,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections in use, idle, or being opened.
    places: usize,
    opening: usize,
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
pub(super) enum Grant {
    /// A connection that was used before.
    Used(Place, Sender),
    /// Leave to open one.
    Open(Place, Opening),
}

/// One of the connections that a lane may have. When it is dropped, somebody else may have it.
pub(super) struct Place(Option<Arc<Lane>>);

/// Held while a connection is being opened.
pub(super) struct Opening(Arc<Lane>);

/// A grant before it has an owner.
enum Next {
    Used(Sender),
    Open,
}

impl Lane {
    pub(super) fn new(origin: Origin, most: usize) -> Arc<Self> {
        Arc::new(Self {
            origin,
            most,
            state: Mutex::default(),
        })
    }

    /// Waits for an idle connection, or for leave to open one. A wait that is given up loses nothing.
    pub(super) async fn grant(self: &Arc<Self>) -> Grant {
        loop {
            let granted = {
                let mut state = self.state();
                if let Some(next) = state.next(self.most) {
                    drop(state);
                    return self.give(next);
                }
                let (turn, granted) = oneshot::channel();
                state.waiting.push_back(turn);
                granted
            };
            if let Ok(grant) = granted.await {
                return grant;
            }
        }
    }

    /// A connection whose answer has been read waits for the next request.
    pub(super) fn give_back(self: &Arc<Self>, place: Place, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut state = self.state();
        state.close_expired();
        if let Some(turn) = state.first_waiting() {
            drop(state);
            // Who gave up meanwhile drops the place, and with it the connection.
            drop(turn.send(Grant::Used(place, sender)));
        } else {
            state.idle.push_back(Idle {
                sender,
                since: Instant::now(),
            });
            place.leave_open();
        }
    }

    /// Why nothing was granted for so long.
    pub(super) fn shortage(&self, waited: Duration) -> Cause {
        if self.state().opening >= OPENING {
            Cause::timeout(format!(
                "no connection within {waited:?}: {OPENING} to this server are being opened, and none came about"
            ))
        } else {
            Cause::exhausted(format!(
                "no connection was free for {waited:?}: all {} are in use; `connections: {{ most: ... }}` of the target \
                 allows more",
                self.most
            ))
        }
    }

    /// Closes what has been idle for long; whether the lane has no connection then.
    pub(super) fn close_expired(&self) -> bool {
        let mut state = self.state();
        state.close_expired();
        state.places == 0
    }

    fn give(self: &Arc<Self>, next: Next) -> Grant {
        let place = Place(Some(self.clone()));
        match next {
            Next::Used(sender) => Grant::Used(place, sender),
            Next::Open => Grant::Open(place, Opening(self.clone())),
        }
    }

    /// Gives those who wait what there is.
    fn serve(self: &Arc<Self>) {
        loop {
            let (turn, next) = {
                let mut state = self.state();
                let Some(turn) = state.first_waiting() else {
                    return;
                };
                let Some(next) = state.next(self.most) else {
                    state.waiting.push_front(turn);
                    return;
                };
                (turn, next)
            };
            drop(turn.send(self.give(next)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters and lists that are whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, most: usize) -> Option<Next> {
        while let Some(idle) = self.idle.pop_back() {
            if !idle.sender.is_closed() && idle.since.elapsed() < IDLE_FOR {
                return Some(Next::Used(idle.sender));
            }
            self.places -= 1;
        }
        (self.places < most && self.opening < OPENING).then(|| {
            self.places += 1;
            self.opening += 1;
            Next::Open
        })
    }

    /// Those who gave up are passed over.
    fn first_waiting(&mut self) -> Option<oneshot::Sender<Grant>> {
        while let Some(turn) = self.waiting.pop_front() {
            if !turn.is_closed() {
                return Some(turn);
            }
        }
        None
    }

    fn close_expired(&mut self) {
        while (self.idle.front()).is_some_and(|idle| idle.since.elapsed() >= IDLE_FOR) {
            self.idle.pop_front();
            self.places -= 1;
        }
    }
}

impl Place {
    /// The connection stays, in nobody's hands.
    fn leave_open(mut self) {
        self.0 = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(lane) = self.0.take() {
            lane.state().places -= 1;
            lane.serve();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.state().opening -= 1;
        self.0.serve();
    }
}
