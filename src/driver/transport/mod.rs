//! Streams to servers: name lookup, TCP, a proxy's tunnel and TLS. What is spoken on a stream is the matter of the
//! drivers.
//!
//! A [`Connector`] opens [`Connected`] streams to one server. HTTP has connectors in its pools; sockets have theirs
//! in [`SocketServers`], with the same settings.

mod connections;
mod connector;
mod destination;
mod dial;
mod endpoint;
mod failure;
mod head;
mod headers;
mod progress;
mod proxy;
mod resolver;
mod sockets;
mod stream;
mod tls;
mod words;

use std::{fmt, sync::Arc};

use rustls::ClientConfig;

#[cfg(test)]
pub(in crate::driver) use self::dial::interleaved;
pub use self::{
    connections::{ConnectionSettings, Sharing},
    endpoint::Endpoint,
    proxy::{EnvironmentProxies, Proxy, ProxyChoice, ProxyError},
    tls::{Tls, TlsError, TlsSettings},
};
pub(in crate::driver) use self::{
    connector::{Connected, Connector, ConnectorSettings, ProxyUse},
    destination::{Destination, shown_server, split, unusable},
    failure::{TransportFailure, TransportFailureKind, causes, one_line},
    head::{MAX_BYTES, MAX_HEADERS},
    headers::{request_headers, unless_given},
    progress::{Progress, Stage},
    resolver::Resolver,
    sockets::{SocketOpening, SocketServers},
    stream::Stream,
};

/// What all streams of the process have in common: whom they trust, the proxies of the environment, and who looks
/// names up.
pub(in crate::driver) struct ProcessTransport {
    trust: Tls,
    proxies: Arc<EnvironmentProxies>,
    resolver: Resolver,
}

impl ProcessTransport {
    pub(in crate::driver) fn new(
        trust: ClientConfig,
        proxies: EnvironmentProxies,
        resolver: Resolver,
    ) -> Self {
        Self {
            trust: Tls::of(trust),
            proxies: Arc::new(proxies),
            resolver,
        }
    }

    /// How streams of one client to an endpoint are opened; `tls` makes the client's TLS of the given one.
    pub(in crate::driver) fn settings_for(
        &self,
        endpoint: &Endpoint,
        tls: impl Fn(&Tls) -> Tls,
    ) -> ConnectorSettings {
        ConnectorSettings {
            resolver: self.resolver.clone(),
            from: endpoint.connections.from.as_slice().into(),
            host: endpoint.host.clone(),
            tls: tls(endpoint.tls.as_ref().unwrap_or(&self.trust)),
            others: tls(&self.trust),
            proxy: endpoint.proxy.clone(),
            environment: self.proxies.clone(),
        }
    }
}

impl fmt::Debug for ProcessTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessTransport").finish_non_exhaustive()
    }
}
