//! A TCP stream that asks for the stamp of what it reads.

use std::{
    cell::RefCell,
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use nix::{
    cmsg_space,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::{ArrivalClock, clocks::Clocks};

/// What is read at once, at most, in bytes.
const MOST_AT_ONCE: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// Where a thread reads into. Buffers of readers are not initialised, and to copy what came costs less than to
/// initialise all the room for it.
struct Scratch {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

/// A TCP stream that notes when what was read had arrived.
#[derive(Debug)]
pub struct StampedStream {
    stream: TcpStream,
    arrivals: ArrivalClock,
    /// The beginning of the last read that left nothing behind: what is read later could not be read before.
    emptied: Option<Instant>,
}

/// What one read of a socket gave.
struct ReadBytes {
    count: usize,
    stamp: Option<SystemTime>,
}

/// Has the kernel stamp what arrives at a socket; the connections that a listener accepts are stamped from their
/// first byte on. Without stamps the time of a read is taken.
pub fn stamp(socket: &impl AsFd) {
    if let Err(error) = setsockopt(&socket, ReceiveTimestampns, &true) {
        tracing::debug!("the kernel does not stamp what arrives: {error}");
    }
}

impl Scratch {
    fn new() -> Self {
        Self {
            bytes: vec![0; MOST_AT_ONCE],
            control: cmsg_space!(TimeSpec),
        }
    }

    fn read(&mut self, stream: &TcpStream, most: usize) -> io::Result<ReadBytes> {
        let most = most.min(self.bytes.len());
        let mut room = [IoSliceMut::new(&mut self.bytes[..most])];
        let control = Some(self.control.as_mut_slice());
        let read = recvmsg::<()>(stream.as_raw_fd(), &mut room, control, MsgFlags::empty())?;
        // The bytes have been read: whatever is wrong with the stamp must not lose them.
        let stamp = read.cmsgs().ok().and_then(|mut messages| {
            messages.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(stamp) => {
                    SystemTime::UNIX_EPOCH.checked_add(Duration::from(stamp))
                }
                _ => None,
            })
        });
        Ok(ReadBytes {
            count: read.bytes,
            stamp,
        })
    }
}

impl StampedStream {
    /// A stream whose socket [is stamped](stamp).
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            arrivals: ArrivalClock::default(),
            emptied: None,
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// When what was read last had arrived.
    pub fn arrivals(&self) -> ArrivalClock {
        self.arrivals.clone()
    }

    /// Notes the arrival of what was read. The end of a stream has no stamp, and an answer before it keeps its own.
    fn note(&mut self, read: &ReadBytes, begun: Instant, emptied: bool) {
        if read.count > 0 {
            self.arrivals
                .note(Clocks::now().arrival(read.stamp, self.emptied));
        }
        if emptied {
            self.emptied = Some(begun);
        }
    }
}

impl AsyncRead for StampedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining().min(MOST_AT_ONCE);
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            let begun = Instant::now();
            let mut read = None;
            let tried = self.stream.try_io(Interest::READABLE, || {
                SCRATCH.with_borrow_mut(|scratch| {
                    let bytes = scratch.read(&self.stream, room)?;
                    buffer.put_slice(&scratch.bytes[..bytes.count]);
                    let emptied = bytes.count > 0 && bytes.count < room;
                    read = Some((bytes, emptied));
                    if emptied {
                        // As tokio does it: the socket is empty, so that the next read waits for the kernel to say
                        // that there is more, and needs no call to find nothing.
                        Err(io::ErrorKind::WouldBlock.into())
                    } else {
                        Ok(())
                    }
                })
            });
            match (read, tried) {
                (Some((bytes, emptied)), _) => {
                    self.note(&bytes, begun, emptied);
                    return Poll::Ready(Ok(()));
                }
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.emptied = Some(begun);
                }
                (None, result) => return Poll::Ready(result),
            }
        }
    }
}

impl AsyncWrite for StampedStream {
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
