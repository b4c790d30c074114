//! HTTP/1.1 requests, timed, over connections that customers share or have of their own.

mod answer;
mod cookies;
mod failure;
mod forwarding;
mod pool;
mod prepared;
mod redirect;
mod request;
mod resend;
mod sender;
mod session;
mod stream;
#[cfg(test)]
pub(in crate::driver) mod tests;
mod watched;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use url::{Position, Url};

pub use self::{
    answer::HttpAnswer,
    cookies::Cookies,
    failure::{HttpFailure, HttpFailureKind, Remedy},
    redirect::{location, shown_address},
    request::{HttpBody, HttpRequest, Redirects},
    session::{HttpSession, OnWire},
    stream::{AnswerStream, StreamBroken, StreamPiece},
};
use self::{failure::Cause, pool::Pool};
use super::transport::{
    ConnectionSettings, ConnectorSettings, Destination, Endpoint, EnvironmentProxies,
    ProcessTransport, ProxyUse, Resolver, SocketServers, Tls, split, unusable,
};
use crate::lookups::Lookups;

/// Servers that a client can talk to at the same time; a configuration has a handful.
const MOST_POOLS: usize = 1024;

/// Clients that are kept for whoever asks for one like them; a configuration has a handful.
const MOST_CLIENTS: usize = 64;

/// What all requests of the process have in common: the transport, and the clients.
#[derive(Debug, Clone)]
pub struct HttpDriver(Arc<Shared>);

struct Shared {
    transport: ProcessTransport,
    clients: Mutex<Vec<(Endpoint, HttpClient)>>,
}

/// Sends requests over connections of one kind.
///
/// It reports what the server answered: it keeps no cookie, and follows redirects only if a request asks for it.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<ClientState>);

/// What the sessions of a client share.
struct ClientState {
    connections: ConnectionSettings,
    connector: Arc<ConnectorSettings>,
    sockets: SocketServers,
    /// By the beginning of a URL, as it was written.
    pools: Mutex<HashMap<Box<str>, Arc<Pool>>>,
}

/// The driver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The process has installed no rustls provider yet.
    #[error("no TLS crypto provider is installed")]
    NoCryptoProvider,
    /// The system has no root certificates, for instance.
    #[error("TLS cannot be set up: {0}")]
    Trust(#[source] rustls::Error),
}

impl HttpDriver {
    /// Trusts whom the system trusts, and uses no proxy unless a target has one. The process must have
    /// installed its rustls provider before.
    pub fn new() -> Result<Self, HttpSetupError> {
        Self::through(EnvironmentProxies::default())
    }

    /// The same with proxies for targets that do not say which one they have.
    pub fn through(proxies: EnvironmentProxies) -> Result<Self, HttpSetupError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(HttpSetupError::NoCryptoProvider);
        }
        let trust = ClientConfig::with_platform_verifier().map_err(HttpSetupError::Trust)?;
        let resolver = Resolver::System(Lookups::of_system());
        Ok(Self::with(trust, proxies, resolver))
    }

    fn with(trust: ClientConfig, proxies: EnvironmentProxies, resolver: Resolver) -> Self {
        Self(Arc::new(Shared {
            transport: ProcessTransport::new(trust, proxies, resolver),
            clients: Mutex::default(),
        }))
    }

    /// A client whose connections nobody else uses.
    pub fn client(&self, endpoint: &Endpoint) -> HttpClient {
        self.client_with(endpoint, Tls::clone)
    }

    /// The same with a whole TLS handshake on each connection, so that each checks the certificate.
    pub fn fresh_client(&self, endpoint: &Endpoint) -> HttpClient {
        self.client_with(endpoint, Tls::without_resumption)
    }

    fn client_with(&self, endpoint: &Endpoint, tls: impl Fn(&Tls) -> Tls) -> HttpClient {
        let connections = &endpoint.connections;
        let connector = Arc::new(self.0.transport.settings_for(endpoint, tls));
        HttpClient(Arc::new(ClientState {
            sockets: SocketServers::new(connector.clone(), connections.opening),
            connector,
            connections: connections.clone(),
            pools: Mutex::default(),
        }))
    }

    /// The client to this endpoint for whoever asks few things now and then; all who ask for the same
    /// get the same.
    pub fn common_client(&self, endpoint: &Endpoint) -> HttpClient {
        let mut clients = lock(&self.0.clients);
        if let Some((_, client)) = clients.iter().find(|(known, _)| known == endpoint) {
            return client.clone();
        }
        if clients.len() >= MOST_CLIENTS {
            clients.retain(|(_, client)| Arc::strong_count(&client.0) > 1);
        }
        let client = self.client(endpoint);
        clients.push((endpoint.clone(), client.clone()));
        client
    }

    /// Closes connections of common clients that nobody has used for long.
    pub fn close_expired(&self) {
        for (_, client) in &*lock(&self.0.clients) {
            client.close_expired();
        }
    }
}

impl HttpClient {
    /// A session of a new virtual user.
    pub fn session(&self) -> HttpSession {
        HttpSession::of(self.clone())
    }

    /// The servers that sockets of the same client go to.
    pub(super) fn socket_servers(&self) -> &SocketServers {
        &self.0.sockets
    }

    /// Closes connections that nobody has used for long. Otherwise it is done when the next answer
    /// comes from the same server.
    pub fn close_expired(&self) {
        lock(&self.0.pools).retain(|_, pool| !pool.close_expired() || in_use(pool));
    }

    /// The pool of the server of a URL, and the rest of the URL.
    fn pool<'a>(&self, url: &'a str) -> Result<(Arc<Pool>, &'a str), Cause> {
        if let Some((origin, path)) = split(url) {
            return Ok((self.pool_to(origin)?, path));
        }
        let whole = Url::parse(url).map_err(unusable)?;
        Ok((self.pool_to(&whole[..Position::BeforePath])?, url))
    }

    fn pool_to(&self, origin: &str) -> Result<Arc<Pool>, Cause> {
        let mut pools = lock(&self.0.pools);
        if let Some(pool) = pools.get(origin) {
            return Ok(pool.clone());
        }
        if pools.len() >= MOST_POOLS {
            pools.retain(|_, pool| !pool.close_expired() || in_use(pool));
        }
        if pools.len() >= MOST_POOLS {
            return Err(Cause::bad_request(format!(
                "requests go to more than {MOST_POOLS} servers"
            )));
        }
        let read = Destination::read(origin)?;
        let connector = (self.0.connector).connector_to(&read.server, ProxyUse::TunnelOrForward)?;
        let pool = Pool::new(read, connector, &self.0.connections);
        pools.insert(origin.into(), pool.clone());
        Ok(pool)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // Lists that are whole after every statement.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether anybody besides the list of pools has it.
fn in_use(pool: &Arc<Pool>) -> bool {
    Arc::strong_count(pool) > 1
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Without the servers, whose URLs may hold a password.
impl fmt::Debug for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ClientState");
        debug
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
