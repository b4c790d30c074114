//! Why a request got no answer.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use hyper::Method;
use tokio::time::Instant;

use crate::driver::{
    Origin, Phases,
    transport::{Progress, TransportFailure, TransportFailureKind, one_line},
};

/// A request without a complete answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct HttpFailure {
    /// What failed.
    pub kind: HttpFailureKind,
    /// For people, in one line; it holds no header's value, and of the URL at most host and port.
    pub detail: String,
    /// When the request was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until there was a connection, or leave to open one, if there was any.
    pub waited: Duration,
    /// How long its phases took, the one included in which it failed.
    pub phases: Phases,
    /// When the certificate of the target ends or ended, if a handshake of this request showed it.
    pub certificate_expires: Option<SystemTime>,
    /// What whoever made the request can do about it, if that is known.
    pub remedy: Option<Box<Remedy>>,
}

/// What whoever made a request can change so that it does not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Redirects to this server have to be allowed.
    AllowServer(Origin),
    /// More redirects have to be followed, unless they go in a circle.
    FollowMore,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpFailureKind {
    /// The host name has no address, or none was found in time.
    Dns,
    /// No connection in time, or one that was closed or broken before the end of the answer, or an
    /// answer that is not HTTP.
    Connect,
    /// No trust in the server's certificate, or a server that does not speak TLS.
    Tls,
    /// No complete answer in time, or no connection was free.
    Timeout,
    /// The URL or a header cannot be sent.
    BadRequest,
    /// More headers of an answer than are read.
    AnswerTooLarge,
    /// The answer redirects to where it is not followed.
    Redirect,
    /// This machine had no file, port or lookup thread left for a connection; the target is not to blame.
    Exhausted,
}

impl fmt::Display for HttpFailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name lookup failed",
            Self::Connect => "connection failed",
            Self::Tls => "TLS failed",
            Self::Timeout => "timed out",
            Self::BadRequest => "bad request",
            Self::AnswerTooLarge => "answer too large",
            Self::Redirect => "redirect not followed",
            Self::Exhausted => "this machine has no files, ports or lookup threads left",
        })
    }
}

/// A failure whose time is not known yet.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) kind: HttpFailureKind,
    pub(super) detail: String,
    pub(super) remedy: Option<Box<Remedy>>,
}

impl From<TransportFailure> for Cause {
    fn from(failure: TransportFailure) -> Self {
        Self {
            kind: failure.kind.into(),
            detail: failure.detail,
            remedy: None,
        }
    }
}

impl From<TransportFailureKind> for HttpFailureKind {
    fn from(kind: TransportFailureKind) -> Self {
        match kind {
            TransportFailureKind::Dns => Self::Dns,
            TransportFailureKind::Connect => Self::Connect,
            TransportFailureKind::Tls => Self::Tls,
            TransportFailureKind::Timeout => Self::Timeout,
            TransportFailureKind::BadRequest => Self::BadRequest,
            TransportFailureKind::AnswerTooLarge => Self::AnswerTooLarge,
            TransportFailureKind::Exhausted => Self::Exhausted,
        }
    }
}

impl Cause {
    /// Reads the kind off the types in the error's chain of sources.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        TransportFailure::of(error).into()
    }

    /// `detail` must be one line without the URL and without a header's value.
    pub(super) fn bad_request(detail: String) -> Self {
        TransportFailure::bad_request(detail).into()
    }

    /// `detail` must not hold the query of an address.
    pub(super) fn redirect(detail: &str) -> Self {
        Self {
            kind: HttpFailureKind::Redirect,
            detail: one_line(detail),
            remedy: None,
        }
    }

    /// The same failure with what to do about it.
    pub(super) fn with(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(Box::new(remedy));
        self
    }

    /// The failure of a request that was already sent once before.
    pub(super) fn after_resend(mut self) -> Self {
        self.detail
            .insert_str(0, "sent again after a closed idle connection: ");
        self
    }

    /// The failure of a request that would have to be sent once more.
    pub(super) fn not_resent(mut self, method: &Method, after: Duration) -> Self {
        let why = format!(
            "; it was closed {after:.0?} after the request was sent, so the server may have acted on it, and a \
             {method} is not sent twice"
        );
        self.detail.push_str(&why);
        self
    }

    /// The failure of a request that has got so far.
    pub(super) fn after(self, progress: &Progress) -> HttpFailure {
        HttpFailure {
            kind: self.kind,
            detail: self.detail,
            sent_at: progress.sent_at,
            waited: progress.waited(),
            phases: progress.phases_of_failure(),
            certificate_expires: progress.certificate_expires,
            remedy: self.remedy,
        }
    }
}
