//! Connections that carry another protocol once a request is answered `101`.

use std::{fmt, pin::Pin, sync::Arc};

use axum::http::StatusCode;
use bytes::Bytes;
use tokio_io_timeout::TimeoutStream;

use crate::arrival::StampedStream;

/// The stream of a connection. A write that the client does not read ends with an error after [`super::Limits::unread`].
pub type ClientStream = Pin<Box<TimeoutStream<StampedStream>>>;

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A connection after its `101`.
#[derive(Debug)]
pub struct Upgraded {
    /// The rest of the connection.
    pub stream: ClientStream,
    /// What the client sent behind its request, before it had the answer.
    pub early: Bytes,
}

/// What serves the connection after an answer that has this as an extension. It runs in the task of the connection
/// and keeps its slot; the listener drops it when connections are cut off.
#[derive(Clone)]
pub struct Upgrade(Arc<dyn Fn(Upgraded) -> Serving + Send + Sync>);

impl Upgrade {
    /// The future of `serve` has the connection to itself.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(Upgraded) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |upgraded| Box::pin(serve(upgraded))))
    }

    pub(super) fn serve(&self, upgraded: Upgraded) -> Serving {
        (self.0)(upgraded)
    }

    /// Takes it from an answer; one that is no `101` has none.
    pub(super) fn of<B>(response: &mut axum::http::Response<B>) -> Option<Self> {
        let upgrade = response.extensions_mut().remove();
        upgrade.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS)
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}
