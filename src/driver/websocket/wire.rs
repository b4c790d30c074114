//! The stream of a socket, with the time of its reads.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use super::opening::FrameLimits;
use crate::driver::transport::Stream;

/// Of the buffer for what is read, in bytes. Each socket has one, and a frame of a chat is shorter.
const READ_BUFFER: usize = 1024;

/// What may wait for the kernel besides a message: the header of its frame, and answers to pings, of which a target that
/// reads nothing can provoke any number.
const BESIDES_MESSAGE: usize = 16 * 1024;

/// Messages and frames on a stream.
pub(super) type Wire = WebSocketStream<TimedStream>;

/// A stream that notes when something was read.
pub(super) struct TimedStream {
    stream: Stream,
    /// When bytes were read last.
    pub(super) read_at: Instant,
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
    let stream = TimedStream {
        stream,
        read_at: Instant::now(),
    };
    // Copied: it is a part of a buffer that is much larger and would stay as long as the socket.
    let first = first.to_vec();
    WebSocketStream::from_partially_read(stream, first, Role::Client, Some(config)).await
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.read_at = Instant::now();
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
