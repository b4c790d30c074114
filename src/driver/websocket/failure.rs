//! Why a socket was not opened, or something could not be done with it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{answer::HandshakeAnswer, closed::ClosedSocket};
use crate::driver::{
    Phases,
    transport::{Progress, TransportFailure, TransportFailureKind, shown_server},
};

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
    /// No answer to the opening or to a close in time, or a message that the target did not take.
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

/// Why a socket was not opened, before it is known how long that took.
pub(super) struct SocketRefusal {
    pub(super) kind: SocketFailureKind,
    pub(super) detail: String,
}

impl From<TransportFailure> for SocketRefusal {
    fn from(failure: TransportFailure) -> Self {
        let kind = match failure.kind {
            TransportFailureKind::Dns => SocketFailureKind::Dns,
            TransportFailureKind::Connect => SocketFailureKind::Connect,
            TransportFailureKind::Tls => SocketFailureKind::Tls,
            TransportFailureKind::Timeout => SocketFailureKind::Timeout,
            TransportFailureKind::BadRequest => SocketFailureKind::BadRequest,
            TransportFailureKind::AnswerTooLarge => SocketFailureKind::AnswerTooLarge,
            TransportFailureKind::Exhausted => SocketFailureKind::Exhausted,
        };
        let detail = failure.detail;
        Self { kind, detail }
    }
}

impl SocketRefusal {
    /// The failure of an opening that has got so far. Of the URL its detail says host and port; the rest may hold what
    /// is nobody's business.
    pub(super) fn after(self, progress: &Progress, url: &str) -> SocketFailure {
        use SocketFailureKind::{
            AnswerTooLarge, BadRequest, Closed, Connect, Dns, Exhausted, Handshake, Status,
            Timeout, Tls,
        };
        let mut detail = self.detail;
        match &self.kind {
            Dns | Connect | Tls | Timeout | Status(_) | Handshake(_) => {
                if let Some(server) = shown_server(url) {
                    detail.insert_str(0, &format!("{server}: "));
                }
            }
            BadRequest | AnswerTooLarge | Exhausted | Closed(_) => {}
        }
        SocketFailure {
            kind: self.kind,
            detail,
            sent_at: progress.sent_at,
            waited: progress.waited(),
            phases: progress.phases_of_failure(),
            certificate_expires: progress.certificate_expires,
        }
    }
}

impl SocketFailure {
    /// The failure of an open socket to do what it was asked for at a time.
    pub(super) fn of_open(kind: SocketFailureKind, detail: String, asked_at: Instant) -> Self {
        Self {
            kind,
            detail,
            sent_at: asked_at,
            waited: Duration::ZERO,
            phases: Phases::default(),
            certificate_expires: None,
        }
    }

    /// The socket has ended.
    pub(super) fn closed(closed: &ClosedSocket, asked_at: Instant) -> Self {
        let kind = SocketFailureKind::Closed(Box::new(closed.clone()));
        Self::of_open(kind, closed.to_string(), asked_at)
    }
}
