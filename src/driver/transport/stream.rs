//! A stream to a server, whatever lies between.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::arrival::StampedStream;

/// A stream to a server. TLS is in a box: most of its size is that of its session.
pub(in crate::driver) enum Stream {
    /// A TCP connection.
    Plain(StampedStream),
    /// A proxy's tunnel.
    Tunnel(TokioIo<Upgraded>),
    /// TLS on a TCP connection.
    Tls(Box<TlsStream<StampedStream>>),
    /// TLS in a proxy's tunnel.
    TlsInTunnel(Box<TlsStream<TokioIo<Upgraded>>>),
}

/// Calls a method of whatever stream it is.
macro_rules! of_any {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Plain($inner) => $call,
            Stream::Tunnel($inner) => $call,
            Stream::Tls($inner) => $call,
            Stream::TlsInTunnel($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        of_any!(self.get_mut(), stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        of_any!(self.get_mut(), stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        of_any!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        of_any!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_any!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_any!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}
