//! How messages get to the kernel: in the turns of the task, or at once where somebody sends one and nothing is in its way.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Sink;
use tokio::{sync::oneshot, time::Instant};
use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

use super::{LARGE, SocketTask};
use crate::driver::websocket::{
    message::SocketMessage,
    queue::{NextWrite, QueuedMessage},
};

/// What became of a message that was to be written at once.
pub(in crate::driver::websocket) enum WrittenNow {
    /// The kernel has it, after this time.
    Taken(Duration),
    /// It is being written. This hears when the kernel has it, or nothing if that cannot be any more.
    Begun(oneshot::Receiver<Duration>),
    /// Something is in its way: it has to wait for its turn.
    No,
}

impl SocketTask {
    /// Writes a message within the turn of whoever sends it, which spares two changes of tasks, unless something else is
    /// being written or waits for it. What the kernel does not take at once the task goes on with.
    ///
    /// `before` is called before any of it is written, if it is.
    pub(in crate::driver::websocket) fn write_now(
        &mut self,
        message: &SocketMessage,
        since: Instant,
        before: &mut (dyn FnMut() + Send),
    ) -> WrittenNow {
        let is_busy = self.flushing || self.pongs_wait || self.close_written.is_some();
        let is_over = self.broken.is_some() || self.handler.is_none();
        if is_busy || is_over || !self.state.lets_pass(before) {
            return WrittenNow::No;
        }
        self.flushing = true;
        let waker = self.waker.clone();
        let mut context = Context::from_waker(&waker);
        match self.write_out(message.clone().into_wire(), &mut context) {
            Poll::Ready(Ok(())) => {
                self.flushing = false;
                let took = since.elapsed();
                self.tell_sent(message, took);
                if self.has_large_buffers {
                    waker.wake();
                }
                WrittenNow::Taken(took)
            }
            Poll::Pending => {
                let (taken, hears) = oneshot::channel();
                self.state.count(message.length());
                self.writing = Some(Box::new(QueuedMessage {
                    message: message.clone(),
                    since,
                    taken: Some(taken),
                }));
                WrittenNow::Begun(hears)
            }
            Poll::Ready(Err(error)) => {
                self.break_off(&error);
                waker.wake();
                WrittenNow::Begun(oneshot::channel().1)
            }
        }
    }

    fn write_out(
        &mut self,
        message: tungstenite::Message,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), tungstenite::Error>> {
        Pin::new(&mut self.wire).start_send(message)?;
        Pin::new(&mut self.wire).poll_flush(context)
    }

    /// Writes what waits, one after the other, so that it is known when the kernel has taken each.
    pub(super) fn write(&mut self, context: &mut Context<'_>) -> bool {
        let mut advanced = false;
        loop {
            if self.flushing || self.pongs_wait {
                match Pin::new(&mut self.wire).poll_flush(context) {
                    Poll::Pending => return advanced,
                    Poll::Ready(Ok(())) => self.flushed(),
                    Poll::Ready(Err(error)) => {
                        self.break_off(&error);
                        return true;
                    }
                }
                advanced = true;
            }
            let Some(next) = self.next_write() else {
                return advanced;
            };
            self.flushing = true;
            if let Err(error) = Pin::new(&mut self.wire).start_send(next) {
                self.break_off(&error);
                return true;
            }
        }
    }

    fn next_write(&mut self) -> Option<tungstenite::Message> {
        if self.close_written.is_none()
            && let Some(content) = self.timers.take_ping(Instant::now())
        {
            let content = Bytes::copy_from_slice(&content);
            return Some(tungstenite::Message::Ping(content));
        }
        match self.state.next_write(self.close_written.is_some())? {
            NextWrite::Message(queued) => {
                let message = queued.message.clone().into_wire();
                self.writing = Some(Box::new(queued));
                Some(message)
            }
            NextWrite::Close(request) => {
                let frame = CloseFrame {
                    code: request.code.into(),
                    reason: request.reason.clone().into(),
                };
                self.close_written = Some(Box::new(request));
                Some(tungstenite::Message::Close(Some(frame)))
            }
        }
    }

    /// The kernel has taken all.
    fn flushed(&mut self) {
        self.flushing = false;
        self.pongs_wait = false;
        let Some(written) = self.writing.take() else {
            return;
        };
        let took = written.since.elapsed();
        self.tell_sent(&written.message, took);
        self.state.release(written.message.length());
        if let Some(taken) = written.taken {
            // The receiver is gone if the sender of the message has stopped waiting.
            let _ = taken.send(took);
        }
    }

    fn tell_sent(&mut self, message: &SocketMessage, took: Duration) {
        self.has_large_buffers |= message.length() > LARGE;
        if let Some(handler) = &mut self.handler {
            handler.sent(message, took);
        }
    }

    fn break_off(&mut self, error: &tungstenite::Error) {
        self.broken = Some(Box::new(self.end_of(error, Instant::now())));
    }
}
