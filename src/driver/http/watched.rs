//! A stream to a server that notes how the server closed it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// How a connection ended that the server closed, or that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// From the last byte that was written to then. It is taken where both are done, so that it holds no
    /// wait of other tasks.
    pub(super) after: Duration,
    /// Whether the server wrote something in between.
    pub(super) answered: bool,
}

/// What a stream notes for whoever sends requests over it.
#[derive(Debug, Default)]
pub(super) struct StreamActivity {
    closing: OnceLock<Closing>,
    writes: AtomicU64,
}

impl StreamActivity {
    /// How the stream was closed, if it was.
    pub(super) fn closing(&self) -> Option<Closing> {
        self.closing.get().copied()
    }

    /// How often something was written.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

/// A stream with what was read and written last.
pub(super) struct WatchedStream<S> {
    stream: S,
    written: Instant,
    answered: bool,
    activity: Arc<StreamActivity>,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            written: Instant::now(),
            answered: false,
            activity: Arc::default(),
        }
    }

    pub(super) fn activity(&self) -> Arc<StreamActivity> {
        self.activity.clone()
    }

    /// Notes the first end there is: that of one direction may be followed by that of the other.
    fn close(&self) {
        self.activity.closing.get_or_init(|| Closing {
            after: self.written.elapsed(),
            answered: self.answered,
        });
    }

    fn wrote<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        match &result {
            Ok(_) => {
                self.written = Instant::now();
                self.answered = false;
                self.activity.writes.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => self.close(),
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.answered = true;
        } else if room || result.is_err() {
            self.close();
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        Poll::Ready(self.wrote(result))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        Poll::Ready(self.wrote(result))
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn it_is_noted_whether_the_server_wrote_something_before_it_closed() {
        for (first, second) in [(false, false), (true, false), (false, true)] {
            let (near, mut far) = duplex(64);
            let mut stream = WatchedStream::new(near);
            let activity = stream.activity();
            if first {
                far.write_all(b"x").await.unwrap();
                stream.read_u8().await.unwrap();
            }
            let before = Instant::now();
            stream.write_all(b"request").await.unwrap();
            assert_eq!((activity.closing(), activity.writes()), (None, 1));
            if second {
                far.write_all(b"HTTP/1.1").await.unwrap();
            }
            drop(far);
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            let closed = activity.closing().unwrap();
            assert_eq!(closed.answered, second);
            assert!(closed.after <= before.elapsed());
            // What comes after the close is not part of it.
            assert!(stream.write_all(b"more").await.is_err());
            assert_eq!((activity.closing(), activity.writes()), (Some(closed), 1));
        }
    }
}
