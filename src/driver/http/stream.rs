//! The body of an answer that is read while it comes.

use std::fmt;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::Incoming,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap},
};

use super::pool::Connection;
use crate::{arrival::Arrival, driver::transport::TransportFailure};

const EVENT_STREAM: &str = "text/event-stream";

/// The body of an answer, with the connection on which it comes. That is closed when this is dropped.
pub struct AnswerStream {
    body: Incoming,
    connection: Connection,
}

/// A piece of a body.
#[derive(Debug)]
pub struct StreamPiece {
    /// What came.
    pub bytes: Bytes,
    /// When.
    pub arrival: Arrival,
}

/// The body of an answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StreamBroken(String);

/// Whether an answer is an event stream that can be read while it comes.
pub(super) fn is_event_stream(response: &Response<Incoming>) -> bool {
    response.status().is_success() && is_readable(response.headers())
}

fn is_readable(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    let is_stream = kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(EVENT_STREAM));
    // What is compressed cannot be told before more of it comes.
    let encoding = text(CONTENT_ENCODING);
    is_stream && encoding.is_none_or(|encoding| encoding.trim().eq_ignore_ascii_case("identity"))
}

impl AnswerStream {
    pub(super) fn new(body: Incoming, connection: Connection) -> Self {
        Self { body, connection }
    }

    /// The next piece; `None` once the server has ended it.
    ///
    /// # Errors
    /// It breaks off.
    pub async fn next(&mut self) -> Result<Option<StreamPiece>, StreamBroken> {
        loop {
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| StreamBroken(TransportFailure::of(&error).detail))?;
            // Trailers say nothing here.
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            return Ok(Some(StreamPiece {
                bytes,
                arrival: self.connection.sender.arrivals.latest(),
            }));
        }
    }
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_known_by_its_type_and_is_not_compressed() {
        for (kind, encoding, expected) in [
            ("text/event-stream", None, true),
            ("Text/Event-Stream; charset=utf-8", Some("identity"), true),
            ("text/event-stream", Some("gzip"), false),
            ("text/event-streams", None, false),
            ("application/json", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            if let Some(encoding) = encoding {
                headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
            }
            assert_eq!(is_readable(&headers), expected, "{kind} {encoding:?}");
        }
    }
}
