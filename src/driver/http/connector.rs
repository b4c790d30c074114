//! Opens connections: name lookup, TCP, TLS, and HTTP/1.1 on top.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Uri,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tower::Service;

use super::{failure::Cause, resolver::SystemResolver};

/// The sending end of a connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

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
        let (sender, connection) = handshake(stream).await.map_err(|error| Cause::of(&error))?;
        // It ends with its sender or when the server closes, and who has sent something on it hears
        // of what goes wrong.
        tokio::spawn(async { drop(connection.await) });
        Ok(sender)
    }
}
