//! The task of a socket, as the runtime and the owner of the socket share it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    task::{Context, Poll},
};

use tokio::time::Instant;

use super::{
    message::SocketMessage,
    task::{SocketTask, WrittenNow},
};

/// The task of a socket until that has ended. Clones are the same task.
#[derive(Clone)]
pub(super) struct SharedSocketTask(Arc<Mutex<Option<SocketTask>>>);

/// The same, as the runtime polls it. Where the runtime ends before the socket, or the handler panics, nobody waits for
/// an end that does not come: the task is dropped with this.
pub(super) struct SpawnedSocket(SharedSocketTask);

impl SharedSocketTask {
    pub(super) fn new(task: SocketTask) -> Self {
        Self(Arc::new(Mutex::new(Some(task))))
    }

    /// What the runtime polls; there is one.
    pub(super) fn spawned(&self) -> SpawnedSocket {
        SpawnedSocket(self.clone())
    }

    /// Writes a message at once, if nothing is in its way: see [`SocketTask::write_now`]. It does not wait for a task that
    /// is at work.
    pub(super) fn write_now(
        &self,
        message: &SocketMessage,
        since: Instant,
        before: &mut (dyn FnMut() + Send),
    ) -> WrittenNow {
        let mut task = match self.0.try_lock() {
            Ok(task) => task,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return WrittenNow::No,
        };
        let task = task.as_mut();
        task.map_or(WrittenNow::No, |task| {
            task.write_now(message, since, before)
        })
    }

    fn task(&self) -> MutexGuard<'_, Option<SocketTask>> {
        // After a panic of the handler the task is dropped, whatever it was at.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for SpawnedSocket {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.0.task();
        let Some(task) = shared.as_mut() else {
            return Poll::Ready(());
        };
        let polled = Pin::new(task).poll(context);
        if polled.is_ready() {
            // The owner may keep its part for long, and the connection is over.
            *shared = None;
        }
        polled
    }
}

impl Drop for SpawnedSocket {
    fn drop(&mut self) {
        let task = self.0.task().take();
        drop(task);
    }
}
