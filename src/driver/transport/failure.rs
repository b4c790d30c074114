//! Why there is no stream, or why one broke.

use std::{error::Error, io};

use super::{
    head::{MAX_BYTES, MAX_HEADERS},
    words,
};
use crate::{descriptors, lookups::LookupError};

/// In characters. Parts of a detail come from the server, a certificate's names for instance.
const MAX_DETAIL: usize = 300;

/// What failed on the way to a server, or in the exchange with it.
#[derive(Debug)]
pub(in crate::driver) struct TransportFailure {
    pub(in crate::driver) kind: TransportFailureKind,
    /// For people, in one line; it holds no header's value, and of the URL at most host and port.
    pub(in crate::driver) detail: String,
}

/// The kinds of failures that every protocol knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::driver) enum TransportFailureKind {
    /// The host name has no address, or none was found in time.
    Dns,
    /// No connection in time, or one that was closed or broke, or an answer that is not HTTP.
    Connect,
    /// No trust in the server's certificate, or a server that does not speak TLS.
    Tls,
    /// No complete answer in time.
    Timeout,
    /// The URL cannot be used.
    BadRequest,
    /// More headers of an answer than are read.
    AnswerTooLarge,
    /// This machine had no file, port or lookup thread left for a connection; the target is not to blame.
    Exhausted,
}

impl TransportFailure {
    fn new(kind: TransportFailureKind, detail: String) -> Self {
        Self { kind, detail }
    }

    /// Reads the kind off the types in the error's chain of sources.
    pub(in crate::driver) fn of(error: &(dyn Error + 'static)) -> Self {
        use TransportFailureKind::{AnswerTooLarge, Connect, Dns, Exhausted, Tls};

        let (kind, detail) = if is_exhaustion(error) {
            (Exhausted, describe(error))
        } else if let Some(error) = find::<LookupError>(error).filter(|error| error.is_our_own()) {
            (Exhausted, one_line(&error.to_string()))
        } else if let Some(error) = find::<LookupError>(error) {
            (Dns, one_line(&error.to_string()))
        } else if let Some(error) = find::<rustls::Error>(error) {
            (Tls, one_line(&words::of_tls(error)))
        } else if find(error).is_some_and(hyper::Error::is_parse_too_large) {
            let detail = format!(
                "the headers of the answer have more than {MAX_BYTES} bytes, or are more than {MAX_HEADERS}"
            );
            (AnswerTooLarge, detail)
        } else {
            (Connect, describe(error))
        };
        Self::new(kind, detail)
    }

    /// `detail` must be one line without the URL and without a header's value.
    pub(in crate::driver) fn bad_request(detail: String) -> Self {
        Self::new(TransportFailureKind::BadRequest, detail)
    }

    /// No addresses of a name.
    pub(super) fn lookup(detail: String) -> Self {
        Self::new(TransportFailureKind::Dns, detail)
    }

    /// No connection.
    pub(in crate::driver) fn connect(detail: &str) -> Self {
        Self::new(TransportFailureKind::Connect, one_line(detail))
    }

    /// No connection, because this machine has no more to give.
    pub(super) fn exhausted(detail: &str) -> Self {
        Self::new(TransportFailureKind::Exhausted, one_line(detail))
    }

    /// The failure of a connection to the proxy.
    pub(super) fn at_proxy(mut self, proxy: &str) -> Self {
        self.detail.insert_str(0, &format!("proxy {proxy}: "));
        self
    }

    /// No complete answer in time.
    pub(in crate::driver) fn timeout(detail: String) -> Self {
        Self::new(TransportFailureKind::Timeout, detail)
    }
}

/// The error in one line.
fn describe(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = causes(error).map(words::of).collect();
    // An I/O error has the message of the error inside it.
    parts.dedup();
    one_line(&parts.join(": "))
}

/// Text for people without control characters, up to a limit.
pub(in crate::driver) fn one_line(text: &str) -> String {
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
pub(in crate::driver) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| {
        match cause.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(Some(inner)) => Some(inner as &(dyn Error + 'static)),
            Some(None) | None => cause.source(),
        }
    })
}
