//! Who is woken when there is something to do on a socket.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// The waker with which a socket is polled, whoever polls it: wakes its task, or the task of whoever reads it meanwhile.
#[derive(Default)]
pub(super) struct SocketWaker(Mutex<Woken>);

#[derive(Default)]
struct Woken {
    /// The task of the socket, once it was polled.
    task: Option<Waker>,
    /// Whoever reads it within its own turns.
    reader: Option<Waker>,
    /// Whether there has been nothing to do since the socket was polled last.
    is_idle: bool,
}

impl SocketWaker {
    /// The task of the socket is woken by this.
    pub(super) fn remember_task(&self, waker: &Waker) {
        remember(&mut self.woken().task, waker);
    }

    /// Until it is taken back, this is woken instead. Whether there is something to do.
    pub(super) fn lend(&self, reader: &Waker) -> bool {
        let mut woken = self.woken();
        remember(&mut woken.reader, reader);
        !woken.is_idle
    }

    /// The task of the socket is woken from now on, and at once for what the reader has left to do.
    pub(super) fn take_back(&self) {
        let mut woken = self.woken();
        woken.reader = None;
        if !woken.is_idle {
            woken.wake();
        }
    }

    /// The socket is polled now.
    pub(super) fn begin_turn(&self) {
        self.woken().is_idle = true;
    }

    /// The task of the socket is to end.
    pub(super) fn wake_task(&self) {
        if let Some(task) = &self.woken().task {
            task.wake_by_ref();
        }
    }

    fn woken(&self) -> MutexGuard<'_, Woken> {
        // It is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Woken {
    fn wake(&self) {
        if let Some(waker) = self.reader.as_ref().or(self.task.as_ref()) {
            waker.wake_by_ref();
        }
    }
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = self.woken();
        woken.is_idle = false;
        woken.wake();
    }
}

fn remember(known: &mut Option<Waker>, waker: &Waker) {
    if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *known = Some(waker.clone());
    }
}
