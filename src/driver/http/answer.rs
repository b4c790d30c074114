//! What a server answered.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body as _, Incoming},
    header::{CONTENT_ENCODING, HeaderMap, HeaderValue, TRANSFER_ENCODING},
};
use tokio::{task::spawn_blocking, time::Instant};

use super::{failure::Cause, pool::Connection, stream::AnswerStream};
use crate::{
    arrival::{Arrival, ArrivalClock},
    body::{Compression, KEPT_BYTES, Received},
    driver::Phases,
};

/// A body that is decompressed to no more than this is decompressed at once: it takes milliseconds. For a
/// larger one there is a thread.
const MOST_DECOMPRESSED_INLINE: usize = 4 * 1024 * 1024;

/// What the server answered, whatever the status.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as the request asked for it.
    pub body: Received,
    /// When it was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until the last byte of the body arrived: a wait for a connection and its opening belong to
    /// what a customer feels.
    pub elapsed: Duration,
    /// From then until it was read; `None` where the kernel gave no stamp, so that `elapsed` holds this wait too.
    pub read_delay: Option<Duration>,
    /// From `sent_at` until there was a connection, or leave to open one.
    pub waited: Duration,
    /// How long its phases took.
    pub phases: Phases,
    /// When the certificate of the target ends, if a handshake of this request showed it.
    pub certificate_expires: Option<SystemTime>,
    /// The addresses that redirects led to, in their order; the last one gave this answer.
    pub redirects: Vec<String>,
    /// The body, if it comes as an event stream and the request asked for that: `body` is empty then, and `elapsed`
    /// ends with the head.
    pub stream: Option<Box<AnswerStream>>,
}

/// An answer that has been read, before it is timed.
pub(super) struct ReadAnswer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Received,
    pub(super) arrival: Arrival,
    /// Whether all of it was read, so that the connection can take another request.
    pub(super) complete: bool,
    pub(super) stream: Option<Box<AnswerStream>>,
}

impl ReadAnswer {
    /// One whose body is read while it comes.
    pub(super) fn streamed(response: Response<Incoming>, connection: Connection) -> Self {
        let arrival = connection.sender.arrivals.latest();
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: Received::whole(Bytes::new()),
            arrival,
            complete: false,
            stream: Some(Box::new(AnswerStream::new(body, connection))),
        }
    }
}

/// Reads the body: all of it up to a limit in bytes, or without one to its end, of which the beginning is
/// kept.
pub(super) async fn read(
    response: Response<Incoming>,
    limit: Option<usize>,
    arrivals: &ArrivalClock,
) -> Result<ReadAnswer, Cause> {
    let (head, body) = response.into_parts();
    let knows_its_end =
        body.size_hint().exact().is_some() || head.headers.contains_key(TRANSFER_ENCODING);
    let read = read_body(body, limit)
        .await
        .map_err(|error| Cause::of(&error))?;
    let complete = read.complete;
    // The end of a connection has no stamp, and of an answer that is not read to its end more may be there.
    let arrival = if complete && knows_its_end {
        arrivals.latest()
    } else {
        Arrival::unstamped()
    };
    Ok(ReadAnswer {
        status: head.status.as_u16(),
        body: receive(read, limit, &head.headers).await,
        headers: head.headers,
        arrival,
        complete,
        stream: None,
    })
}

/// What was read of a body.
struct ReadBody {
    kept: Bytes,
    length: u64,
    complete: bool,
}

/// Grows with what arrives: a `Content-Length` is only a claim.
async fn read_body(mut body: Incoming, limit: Option<usize>) -> hyper::Result<ReadBody> {
    let most = limit.unwrap_or(KEPT_BYTES);
    let mut kept = Frames::default();
    let mut length = 0_u64;
    let mut complete = true;
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame?.into_data() else {
            continue;
        };
        length = length.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        let room = most - kept.length();
        if limit.is_some() && data.len() > room {
            complete = false;
        }
        data.truncate(room);
        kept.push(data);
        if !complete {
            break;
        }
    }
    Ok(ReadBody {
        kept: kept.into_bytes(),
        length,
        complete,
    })
}

async fn receive(read: ReadBody, limit: Option<usize>, headers: &HeaderMap) -> Received {
    let ReadBody {
        kept,
        length,
        complete,
    } = read;
    let values = headers.get_all(CONTENT_ENCODING);
    let compression = Compression::read(values.iter().map(HeaderValue::as_bytes));
    let Some(limit) = limit else {
        return Received::beginning_of(kept, length, compression);
    };
    if !complete {
        return Received::too_large(kept, length, compression, limit);
    }
    let compressed = compression.as_ref().is_ok_and(|known| !known.is_none());
    if !compressed || limit <= MOST_DECOMPRESSED_INLINE {
        return Received::decompressed(kept, compression, limit);
    }
    let decompressed = {
        let (kept, compression) = (kept.clone(), compression.clone());
        spawn_blocking(move || Received::decompressed(kept, compression, limit)).await
    };
    // It ends early only if the runtime does.
    decompressed.unwrap_or_else(|_| Received::beginning_of(kept, length, compression))
}

/// Frames of a body; a single one is not copied.
#[derive(Default)]
struct Frames {
    first: Bytes,
    rest: BytesMut,
}

impl Frames {
    fn length(&self) -> usize {
        self.first.len().max(self.rest.len())
    }

    fn push(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if data.is_empty() {
            return;
        }
        if self.rest.is_empty() {
            self.rest.extend_from_slice(&self.first);
        }
        self.rest.extend_from_slice(&data);
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            self.first
        } else {
            self.rest.freeze()
        }
    }
}
