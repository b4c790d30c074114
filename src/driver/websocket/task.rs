//! The task of a socket, which reads from it and writes to it.

mod writing;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{Sink, Stream as _};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, protocol::CloseFrame};

pub(super) use self::writing::WrittenNow;
use super::{
    closed::{ClosedBy, ClosedSocket, ClosedWhy},
    handler::SocketHandler,
    message::{ReceivedMessage, SocketMessage},
    queue::{CloseRequest, QueueRefusal, QueuedMessage, SocketState},
    timers::{DueAct, Timers},
    wire::{self, Wire},
    words,
};
use crate::{
    arrival::ArrivalClock, descriptors::Permit, driver::transport::one_line, units::duration,
};

/// Messages that a task reads before others have their turn.
const MOST_AT_ONCE: usize = 32;

/// How long the target may take to close the connection after the close frames. It is its part, so that the ports of
/// the client can be used again.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// Messages that are longer leave buffers behind that are worth to be given back, in bytes.
const LARGE: usize = 4096;

/// A socket that has no task yet.
pub(super) struct Established {
    pub(super) wire: Wire,
    pub(super) arrivals: ArrivalClock,
    pub(super) permit: Permit,
}

/// A socket as its task has it. Almost all of them are idle almost always, so what is rarely there is in a box.
pub(super) struct SocketTask {
    wire: Wire,
    /// When what was read last had arrived.
    arrivals: ArrivalClock,
    state: Arc<SocketState>,
    /// With which it is polled.
    waker: Waker,
    /// Until the end.
    handler: Option<Box<dyn SocketHandler>>,
    timers: Timers,
    /// Something was given to the wire that the kernel has not taken.
    flushing: bool,
    /// What that is, if it is a message.
    writing: Option<Box<QueuedMessage>>,
    /// The wire has answers to pings.
    pongs_wait: bool,
    /// A message that was large was read or written since the buffers are as they are.
    has_large_buffers: bool,
    /// The close frame of ours that was written.
    close_written: Option<Box<CloseRequest>>,
    /// Nothing can be written any more. What had arrived before is read all the same: it may say why.
    broken: Option<Box<ClosedSocket>>,
    /// Belongs to the stream, as long as that is open.
    _permit: Permit,
}

impl SocketTask {
    pub(super) fn new(
        established: Established,
        state: Arc<SocketState>,
        handler: Box<dyn SocketHandler>,
        timers: Timers,
    ) -> Self {
        let waker = Waker::from(state.waker().clone());
        Self {
            wire: established.wire,
            arrivals: established.arrivals,
            state,
            waker,
            handler: Some(handler),
            timers,
            flushing: false,
            writing: None,
            pongs_wait: false,
            has_large_buffers: false,
            close_written: None,
            broken: None,
            _permit: established.permit,
        }
    }

    /// Reads and writes until the socket has ended.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<ClosedSocket> {
        if let Some(deadline) = self.state.close_deadline() {
            self.timers.set_deadline(deadline);
        }
        for _ in 0..MOST_AT_ONCE {
            match self.advance(context) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(closed) => return Poll::Ready(closed),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether anything could be done.
    fn advance(&mut self, context: &mut Context<'_>) -> Result<bool, ClosedSocket> {
        let written = self.broken.is_none() && self.write(context);
        let read = self.read(context)?;
        let more = read.then_some(&self.arrivals);
        let timed = match self.timers.poll_due(context, more) {
            Poll::Ready(due) => {
                self.act(due)?;
                true
            }
            Poll::Pending => false,
        };
        Ok(written || read || timed)
    }

    fn read(&mut self, context: &mut Context<'_>) -> Result<bool, ClosedSocket> {
        match Pin::new(&mut self.wire).poll_next(context) {
            Poll::Ready(Some(Ok(message))) => {
                self.take(message)?;
                Ok(true)
            }
            Poll::Ready(Some(Err(error))) => Err(self.end_of(&error, self.arrivals.latest().at)),
            Poll::Ready(None) => {
                Err(self.end_of(&tungstenite::Error::ConnectionClosed, Instant::now()))
            }
            Poll::Pending => match self.broken.take() {
                Some(closed) => Err(*closed),
                // New ones have to be polled.
                None => Ok(self.has_large_buffers && self.renew_buffers()),
            },
        }
    }

    /// Gives memory back that only large messages need; whether it could.
    fn renew_buffers(&mut self) -> bool {
        let is_idle = !self.flushing && !self.pongs_wait && self.close_written.is_none();
        let renewed = is_idle && wire::renew(&mut self.wire);
        self.has_large_buffers &= !renewed;
        renewed
    }

    fn take(&mut self, message: tungstenite::Message) -> Result<(), ClosedSocket> {
        match message {
            tungstenite::Message::Text(text) => self.received(SocketMessage::Text(text)),
            tungstenite::Message::Binary(bytes) => self.received(SocketMessage::Binary(bytes)),
            tungstenite::Message::Ping(_) => {
                // The library has made the answer.
                self.pongs_wait = true;
                Ok(())
            }
            tungstenite::Message::Pong(content) => {
                let at = self.arrivals.latest().at;
                if let Some(after) = self.timers.ponged(&content, at)
                    && let Some(handler) = &mut self.handler
                {
                    handler.ponged(after);
                }
                Ok(())
            }
            tungstenite::Message::Close(frame) => Err(self.closed_by_frame(frame)),
            // The library gives none out.
            tungstenite::Message::Frame(_) => Ok(()),
        }
    }

    fn received(&mut self, message: SocketMessage) -> Result<(), ClosedSocket> {
        self.has_large_buffers |= message.length() > LARGE;
        let Some(handler) = &mut self.handler else {
            return Ok(());
        };
        let arrival = self.arrivals.latest();
        let replies = handler.received(ReceivedMessage {
            at: arrival.at,
            read_delay: arrival.read_delay,
            message,
        });
        replies.iter().try_for_each(|reply| self.send(reply))
    }

    /// Sends what nobody waits for.
    fn send(&self, message: &SocketMessage) -> Result<(), ClosedSocket> {
        match self.state.push(message, Instant::now(), None) {
            // Nothing is said any more once the socket is being closed.
            Ok(()) | Err(QueueRefusal::Closing) => Ok(()),
            Err(QueueRefusal::Full) => Err(ClosedSocket {
                by: ClosedBy::Us,
                code: None,
                reason: self.state.backlog(),
                at: Instant::now(),
                why: ClosedWhy::Unread,
            }),
        }
    }

    fn act(&mut self, due: DueAct) -> Result<(), ClosedSocket> {
        match due {
            // It is written next.
            DueAct::Ping => Ok(()),
            DueAct::Heartbeat(position) => {
                let handler = self.handler.as_mut();
                let beat = handler.and_then(|handler| handler.heartbeat(position));
                beat.iter().try_for_each(|beat| self.send(beat))
            }
            DueAct::NoPong => Err(ClosedSocket {
                by: ClosedBy::Network,
                code: None,
                reason: format!(
                    "no pong within {}",
                    duration::exact(self.timers.pong_within())
                ),
                at: Instant::now(),
                why: ClosedWhy::NoPong,
            }),
            DueAct::Deadline => Err(ClosedSocket {
                by: ClosedBy::Us,
                code: self.state.close().map(|close| close.code),
                reason: String::new(),
                at: Instant::now(),
                why: ClosedWhy::NoAnswer,
            }),
        }
    }

    /// The end by a close frame of the target. Where closes cross, ours counts, whether it was written before or not.
    fn closed_by_frame(&self, frame: Option<CloseFrame>) -> ClosedSocket {
        let at = self.arrivals.latest().at;
        let frame = frame.map(|told| wire::close_frame(&self.wire).unwrap_or(told));
        let theirs = frame.map(|frame| (u16::from(frame.code), one_line(&frame.reason)));
        let (code, reason) = theirs.unzip();
        match self.state.close() {
            None => ClosedSocket {
                by: ClosedBy::Target,
                code,
                reason: reason.unwrap_or_default(),
                at,
                why: ClosedWhy::CloseFrame,
            },
            Some(ours) => ClosedSocket {
                by: ClosedBy::Us,
                code: Some(ours.code),
                reason: reason.unwrap_or_default(),
                at,
                why: ours.why,
            },
        }
    }

    /// The end by an error of the wire.
    fn end_of(&self, error: &tungstenite::Error, at: Instant) -> ClosedSocket {
        let closed = words::end_of(error, at);
        match &self.close_written {
            Some(ours) if closed.by == ClosedBy::Network => ClosedSocket {
                by: ClosedBy::Us,
                code: Some(ours.code),
                ..closed
            },
            _ => closed,
        }
    }

    /// Tells everybody of the end; whether there is something left to say to the target.
    fn end(&mut self, closed: ClosedSocket) -> bool {
        let (why, code) = (closed.why, closed.code);
        let closed = self.state.end(closed);
        if let Some(mut handler) = self.handler.take() {
            handler.closed(&closed);
        }
        self.writing = None;
        self.timers = Timers::until(Instant::now() + GOODBYE_WITHIN);
        match why {
            ClosedWhy::CloseFrame | ClosedWhy::Asked | ClosedWhy::Dropped => true,
            ClosedWhy::Protocol | ClosedWhy::NotText | ClosedWhy::TooLarge => {
                let frame = code.map(|code| CloseFrame {
                    code: code.into(),
                    reason: tungstenite::Utf8Bytes::default(),
                });
                let message = tungstenite::Message::Close(frame);
                Pin::new(&mut self.wire).start_send(message).is_ok()
            }
            ClosedWhy::NoAnswer
            | ClosedWhy::NoPong
            | ClosedWhy::Unread
            | ClosedWhy::EndOfFile
            | ClosedWhy::Broken => false,
        }
    }

    /// Reads and writes what can be read and written. Called by the task of the socket and by a chat that waits for a frame.
    pub(super) fn poll_turn(&mut self) -> Poll<()> {
        let waker = self.waker.clone();
        let context = &mut Context::from_waker(&waker);
        if self.handler.is_some() {
            let Poll::Ready(closed) = self.poll_open(context) else {
                return Poll::Pending;
            };
            if !self.end(closed) {
                return Poll::Ready(());
            }
        }
        if self.timers.poll_due(context, None).is_ready() {
            return Poll::Ready(());
        }
        wire::poll_goodbye(&mut self.wire, context)
    }
}

/// Where the runtime ends before the socket, or the handler panics, nobody waits for an end that does not come.
impl Drop for SocketTask {
    fn drop(&mut self) {
        let Some(mut handler) = self.handler.take() else {
            return;
        };
        let closed = self.state.end(ClosedSocket::abandoned());
        if !std::thread::panicking() {
            handler.closed(&closed);
        }
    }
}
