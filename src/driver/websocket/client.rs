use std::time::Duration;

use super::{OpenedSocket, Opening, SocketFailure, SocketHandler};
use crate::driver::OnWire;

/// Opens sockets to one target and knows those that are open. Clones are the same client.
#[derive(Debug, Clone)]
pub struct WebSocketClient {}

impl WebSocketClient {
    /// Opens a socket: over TLS and through a proxy as requests go, on a connection of its own.
    ///
    /// Any answer but a valid 101 is a failure, redirects included. `on_wire` says for whoever gives up waiting whether
    /// the target may have seen the opening. The handler is called from now on, also for a message that came together
    /// with the answer.
    pub async fn open(
        &self,
        opening: &Opening,
        handler: Box<dyn SocketHandler>,
        on_wire: &OnWire,
    ) -> Result<OpenedSocket, SocketFailure> {
        drop((opening, handler, on_wire));
        std::future::pending().await
    }

    /// Waits until all sockets of this client have ended, but no longer than this; how many have not.
    pub async fn all_closed(&self, within: Duration) -> usize {
        tokio::time::sleep(within).await;
        0
    }
}
