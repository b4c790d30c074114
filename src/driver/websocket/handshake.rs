//! The exchange of the request that opens a socket for its answer.

use std::{pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{CONTENT_ENCODING, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::{
    arrival::{Arrival, ArrivalClock},
    body::{Compression, KEPT_BYTES, Received},
    driver::transport::{
        MAX_BYTES, MAX_HEADERS, Progress, SocketOpening, Stream, TransportFailure,
    },
};

/// How long the body of a refusal may take. Its beginning is for people; the status is there before.
const BODY_WITHIN: Duration = Duration::from_secs(1);

/// What the target answered.
pub(super) struct Exchanged {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The beginning of its body.
    pub(super) body: Received,
    /// When its head had arrived.
    pub(super) arrival: Arrival,
    /// Only if the target speaks another protocol from now on.
    pub(super) switched: Option<Switched>,
}

/// A stream on which another protocol is spoken from now on.
pub(super) struct Switched {
    pub(super) stream: Stream,
    /// What was read together with the answer and belongs to that protocol.
    pub(super) first: Bytes,
}

/// Sends the request and reads the head of the answer, of an answer that is not 101 also the beginning of its body.
/// The turn to open a socket is over with the head.
pub(super) async fn exchange(
    stream: Stream,
    request: Request<Empty<Bytes>>,
    arrivals: &ArrivalClock,
    turn: SocketOpening,
    progress: &mut Progress,
) -> Result<Exchanged, TransportFailure> {
    let failed = |error: hyper::Error| TransportFailure::of(&error);
    let (mut requests, connection) = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let mut answer = pin!(async {
        let (head, body) = requests.send_request(request).await?.into_parts();
        let arrival = arrivals.latest();
        progress.head_arrived(arrival.at);
        drop(turn);
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok((head, arrival, Received::whole(Bytes::new())));
        }
        let within = BODY_WITHIN.min(progress.time_left());
        let body = beginning_of(body, &head.headers, within).await;
        Ok((head, arrival, body))
    });
    let mut driven = pin!(connection.without_shutdown());
    let mut ended = None;
    let (head, arrival, body) = loop {
        tokio::select! {
            biased;
            answer = &mut answer => break answer.map_err(failed)?,
            result = &mut driven, if ended.is_none() => ended = Some(result),
        }
    };
    let mut switched = None;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let parts = match ended {
            Some(parts) => parts,
            None => driven.await,
        };
        let parts = parts.map_err(failed)?;
        switched = Some(Switched {
            stream: parts.io.into_inner(),
            first: parts.read_buf,
        });
    }
    Ok(Exchanged {
        status: head.status,
        headers: head.headers,
        body,
        arrival,
        switched,
    })
}

/// What arrives of a body in this time, until there is enough of it to quote. A body that breaks off or stalls is as good
/// as one that ends: the status is what counts.
async fn beginning_of(mut body: Incoming, headers: &HeaderMap, within: Duration) -> Received {
    let mut kept = BytesMut::new();
    let reading = async {
        while kept.len() <= KEPT_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Ok(data) = frame.into_data() {
                kept.extend_from_slice(&data);
            }
        }
    };
    // What came counts, whether it is all or not.
    drop(timeout(within, reading).await);
    let encodings = headers.get_all(CONTENT_ENCODING);
    let compression = Compression::read(encodings.iter().map(HeaderValue::as_bytes));
    if kept.len() > KEPT_BYTES {
        let length = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        kept.truncate(KEPT_BYTES);
        return Received::too_large(kept.freeze(), length, compression, KEPT_BYTES);
    }
    Received::decompressed(kept.freeze(), compression, KEPT_BYTES)
}
