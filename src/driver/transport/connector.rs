//! Opens streams to one server.

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
    failure::TransportFailure,
    progress::{Progress, Stage},
    proxy::{EnvironmentProxies, Proxy, ProxyChoice},
    resolver::{Resolver, literal, without_brackets},
    stream::Stream,
    tls::{Tls, expired, expiry},
};
use crate::{arrival::ArrivalClock, descriptors::Permit};

/// How the streams of one client are opened, to whatever server.
pub(in crate::driver) struct ConnectorSettings {
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

/// What a proxy may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::driver) enum ProxyUse {
    /// A tunnel, or where it opens none to an `http://` server, that it reads requests and passes them on.
    TunnelOrForward,
    /// A tunnel, whatever is spoken in it.
    Tunnel,
}

/// Opens streams to one server.
pub(in crate::driver) struct Connector {
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

/// A stream that was opened. How long that took, the round trip and the end of the server's certificate stand in the
/// progress.
pub(in crate::driver) struct Connected {
    pub(in crate::driver) stream: Stream,
    /// When what was read from it last had arrived.
    pub(in crate::driver) arrivals: ArrivalClock,
    /// Belongs to the stream, as long as that is open.
    pub(in crate::driver) permit: Permit,
    /// The proxy that reads what is sent and passes it on, if the stream ends there.
    pub(in crate::driver) forwarded_by: Option<Arc<Proxy>>,
}

/// TLS with one server.
struct ServerTls {
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// The proxy to one server.
struct ServerProxy {
    proxy: Arc<Proxy>,
    may_be_asked_for: ProxyUse,
    /// It opens no tunnel to this server, so requests are forwarded.
    forwards: AtomicBool,
}

impl ConnectorSettings {
    /// The connector to a server: scheme, host and perhaps a port.
    pub(in crate::driver) fn connector_to(
        &self,
        server: &Uri,
        proxy_use: ProxyUse,
    ) -> Result<Connector, TransportFailure> {
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
                proxy,
                may_be_asked_for: proxy_use,
                forwards: AtomicBool::new(false),
            }),
        })
    }
}

impl ServerProxy {
    /// Whether a proxy that refuses a tunnel may pass requests on instead.
    fn may_forward(&self) -> bool {
        self.may_be_asked_for == ProxyUse::TunnelOrForward
    }
}

impl Connector {
    /// Opens one stream. The progress stands at the answer then.
    pub(in crate::driver) async fn open(
        &self,
        progress: &mut Progress,
    ) -> Result<Connected, TransportFailure> {
        let connected = if let Some(through) = &self.proxy {
            self.open_through(through, progress).await?
        } else {
            let dialled = self.connect(&self.host, self.port, progress).await?;
            let arrivals = dialled.stream.arrivals();
            let stream = match &self.secure {
                None => Stream::Plain(dialled.stream),
                Some(secure) => {
                    Stream::Tls(self.handshake(secure, dialled.stream, progress).await?)
                }
            };
            Connected {
                stream,
                arrivals,
                permit: dialled.permit,
                forwarded_by: None,
            }
        };
        progress.reach(Stage::Answer);
        Ok(connected)
    }

    async fn open_through(
        &self,
        through: &ServerProxy,
        progress: &mut Progress,
    ) -> Result<Connected, TransportFailure> {
        let proxy = &through.proxy;
        progress.proxy = Some(proxy.to_string());
        let Dialled { stream, permit, .. } = self.connect_to_proxy(proxy, progress).await?;
        let arrivals = stream.arrivals();
        let forwarded = |dialled: Dialled| Connected {
            arrivals: dialled.stream.arrivals(),
            stream: Stream::Plain(dialled.stream),
            permit: dialled.permit,
            forwarded_by: Some(proxy.clone()),
        };
        if through.forwards.load(Ordering::Relaxed) {
            let round_trip = progress.round_trip;
            return Ok(forwarded(Dialled {
                stream,
                permit,
                round_trip,
            }));
        }
        progress.reach(Stage::Tunnel);
        let server = format!("{}:{}", self.host, self.port);
        let asked = Instant::now();
        match proxy.tunnel(stream, &server).await {
            Ok(tunnel) => {
                progress.round_trip += asked.elapsed();
                let stream = match &self.secure {
                    None => Stream::Tunnel(tunnel),
                    Some(secure) => {
                        Stream::TlsInTunnel(self.handshake(secure, tunnel, progress).await?)
                    }
                };
                Ok(Connected {
                    stream,
                    arrivals,
                    permit,
                    forwarded_by: None,
                })
            }
            Err(refused)
                if self.secure.is_none() && through.may_forward() && refused.is_in_principle() =>
            {
                through.forwards.store(true, Ordering::Relaxed);
                drop(permit);
                Ok(forwarded(self.connect_to_proxy(proxy, progress).await?))
            }
            Err(refused) => Err(refused.into_failure(proxy, &server)),
        }
    }

    async fn connect_to_proxy(
        &self,
        proxy: &Proxy,
        progress: &mut Progress,
    ) -> Result<Dialled, TransportFailure> {
        let reached = self.connect(&proxy.host, proxy.port, progress).await;
        reached.map_err(|failure| failure.at_proxy(&proxy.to_string()))
    }

    /// A TCP connection to the host.
    async fn connect(
        &self,
        host: &str,
        port: u16,
        progress: &mut Progress,
    ) -> Result<Dialled, TransportFailure> {
        let local = match self.from.len() {
            0 => None,
            count => Some(self.from[self.next.fetch_add(1, Ordering::Relaxed) % count]),
        };
        let found = if let Some(address) = literal(host) {
            vec![(address, port).into()]
        } else {
            progress.reach(Stage::LookupThread);
            let begun = || progress.lookup_begun();
            let found = self.resolver.look_up(host, port, begun).await;
            found.map_err(|error| TransportFailure::of(&error))?
        };
        let addresses = interleaved(found, local);
        if addresses.is_empty() {
            return Err(TransportFailure::connect(&format!(
                "`{host}` has no address of the family of `from`"
            )));
        }
        progress.try_addresses(&addresses);
        let dialled = dial(&addresses, local, progress.time_left()).await?;
        progress.round_trip = dialled.round_trip;
        Ok(dialled)
    }

    /// TLS on a stream to the server.
    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        secure: &ServerTls,
        stream: S,
        progress: &mut Progress,
    ) -> Result<Box<TlsStream<S>>, TransportFailure> {
        progress.reach(Stage::Tls);
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
        shaken
            .map(Box::new)
            .map_err(|error| TransportFailure::of(&error))
    }
}

/// When the certificate ends that the server showed.
fn certificate_expiry<S>(stream: &TlsStream<S>) -> Option<std::time::SystemTime> {
    let (_, session) = stream.get_ref();
    expiry(session.peer_certificates()?.first()?)
}
