//! The task of a socket, as the runtime and the owner of the socket share it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    task::{Context, Poll},
};

use tokio::time::Instant;

use super::{
    message::SocketMessage,
    socket_waker::SocketWaker,
    task::{SocketTask, WrittenNow},
};

/// The task of a socket until that has ended. Clones are the same task.
#[derive(Clone)]
pub(super) struct SharedSocketTask {
    task: Arc<Mutex<Option<SocketTask>>>,
    waker: Arc<SocketWaker>,
}

/// The same, as the runtime polls it. Where the runtime ends before the socket, or the handler panics, nobody waits for
/// an end that does not come: the task is dropped with this.
pub(super) struct SpawnedSocket(SharedSocketTask);

/// A socket that whoever waits for a message reads within its own turns, as long as this exists: that spares the task of
/// the socket a turn for each message, after which everything that belongs to the socket is far away in memory.
pub struct SocketReader<'a>(&'a SharedSocketTask);

impl SharedSocketTask {
    pub(super) fn new(task: SocketTask, waker: Arc<SocketWaker>) -> Self {
        Self {
            task: Arc::new(Mutex::new(Some(task))),
            waker,
        }
    }

    /// What the runtime polls; there is one.
    pub(super) fn spawned(&self) -> SpawnedSocket {
        SpawnedSocket(self.clone())
    }

    /// Lends it to a reader; there is one at a time.
    pub(super) fn reader(&self) -> SocketReader<'_> {
        SocketReader(self)
    }

    /// Writes a message at once, if nothing is in its way: see [`SocketTask::write_now`].
    pub(super) fn write_now(
        &self,
        message: &SocketMessage,
        since: Instant,
        before: &mut (dyn FnMut() + Send),
    ) -> WrittenNow {
        let mut task = self.if_free();
        let task = task.as_mut().and_then(|task| task.as_mut());
        task.map_or(WrittenNow::No, |task| {
            task.write_now(message, since, before)
        })
    }

    fn poll(&self, shared: &mut Option<SocketTask>) -> Poll<()> {
        let Some(task) = shared else {
            return Poll::Ready(());
        };
        self.waker.begin_turn();
        let polled = task.poll_turn();
        if polled.is_ready() {
            // The owner may keep its part for long, and the connection is over.
            *shared = None;
        }
        polled
    }

    fn task(&self) -> MutexGuard<'_, Option<SocketTask>> {
        // After a panic of the handler the socket is closed, whatever it was at.
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless it is at work on another thread.
    fn if_free(&self) -> Option<MutexGuard<'_, Option<SocketTask>>> {
        match self.task.try_lock() {
            Ok(task) => Some(task),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Future for SpawnedSocket {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.waker.remember_task(context.waker());
        self.0.poll(&mut self.0.task())
    }
}

impl Drop for SpawnedSocket {
    fn drop(&mut self) {
        let task = self.0.task().take();
        drop(task);
    }
}

impl SocketReader<'_> {
    /// Does what there is to do on the socket, such as to tell its handler of messages; the task is woken when there is
    /// more.
    pub fn poll(&self, context: &Context<'_>) {
        let shared = self.0;
        if !shared.waker.lend(context.waker()) {
            return;
        }
        let Some(mut task) = shared.if_free() else {
            // It is at work on another thread, and may have looked before there was more.
            return context.waker().wake_by_ref();
        };
        if shared.poll(&mut task).is_ready() {
            shared.waker.wake_task();
        }
    }
}

impl Drop for SocketReader<'_> {
    fn drop(&mut self) {
        self.0.waker.take_back();
    }
}
