//! What the owner of a socket and its task share: messages that wait to be sent, the wish to close, and the end.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Wake as _,
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    closed::{ClosedSocket, ClosedWhy},
    message::SocketMessage,
    opening::FrameLimits,
    socket_waker::SocketWaker,
};

/// What a socket's owner and its task share.
pub(super) struct SocketState {
    limits: FrameLimits,
    inner: Mutex<Inner>,
    /// Wakes whoever looks at what has changed.
    waker: Arc<SocketWaker>,
    /// Those who wait for space or for the end.
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<QueuedMessage>,
    /// In bytes, of messages that the kernel has not taken yet; the one that is being written is among them.
    bytes: usize,
    /// In a box: most sockets have none for most of their life.
    close: Option<Box<CloseRequest>>,
    closed: Option<Arc<ClosedSocket>>,
}

/// A message on its way to the kernel.
pub(super) struct QueuedMessage {
    pub(super) message: SocketMessage,
    /// When it was given to the socket.
    pub(super) since: Instant,
    /// Hears how long it took, if somebody waits for that.
    pub(super) taken: Option<oneshot::Sender<Duration>>,
}

/// The wish of the owner to close.
#[derive(Debug, Clone)]
pub(super) struct CloseRequest {
    pub(super) code: u16,
    pub(super) reason: String,
    /// When the answer has to be there.
    pub(super) deadline: Instant,
    /// What is said of the end, if the target answers.
    pub(super) why: ClosedWhy,
}

/// What is to be written next.
pub(super) enum NextWrite {
    Message(QueuedMessage),
    Close(CloseRequest),
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueRefusal {
    /// As much waits as may.
    Full,
    /// The socket is being closed or has ended.
    Closing,
}

impl SocketState {
    pub(super) fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
            waker: Arc::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn limits(&self) -> &FrameLimits {
        &self.limits
    }

    /// Adds a message that is to be sent.
    pub(super) fn push(
        &self,
        message: &SocketMessage,
        since: Instant,
        taken: Option<oneshot::Sender<Duration>>,
    ) -> Result<(), QueueRefusal> {
        self.push_announced(message, since, taken, &mut || {})
    }

    /// The same; `before` is called if it is taken, and the task writes none of it before that returns.
    fn push_announced(
        &self,
        message: &SocketMessage,
        since: Instant,
        taken: Option<oneshot::Sender<Duration>>,
        before: &mut (dyn FnMut() + Send),
    ) -> Result<(), QueueRefusal> {
        let length = message.length();
        {
            let mut inner = self.inner();
            if inner.close.is_some() || inner.closed.is_some() {
                return Err(QueueRefusal::Closing);
            }
            let space = self.limits.waiting.saturating_sub(inner.bytes);
            if length > space || inner.queue.len() >= self.limits.waiting_messages {
                return Err(QueueRefusal::Full);
            }
            before();
            inner.bytes += length;
            inner.queue.push_back(QueuedMessage {
                message: message.clone(),
                since,
                taken,
            });
        }
        self.waker.wake_by_ref();
        Ok(())
    }

    /// The same, once there is space for it. Whoever gives up waiting has added nothing.
    pub(super) async fn push_when_possible(
        &self,
        message: &SocketMessage,
        since: Instant,
        before: &mut (dyn FnMut() + Send),
    ) -> Result<oneshot::Receiver<Duration>, QueueRefusal> {
        loop {
            // Made before the look, so that no change is missed in between.
            let changed = self.changed.notified();
            let (taken, hears) = oneshot::channel();
            match self.push_announced(message, since, Some(taken), before) {
                Ok(()) => return Ok(hears),
                Err(QueueRefusal::Closing) => return Err(QueueRefusal::Closing),
                Err(QueueRefusal::Full) => changed.await,
            }
        }
    }

    /// Lets a message be written at once, if nothing waits to be written and the socket is open; then `before` is called.
    pub(super) fn lets_pass(&self, before: &mut (dyn FnMut() + Send)) -> bool {
        let inner = self.inner();
        let passes = inner.queue.is_empty() && inner.close.is_none() && inner.closed.is_none();
        if passes {
            before();
        }
        passes
    }

    /// The kernel has not taken all of such a message, which has so many bytes: they count until it is released.
    pub(super) fn count(&self, length: usize) {
        self.inner().bytes += length;
    }

    /// Asks the task to close; the first wish counts, and the earliest deadline.
    pub(super) fn ask_to_close(&self, request: CloseRequest) {
        let deadline = request.deadline;
        let mut inner = self.inner();
        let close = inner.close.get_or_insert_with(|| Box::new(request));
        close.deadline = close.deadline.min(deadline);
        drop(inner);
        self.waker.wake_by_ref();
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> Arc<ClosedSocket> {
        loop {
            let changed = self.changed.notified();
            if let Some(closed) = self.closed() {
                return closed;
            }
            changed.await;
        }
    }

    /// How it ended, if it has.
    pub(super) fn closed(&self) -> Option<Arc<ClosedSocket>> {
        self.inner().closed.clone()
    }

    /// With which the socket is polled.
    pub(super) fn waker(&self) -> &Arc<SocketWaker> {
        &self.waker
    }

    /// What is to be written next; a close comes after all messages. It is given out once.
    pub(super) fn next_write(&self, close_is_written: bool) -> Option<NextWrite> {
        let mut inner = self.inner();
        if let Some(message) = inner.queue.pop_front() {
            if inner.queue.is_empty() {
                // It would keep the space that its longest backlog took.
                inner.queue = VecDeque::new();
            }
            return Some(NextWrite::Message(message));
        }
        let close = inner.close.as_ref().filter(|_| !close_is_written)?;
        Some(NextWrite::Close((**close).clone()))
    }

    /// When the target has to have answered the close that was asked for.
    pub(super) fn close_deadline(&self) -> Option<Instant> {
        self.inner().close.as_ref().map(|close| close.deadline)
    }

    /// The wish to close, if there is one.
    pub(super) fn close(&self) -> Option<CloseRequest> {
        self.inner().close.as_deref().cloned()
    }

    /// How much waits to be sent, for people.
    pub(super) fn backlog(&self) -> String {
        let inner = self.inner();
        let (messages, bytes) = (inner.queue.len(), inner.bytes);
        format!("{messages} messages and {bytes} bytes wait to be sent")
    }

    /// The kernel has taken a message of so many bytes.
    pub(super) fn release(&self, length: usize) {
        let mut inner = self.inner();
        inner.bytes = inner.bytes.saturating_sub(length);
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The socket has ended: nothing more is sent. The first end counts.
    pub(super) fn end(&self, closed: ClosedSocket) -> Arc<ClosedSocket> {
        let (closed, unsent) = {
            let mut inner = self.inner();
            let closed = inner.closed.get_or_insert_with(|| Arc::new(closed));
            (closed.clone(), std::mem::take(&mut inner.queue))
        };
        // Those who wait for them hear of the end now.
        drop(unsent);
        self.changed.notify_waiters();
        closed
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A list and its length, which are whole after every statement.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
