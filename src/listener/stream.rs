//! What a connection reads, and how long a request and its answer are in the hands of the server.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::ListenerSlot;

/// A stream whose read bytes are counted in its slot.
pub(super) struct MeteredStream<S> {
    pub(super) stream: S,
    slot: Arc<ListenerSlot>,
}

impl<S> MeteredStream<S> {
    pub(super) fn new(stream: S, slot: Arc<ListenerSlot>) -> Self {
        Self { stream, slot }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.slot.received(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A body that drops a guard once whoever has it is through with it.
pub(super) struct GuardedBody<B, E> {
    body: B,
    _guard: E,
}

impl<B, E> GuardedBody<B, E> {
    pub(super) fn new(body: B, guard: E) -> Self {
        Self {
            body,
            _guard: guard,
        }
    }
}

impl<B: Body + Unpin, E: Unpin> Body for GuardedBody<B, E> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Dropped when the body of a request is complete, or not wanted.
pub(super) struct BodyEnd(pub(super) Arc<ListenerSlot>);

impl Drop for BodyEnd {
    fn drop(&mut self) {
        self.0.end_body();
    }
}

/// Dropped when an answer is written.
pub(super) struct AnswerEnd {
    pub(super) slot: Arc<ListenerSlot>,
    /// Whether it says that the request was a good one.
    pub(super) well: bool,
}

impl Drop for AnswerEnd {
    fn drop(&mut self) {
        self.slot.answered(self.well);
    }
}
