//! The sending end of a connection.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    time::Instant,
};

use super::{
    failure::Cause,
    forwarding::Forwarding,
    watched::{Closing, StreamActivity, WatchedStream},
};
use crate::{
    arrival::ArrivalClock,
    descriptors::Permit,
    driver::transport::{MAX_BYTES, MAX_HEADERS, causes},
};

/// The sending end of a connection.
pub(super) struct Sender {
    requests: SendRequest<Full<Bytes>>,
    /// Its other half is dropped with the task of the connection.
    ended: oneshot::Receiver<Infallible>,
    /// How requests are written for a proxy that reads them.
    forwarding: Option<Box<Forwarding>>,
    activity: Arc<StreamActivity>,
    /// When what was read last had arrived.
    pub(super) arrivals: ArrivalClock,
    /// How often something had been written before the latest request.
    writes_before: u64,
    /// How long a byte takes to the server and back, roughly.
    pub(super) round_trip: Duration,
    /// From then on it takes no further request.
    pub(super) expires: Option<Instant>,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("{0}")]
    Failed(#[from] hyper::Error),
    /// Handed over in the moment in which the connection ended, and not taken any more.
    #[error("the connection was closed before it took the request")]
    NotTaken,
}

impl Unanswered {
    /// Whether nothing of the request was sent: the connection ended before it took it.
    pub(super) fn is_unsent(&self) -> bool {
        match self {
            Self::NotTaken => true,
            Self::Failed(error) => error.is_canceled(),
        }
    }
}

impl Sender {
    /// Speaks HTTP/1.1 on a stream to the server. The permit is that of its socket.
    pub(super) async fn open(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        arrivals: ArrivalClock,
        permit: Option<Permit>,
    ) -> Result<Self, Cause> {
        let stream = WatchedStream::new(stream);
        let activity = stream.activity();
        let (requests, connection) = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Cause::of(&error))?;
        let (ending, ended) = oneshot::channel();
        // It ends with its sender or when the server closes, and who has sent something on it hears
        // of what goes wrong.
        tokio::spawn(async {
            drop(connection.await);
            drop(ending);
            drop(permit);
        });
        Ok(Self {
            requests,
            ended,
            forwarding: None,
            activity,
            arrivals,
            writes_before: 0,
            round_trip: Duration::ZERO,
            expires: None,
        })
    }

    /// How the server closed the connection, if it did.
    pub(super) fn closing(&self) -> Option<Closing> {
        self.activity.closing()
    }

    /// Whether nothing of the latest request went out.
    pub(super) fn wrote_nothing(&self) -> bool {
        self.activity.writes() == self.writes_before
    }

    /// The same where a proxy reads the requests and passes them on.
    pub(super) fn forwarded(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = Some(Box::new(forwarding));
        self
    }

    /// Waits until another request can be sent; an error if the connection is closed.
    pub(super) async fn ready(&mut self) -> hyper::Result<()> {
        self.requests.ready().await
    }

    pub(super) fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// A request can get into the channel to a connection that has just emptied it for the last time. Nobody
    /// would ever hear of it again: hyper tells what is in the channel when it closes, and not what comes then.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        if let Some(forwarding) = &self.forwarding {
            forwarding.apply(&mut request);
        }
        self.writes_before = self.activity.writes();
        let mut answer = pin!(self.requests.send_request(request));
        tokio::select! {
            biased;
            answer = &mut answer => Ok(answer?),
            // The last that a connection does may be to answer.
            _ = &mut self.ended => Ok(answer.now_or_never().ok_or(Unanswered::NotTaken)??),
        }
    }
}

/// The connection was closed under a request that has no head of an answer.
///
/// The client does not tell how much of a head had arrived: one that breaks off in the middle
/// counts as none.
pub(super) fn closed_before_answer(error: &Unanswered) -> bool {
    causes(error).any(|cause| {
        if let Some(Unanswered::NotTaken) = cause.downcast_ref() {
            true
        } else if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            error.is_incomplete_message() || error.is_closed() || error.is_canceled()
        } else if let Some(error) = cause.downcast_ref::<io::Error>() {
            // A TLS connection closed without its goodbye is an unexpected end of file.
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
            )
        } else {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_a_connection_did_not_take_any_more_does_not_wait_for_ever() {
        let (near, _far) = tokio::io::duplex(1024);
        // Nobody drives it, so what is sent stays in its channel.
        let (requests, _connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        let (ending, ended) = oneshot::channel();
        let mut sender = Sender {
            requests,
            ended,
            forwarding: None,
            activity: Arc::default(),
            arrivals: ArrivalClock::default(),
            writes_before: 0,
            round_trip: Duration::ZERO,
            expires: None,
        };
        drop(ending);
        let request = Request::new(Full::new(Bytes::new()));
        let lost = sender.send(request).await.unwrap_err();
        assert!(matches!(lost, Unanswered::NotTaken), "{lost}");
        assert!(closed_before_answer(&lost));
    }

    #[tokio::test]
    async fn the_last_answer_of_a_connection_is_taken() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let (near, mut far) = tokio::io::duplex(1024);
        let (requests, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        let (ending, ended) = oneshot::channel();
        let mut sender = Sender {
            requests,
            ended,
            forwarding: None,
            activity: Arc::default(),
            arrivals: ArrivalClock::default(),
            writes_before: 0,
            round_trip: Duration::ZERO,
            expires: None,
        };
        let driven = async {
            connection.await.ok();
            drop(ending);
        };
        let server = async {
            far.read_u8().await.unwrap();
            far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
                .unwrap();
            drop(far);
        };
        // The sender is looked at last, when the answer is there and the connection is gone.
        let request = Request::new(Full::new(Bytes::new()));
        let ((), (), answer) = tokio::join!(driven, server, sender.send(request));
        assert_eq!(answer.unwrap().status(), 200);
    }
}
