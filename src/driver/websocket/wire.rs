//! The stream of a socket, and the frames on it.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, Sink as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Role, WebSocketConfig},
};

use super::{boundary::FrameBoundary, opening::FrameLimits};
use crate::driver::transport::Stream;

/// Of the buffer for what is read, in bytes. Each socket has one, and a frame of a chat is shorter.
const READ_BUFFER: usize = 1024;

/// What may wait for the kernel besides a message: the header of its frame, and answers to pings, of which a target that
/// reads nothing can provoke any number.
const BESIDES_MESSAGE: usize = 16 * 1024;

/// Of what a target sends after the end, read at once and ignored, in bytes.
const IGNORED_AT_ONCE: usize = 1024;

/// How often that is done before others have their turn.
const MOST_IGNORED: usize = 32;

/// Messages and frames on a stream.
pub(super) type Wire = WebSocketStream<SocketStream>;

/// A stream with where the frames end that were read.
pub(super) struct SocketStream {
    /// Always there, but while the buffers around it are renewed.
    stream: Option<Stream>,
    boundary: FrameBoundary,
}

/// Speaks WebSocket on a stream on which `first` was read already.
pub(super) async fn speak(stream: Stream, first: &[u8], limits: &FrameLimits) -> Wire {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        // Every message goes to the kernel at once.
        .write_buffer_size(0)
        .max_write_buffer_size(limits.waiting.saturating_add(BESIDES_MESSAGE))
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.message));
    let mut boundary = FrameBoundary::default();
    boundary.pass(first);
    let stream = SocketStream {
        stream: Some(stream),
        boundary,
    };
    // Copied: it is a part of a buffer that is much larger and would stay as long as the socket.
    let first = first.to_vec();
    WebSocketStream::from_partially_read(stream, first, Role::Client, Some(config)).await
}

/// Gives the wire new buffers, where nothing is in the old ones; whether it did. The library keeps buffers as large as
/// the longest message that they ever had.
///
/// It must have nothing to write, and must have said that there is nothing more to read.
#[expect(clippy::expect_used, reason = "the library has nothing to wait for")]
pub(super) fn renew(wire: &mut Wire) -> bool {
    let stream = wire.get_mut();
    if !stream.boundary.is_reached() {
        return false;
    }
    let stream = SocketStream {
        stream: stream.stream.take(),
        boundary: FrameBoundary::default(),
    };
    let config = *wire.get_config();
    *wire = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config))
        .now_or_never()
        .expect("a socket without a handshake is there at once");
    true
}

/// What the close frame of the target says, of which the library has told. In the place of a code that it does not know,
/// such as 1014, the library tells of 1002 with words of its own.
pub(super) fn close_frame(wire: &Wire) -> Option<CloseFrame> {
    wire.get_ref().boundary.close_frame()
}

/// What was said at last is written, and the target closes the connection: it is its part.
///
/// The library is not asked to read: after an illegal frame it does not.
pub(super) fn poll_goodbye(wire: &mut Wire, context: &mut Context<'_>) -> Poll<()> {
    match Pin::new(&mut *wire).poll_flush(context) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(_)) => return Poll::Ready(()),
        Poll::Pending => return Poll::Pending,
    }
    let mut ignored = [0; IGNORED_AT_ONCE];
    for _ in 0..MOST_IGNORED {
        let mut ignored = ReadBuf::new(&mut ignored);
        match Pin::new(wire.get_mut()).poll_read(context, &mut ignored) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if !ignored.filled().is_empty() => {}
            Poll::Ready(_) => {
                // The goodbye of TLS, if the kernel takes it at once.
                drop(Pin::new(wire.get_mut()).poll_shutdown(context));
                return Poll::Ready(());
            }
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

impl SocketStream {
    fn open(&mut self) -> io::Result<Pin<&mut Stream>> {
        match &mut self.stream {
            Some(stream) => Ok(Pin::new(stream)),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for SocketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(self.open()?.poll_read(context, buffer));
        let read = &buffer.filled()[before..];
        self.boundary.pass(read);
        Poll::Ready(result)
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_shutdown(context)
    }
}
