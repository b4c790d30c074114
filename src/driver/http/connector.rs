//! Opens connections: name lookup, TCP, TLS, and HTTP/1.1 on top.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tokio::sync::oneshot;
use tower::Service;

use super::{failure::Cause, resolver::SystemResolver};

/// The sending end of a connection.
pub(super) struct Sender {
    requests: SendRequest<Full<Bytes>>,
    /// Its other half is dropped with the task of the connection.
    ended: oneshot::Receiver<Infallible>,
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

impl Sender {
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

    /// Sends a request and waits for the head of its answer.
    ///
    /// A request can get into the channel to a connection that has just emptied it for the last time. Nobody
    /// would ever hear of it again: hyper tells what is in the channel when it closes, and not what comes then.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.requests.send_request(request));
        tokio::select! {
            biased;
            answer = &mut answer => Ok(answer?),
            // The last that a connection does may be to answer.
            _ = &mut self.ended => Ok(answer.now_or_never().ok_or(Unanswered::NotTaken)??),
        }
    }
}

/// Opens connections from the same local addresses, each in its turn.
pub(super) struct Connector {
    /// One for each local address; one that leaves it to the system, if there are none.
    from: Arc<[HttpsConnector<HttpConnector<SystemResolver>>]>,
    next: AtomicUsize,
}

impl Connector {
    pub(super) fn new(trust: &ClientConfig, from: &[IpAddr]) -> Self {
        let connector = |local| {
            let mut tcp = HttpConnector::new_with_resolver(SystemResolver);
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_local_address(local);
            HttpsConnectorBuilder::new()
                .with_tls_config(trust.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp)
        };
        let mut locals: Vec<_> = from.iter().copied().map(Some).collect();
        if locals.is_empty() {
            locals.push(None);
        }
        Self {
            from: locals.into_iter().map(connector).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The same addresses for another server, with turns of its own: every server sees them all.
    pub(super) fn for_another(&self) -> Self {
        Self {
            from: self.from.clone(),
            next: AtomicUsize::new(0),
        }
    }

    /// Opens one connection.
    pub(super) async fn open(&self, server: &Uri) -> Result<Sender, Cause> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.from.len();
        let mut connector = self.from[turn].clone();
        let stream = connector
            .call(server.clone())
            .await
            .map_err(|error| Cause::of(&*error))?;
        let (requests, connection) = handshake(stream).await.map_err(|error| Cause::of(&error))?;
        let (ending, ended) = oneshot::channel();
        // It ends with its sender or when the server closes, and who has sent something on it hears
        // of what goes wrong.
        tokio::spawn(async {
            drop(connection.await);
            drop(ending);
        });
        Ok(Sender { requests, ended })
    }
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;

    use super::*;

    #[tokio::test]
    async fn a_request_that_a_connection_did_not_take_any_more_does_not_wait_for_ever() {
        let (near, _far) = tokio::io::duplex(1024);
        // Nobody drives it, so what is sent stays in its channel.
        let (requests, _connection) = handshake(TokioIo::new(near)).await.unwrap();
        let (ending, ended) = oneshot::channel();
        let mut sender = Sender { requests, ended };
        drop(ending);
        let request = Request::new(Full::new(Bytes::new()));
        let lost = sender.send(request).await.unwrap_err();
        assert!(matches!(lost, Unanswered::NotTaken), "{lost}");
        assert!(crate::driver::http::failure::closed_before_answer(&lost));
    }

    #[tokio::test]
    async fn the_last_answer_of_a_connection_is_taken() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let (near, mut far) = tokio::io::duplex(1024);
        let (requests, connection) = handshake(TokioIo::new(near)).await.unwrap();
        let (ending, ended) = oneshot::channel();
        let mut sender = Sender { requests, ended };
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
