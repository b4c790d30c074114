//! The servers that the sockets of one client go to.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::{Position, Url};

use super::{
    Connected, Connector, ConnectorSettings, Destination, Progress, ProxyUse, Stage,
    TransportFailure, unusable,
};

/// Servers that the sockets of a client can go to at the same time; a configuration has a handful.
const MOST_SERVERS: usize = 1024;

/// The servers that the sockets of one client go to, with the settings that its requests have.
pub(in crate::driver) struct SocketServers {
    settings: Arc<ConnectorSettings>,
    opening: NonZeroUsize,
    /// By the beginning of a URL, as it was written.
    servers: Mutex<HashMap<Box<str>, Arc<SocketServer>>>,
}

/// One server that sockets go to.
pub(in crate::driver) struct SocketServer {
    pub(in crate::driver) destination: Destination,
    connector: Connector,
    opening: Arc<Semaphore>,
}

/// One of the sockets to a server that may be being opened at the same moment, until it is dropped.
#[must_use]
pub(in crate::driver) struct SocketOpening {
    _permit: Option<OwnedSemaphorePermit>,
}

impl SocketServers {
    /// As many sockets to one server may be being opened at the same moment as connections of requests; the two
    /// are counted apart, so that neither waits for the other.
    pub(in crate::driver) fn new(settings: Arc<ConnectorSettings>, opening: NonZeroUsize) -> Self {
        Self {
            settings,
            opening,
            servers: Mutex::default(),
        }
    }

    /// The server of a URL that begins with `ws`, `wss`, `http` or `https`.
    pub(in crate::driver) fn server_of(
        &self,
        url: &str,
    ) -> Result<Arc<SocketServer>, TransportFailure> {
        let whole = Url::parse(url).map_err(unusable)?;
        let origin = &whole[..Position::BeforePath];
        // A list that is whole after every statement.
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(origin) {
            return Ok(server.clone());
        }
        if servers.len() >= MOST_SERVERS {
            servers.retain(|_, server| Arc::strong_count(server) > 1);
        }
        if servers.len() >= MOST_SERVERS {
            return Err(TransportFailure::bad_request(format!(
                "sockets go to more than {MOST_SERVERS} servers"
            )));
        }
        let destination = Destination::of_socket(origin)?;
        let connector = (self.settings).connector_to(&destination.server, ProxyUse::Tunnel)?;
        let server = Arc::new(SocketServer {
            destination,
            connector,
            opening: Arc::new(Semaphore::new(self.opening.get())),
        });
        servers.insert(origin.into(), server.clone());
        Ok(server)
    }
}

impl SocketServer {
    /// Waits until another socket may be opened. It is held until the handshake on the stream is over.
    pub(in crate::driver) async fn opening(&self, progress: &mut Progress) -> SocketOpening {
        progress.reach(Stage::Connection);
        if let Ok(permit) = self.opening.clone().try_acquire_owned() {
            progress.granted_at_once();
            return SocketOpening {
                _permit: Some(permit),
            };
        }
        // It is never closed; without a permit the socket is opened all the same.
        let permit = self.opening.clone().acquire_owned().await.ok();
        progress.granted();
        SocketOpening { _permit: permit }
    }

    /// Opens a stream for one socket.
    pub(in crate::driver) async fn open(
        &self,
        progress: &mut Progress,
    ) -> Result<Connected, TransportFailure> {
        self.connector.open(progress).await
    }
}
