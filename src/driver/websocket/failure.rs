//! Why a socket was not opened, or something could not be done with it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{ClosedSocket, HandshakeAnswer};
use crate::driver::Phases;

/// A socket that was not opened, or that cannot do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct SocketFailure {
    /// What failed.
    pub kind: SocketFailureKind,
    /// For people, in one line; it holds no header's value, and of the URL at most host and port.
    pub detail: String,
    /// When it was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until there was leave to open a connection, if there was any.
    pub waited: Duration,
    /// How long the phases of an opening took, the one included in which it failed.
    pub phases: Phases,
    /// When the certificate of the target ends or ended, if the handshake of TLS showed it.
    pub certificate_expires: Option<SystemTime>,
}

/// What failed.
#[derive(Debug, Clone)]
pub enum SocketFailureKind {
    /// The host name has no address, or none was found in time.
    Dns,
    /// No connection in time, one that was closed or broken before the answer, or an answer that is not HTTP.
    Connect,
    /// No trust in the server's certificate, or a server that does not speak TLS.
    Tls,
    /// No answer to the opening or to a close in time.
    Timeout,
    /// The URL, a header, a subprotocol, a close code or a message cannot be sent.
    BadRequest,
    /// More headers of an answer than are read.
    AnswerTooLarge,
    /// This machine had no file, port or lookup thread left for a connection; the target is not to blame.
    Exhausted,
    /// The target answered the opening with another status than 101.
    Status(Box<HandshakeAnswer>),
    /// The target answered 101, and the rest of its answer is not what WebSocket asks for.
    Handshake(Box<HandshakeAnswer>),
    /// The socket has ended. Whether the target broke the rules of the protocol is in
    /// [`ClosedSocket::why`].
    Closed(Box<ClosedSocket>),
}

impl fmt::Display for SocketFailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name lookup failed",
            Self::Connect => "connection failed",
            Self::Tls => "TLS failed",
            Self::Timeout => "timed out",
            Self::BadRequest => "bad request",
            Self::AnswerTooLarge => "answer too large",
            Self::Exhausted => "this machine has no files, ports or lookup threads left",
            Self::Status(_) => "the socket was refused",
            Self::Handshake(_) => "the handshake is not valid",
            Self::Closed(_) => "the socket is closed",
        })
    }
}
