//! Opens connections: name lookup, TCP, a proxy's tunnel and TLS, with HTTP/1.1 on top.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper::Uri;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    destination,
    dial::{Dialled, dial, interleaved},
    failure::Cause,
    progress::{Progress, RequestStage},
    proxy::{EnvironmentProxies, Forwarding, Proxy, ProxyChoice},
    resolver::{Resolver, literal, without_brackets},
    sender::Sender,
    tls::{Tls, expired, expiry},
};
use crate::descriptors::Permit;

/// How the connections of one client are opened, to whatever server.
pub(super) struct ConnectorSettings {
    pub(super) resolver: Resolver,
    /// Local addresses, each in its turn; the system chooses, if there are none.
    pub(super) from: Arc<[IpAddr]>,
    /// The host of the target, which its TLS settings are for.
    pub(super) host: Option<String>,
    /// TLS with the target.
    pub(super) tls: Tls,
    /// TLS with other servers that a scenario talks to.
    pub(super) others: Tls,
    pub(super) proxy: ProxyChoice,
    pub(super) environment: Arc<EnvironmentProxies>,
}

/// Opens connections to one server.
pub(super) struct Connector {
    resolver: Resolver,
    from: Arc<[IpAddr]>,
    next: AtomicUsize,
    host: String,
    port: u16,
    secure: Option<ServerTls>,
    /// Whether it is the target's own.
    own: bool,
    proxy: Option<ServerProxy>,
}

/// TLS with one server.
struct ServerTls {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The proxy to one server.
struct ServerProxy {
    proxy: Arc<Proxy>,
    forwarding: Arc<Forwarding>,
    /// It opens no tunnel to this server, so requests are forwarded.
    forwards: AtomicBool,
}

impl ConnectorSettings {
    /// The connector to a server: scheme, host and perhaps a port.
    pub(super) fn connector_to(&self, server: &Uri) -> Result<Connector, Cause> {
        let host = server.host().unwrap_or_default();
        let own = self.host.as_deref() == Some(host);
        let secure = server.scheme_str() == Some("https");
        let tls = if own { &self.tls } else { &self.others };
        let name = without_brackets(host);
        let secure = secure.then(|| {
            let name = tls.name_of(name).map_err(destination::unusable)?;
            let client = tls.client();
            Ok(ServerTls { client, name })
        });
        let default_port = if secure.is_some() { 443 } else { 80 };
        let proxy = match &self.proxy {
            ProxyChoice::Direct => None,
            ProxyChoice::Environment => self.environment.to(server),
            ProxyChoice::Through(proxy) => Some(proxy.clone()),
        };
        Ok(Connector {
            resolver: self.resolver.clone(),
            from: self.from.clone(),
            next: AtomicUsize::new(0),
            host: host.to_owned(),
            port: server.port_u16().unwrap_or(default_port),
            secure: secure.transpose()?,
            own,
            proxy: proxy.map(|proxy| ServerProxy {
                forwarding: Arc::new(Forwarding::new(&proxy, server)),
                proxy,
                forwards: AtomicBool::new(false),
            }),
        })
    }
}

impl Connector {
    /// Opens one connection.
    pub(super) async fn open(&self, progress: &mut Progress) -> Result<Sender, Cause> {
        let sender = if let Some(through) = &self.proxy {
            self.open_through(through, progress).await?
        } else {
            let dialled = self.connect(&self.host, self.port, progress).await?;
            self.handshake(dialled.stream, dialled.permit, progress)
                .await?
        };
        progress.reach(RequestStage::Answer);
        Ok(sender)
    }

    async fn open_through(
        &self,
        through: &ServerProxy,
        progress: &mut Progress,
    ) -> Result<Sender, Cause> {
        let proxy = &through.proxy;
        progress.proxy = Some(proxy.to_string());
        let reached = self.connect(&proxy.host, proxy.port, progress).await;
        let dialled = reached.map_err(|cause| cause.at_proxy(&proxy.to_string()))?;
        let Dialled { stream, permit, .. } = dialled;
        if through.forwards.load(Ordering::Relaxed) {
            return Ok(Sender::open(stream, Some(permit))
                .await?
                .forwarded(through.forwarding.clone()));
        }
        progress.reach(RequestStage::Tunnel);
        let server = format!("{}:{}", self.host, self.port);
        let asked = Instant::now();
        match proxy.tunnel(stream, &server).await {
            Ok(tunnel) => {
                progress.round_trip += asked.elapsed();
                self.handshake(tunnel, permit, progress).await
            }
            Err(refused) if self.secure.is_none() && refused.is_in_principle() => {
                through.forwards.store(true, Ordering::Relaxed);
                drop(permit);
                let reached = self.connect(&proxy.host, proxy.port, progress).await;
                let dialled = reached.map_err(|cause| cause.at_proxy(&proxy.to_string()))?;
                Ok(Sender::open(dialled.stream, Some(dialled.permit))
                    .await?
                    .forwarded(through.forwarding.clone()))
            }
            Err(refused) => Err(refused.into_cause(proxy, &server)),
        }
    }

    /// A TCP connection to the host.
    async fn connect(
        &self,
        host: &str,
        port: u16,
        progress: &mut Progress,
    ) -> Result<Dialled, Cause> {
        let local = match self.from.len() {
            0 => None,
            count => Some(self.from[self.next.fetch_add(1, Ordering::Relaxed) % count]),
        };
        let found = if let Some(address) = literal(host) {
            vec![(address, port).into()]
        } else {
            progress.reach(RequestStage::LookupThread);
            let begun = || progress.lookup_begun();
            let found = self.resolver.look_up(host, port, begun).await;
            found.map_err(|error| Cause::of(&error))?
        };
        let addresses = interleaved(found, local);
        if addresses.is_empty() {
            return Err(Cause::connect(&format!(
                "`{host}` has no address of the family of `from`"
            )));
        }
        progress.try_addresses(&addresses);
        let dialled = dial(&addresses, local, progress.time_left()).await?;
        progress.round_trip = dialled.round_trip;
        Ok(dialled)
    }

    /// TLS if the server wants it, and HTTP/1.1.
    async fn handshake(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        permit: Permit,
        progress: &mut Progress,
    ) -> Result<Sender, Cause> {
        match &self.secure {
            None => Sender::open(stream, Some(permit)).await,
            Some(secure) => {
                progress.reach(RequestStage::Tls);
                let shaken = TlsConnector::from(secure.client.clone())
                    .connect(secure.name.clone(), stream)
                    .await;
                if self.own {
                    progress.certificate_expires = match &shaken {
                        Ok(stream) => certificate_expiry(stream),
                        Err(error) => error
                            .get_ref()
                            .and_then(|error| expired(error.downcast_ref()?)),
                    };
                }
                let stream = shaken.map_err(|error| Cause::of(&error))?;
                Sender::open(stream, Some(permit)).await
            }
        }
    }
}

/// When the certificate ends that the server showed.
fn certificate_expiry<S>(stream: &TlsStream<S>) -> Option<std::time::SystemTime> {
    let (_, session) = stream.get_ref();
    expiry(session.peer_certificates()?.first()?)
}
