//! Why a request got no answer.

use std::{
    error::Error,
    fmt, io,
    time::{Duration, SystemTime},
};

use hyper::Method;
use tokio::time::Instant;

use super::{
    head::{MAX_BYTES, MAX_HEADERS},
    words,
};
use crate::{
    descriptors,
    driver::{Origin, Phases},
    lookups::LookupError,
};

/// In characters. Parts of a detail come from the server, a certificate's names for instance.
const MAX_DETAIL: usize = 300;

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

impl Cause {
    fn new(kind: HttpFailureKind, detail: String) -> Self {
        Self {
            kind,
            detail,
            remedy: None,
        }
    }

    /// Reads the kind off the types in the error's chain of sources.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let (kind, detail) = if is_exhaustion(error) {
            (HttpFailureKind::Exhausted, describe(error))
        } else if let Some(error) = find::<LookupError>(error).filter(|error| error.is_our_own()) {
            (HttpFailureKind::Exhausted, one_line(&error.to_string()))
        } else if let Some(error) = find::<LookupError>(error) {
            (HttpFailureKind::Dns, one_line(&error.to_string()))
        } else if let Some(error) = find::<rustls::Error>(error) {
            (HttpFailureKind::Tls, one_line(&words::of_tls(error)))
        } else if find(error).is_some_and(hyper::Error::is_parse_too_large) {
            return Self::head_too_large();
        } else {
            (HttpFailureKind::Connect, describe(error))
        };
        Self::new(kind, detail)
    }

    /// `detail` must be one line without the URL and without a header's value.
    pub(super) fn bad_request(detail: String) -> Self {
        Self::new(HttpFailureKind::BadRequest, detail)
    }

    fn head_too_large() -> Self {
        Self::new(
            HttpFailureKind::AnswerTooLarge,
            format!(
                "the headers of the answer have more than {MAX_BYTES} bytes, or are more than {MAX_HEADERS}"
            ),
        )
    }

    /// `detail` must not hold the query of an address.
    pub(super) fn redirect(detail: &str) -> Self {
        Self::new(HttpFailureKind::Redirect, one_line(detail))
    }

    /// The same failure with what to do about it.
    pub(super) fn with(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(Box::new(remedy));
        self
    }

    /// No addresses of a name.
    pub(super) fn lookup(detail: String) -> Self {
        Self::new(HttpFailureKind::Dns, detail)
    }

    /// No connection.
    pub(super) fn connect(detail: &str) -> Self {
        Self::new(HttpFailureKind::Connect, one_line(detail))
    }

    /// No connection, because this machine has no more to give.
    pub(super) fn exhausted(detail: &str) -> Self {
        Self::new(HttpFailureKind::Exhausted, one_line(detail))
    }

    /// The failure of a connection to the proxy.
    pub(super) fn at_proxy(mut self, proxy: &str) -> Self {
        self.detail.insert_str(0, &format!("proxy {proxy}: "));
        self
    }

    pub(super) fn timeout(detail: String) -> Self {
        Self::new(HttpFailureKind::Timeout, detail)
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
}

/// The error in one line.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = causes(error).map(words::of).collect();
    // An I/O error has the message of the error inside it.
    parts.dedup();
    one_line(&parts.join(": "))
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_DETAIL)
        .collect()
}

fn is_exhaustion(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let lookup = cause.downcast_ref::<LookupError>();
        let of_lookup = lookup.and_then(LookupError::system);
        of_lookup
            .or_else(|| cause.downcast_ref::<io::Error>())
            .is_some_and(descriptors::are_exhausted)
    })
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The error and all that is behind it. An I/O error's `source` skips the error it was made
/// from, which is where rustls puts its own.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        match cause.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(Some(inner)) => Some(inner as &(dyn Error + 'static)),
            Some(None) | None => cause.source(),
        }
    })
}
