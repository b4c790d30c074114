//! Whether a request went out on a fresh connection or on one kept from an earlier request.

use std::cell::Cell;

use reqwest::ClientBuilder;
use tower::util::MapFutureLayer;

tokio::task_local! {
    /// A connect ended while the request of this scope was polled.
    static CONNECTED: Cell<bool>;
}

/// The kind of connection that a request went out on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Opened for this request.
    Fresh,
    /// Opened for an earlier request.
    Reused,
}

/// Makes the client's connects known to [`watched`].
pub(super) fn note_connects(builder: ClientBuilder) -> ClientBuilder {
    builder.connector_layer(MapFutureLayer::new(noted::<_>))
}

/// Runs one request of a client with [`note_connects`] and tells on which connection it was.
///
/// The client starts a connect when no idle connection is there, and drops the connect into a
/// task of its own if an earlier request gives a connection back first. So it is the end of a
/// connect that counts, and only inside this request's own task.
pub(super) async fn watched<F: Future>(request: F) -> (F::Output, Connection) {
    let scoped = async {
        let output = request.await;
        let connection = if CONNECTED.with(Cell::get) {
            Connection::Fresh
        } else {
            Connection::Reused
        };
        (output, connection)
    };
    CONNECTED.scope(Cell::new(false), scoped).await
}

async fn noted<F: Future>(connecting: F) -> F::Output {
    let output = connecting.await;
    // Outside of a scope no request waits for this connect any more.
    CONNECTED
        .try_with(|connected| connected.set(true))
        .unwrap_or_default();
    output
}
