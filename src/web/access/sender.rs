//! What a request says about who sends it, and under which name.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::{
        HeaderMap, Uri, Version,
        header::{HOST, ORIGIN},
        request::Parts,
        uri::Authority,
    },
};

/// Headers that proxies and load balancers add, besides those that [`is_of_proxies`] knows by a part of their name.
const OF_PROXIES: [&str; 9] = [
    "via",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-varnish",
    "x-proxyuser-ip",
    "x-envoy-external-address",
    "x-amzn-trace-id",
    "cdn-loop",
];
/// How names of headers end that carry the address of the client of a proxy.
const CLIENT_ADDRESS_ENDS: [&str; 9] = [
    "client-ip",
    "clientip",
    "client-addr",
    "real-ip",
    "originating-ip",
    "remote-ip",
    "remote-addr",
    "connecting-ip",
    "connecting-ipv6",
];

/// What of a request says who sends it.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct RequestSender<'a> {
    /// Who is at the other end of the connection.
    pub(in crate::web) peer: Option<SocketAddr>,
    pub(in crate::web) headers: &'a HeaderMap,
    version: Version,
    uri: &'a Uri,
}

/// Why it cannot be told which host a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::web) enum HostError {
    #[error("the request has several `Host` headers; send one")]
    Several,
    #[error("the request has no `Host` header; HTTP/1.1 needs one")]
    Missing,
    #[error(
        "the `Host` of the request is not a host name or an IP address, with or without a port"
    )]
    Unreadable,
    #[error(
        "the address in the first line of the request and its `Host` header name different hosts"
    )]
    Contradictory,
}

impl<'a> RequestSender<'a> {
    pub(in crate::web) fn of(request: &'a Request) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            peer: peer.map(|ConnectInfo(peer)| *peer),
            headers: request.headers(),
            version: request.version(),
            uri: request.uri(),
        }
    }

    pub(in crate::web) fn of_parts(parts: &'a Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            peer: peer.map(|ConnectInfo(peer)| *peer),
            headers: &parts.headers,
            version: parts.version,
            uri: &parts.uri,
        }
    }

    /// The host that the request is for (RFC 9112, section 3.2); `None` for a client older than HTTP/1.1
    /// that names none.
    pub(in crate::web) fn host(&self) -> Result<Option<Host>, HostError> {
        let mut given = self.headers.get_all(HOST).iter();
        let header = match (given.next(), given.next()) {
            (_, Some(_)) => return Err(HostError::Several),
            (Some(value), None) => Some(Host::read(value.as_bytes())?),
            (None, None) => None,
        };
        let target = match self.uri.authority() {
            Some(authority) => Some(Host::read(authority.as_str().as_bytes())?),
            None => None,
        };
        match (header, target) {
            (Some(header), Some(target)) => {
                let default = match self.uri.scheme_str() {
                    Some("https") => 443,
                    _ => 80,
                };
                if header.is(&target, default) {
                    Ok(Some(header))
                } else {
                    Err(HostError::Contradictory)
                }
            }
            (Some(host), None) => Ok(Some(host)),
            (None, _) if self.version >= Version::HTTP_11 => Err(HostError::Missing),
            (None, target) => Ok(target),
        }
    }

    /// Whether anything says that a proxy passes the request on. Some add no header and speak HTTP/1.0,
    /// which neither browsers nor current clients do.
    pub(super) fn is_proxied(&self) -> bool {
        self.version < Version::HTTP_11
            || (self.headers.keys()).any(|name| is_of_proxies(name.as_str()))
    }

    /// Whether it comes from nowhere, or from a page of this very host: `Origin` and `Sec-Fetch-Site` name
    /// no other site.
    pub(super) fn is_of_no_other_site(&self, host: &Host) -> bool {
        let same_origin = self.headers.get_all(ORIGIN).iter().all(|origin| {
            let origin = origin.as_bytes();
            origin
                .strip_prefix(b"http://")
                .is_some_and(|origin| origin.eq_ignore_ascii_case(host.0.as_str().as_bytes()))
        });
        let mut sites = self.headers.get_all("sec-fetch-site").iter();
        same_origin && sites.all(|site| ["same-origin", "none"].iter().any(|own| site == own))
    }
}

/// Whether proxies and load balancers add the header of this name, which is in lower case. No browser and no usual
/// client sends one.
fn is_of_proxies(name: &str) -> bool {
    name.contains("forwarded")
        || (CLIENT_ADDRESS_ENDS.iter()).any(|end| name.ends_with(end))
        || OF_PROXIES.contains(&name)
}

/// A host with or without a port, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct Host(Authority);

impl Host {
    fn read(text: &[u8]) -> Result<Self, HostError> {
        let authority = Authority::try_from(text).map_err(|_| HostError::Unreadable)?;
        let host = authority.host();
        // What precedes the host would be credentials.
        let port = (authority.as_str().strip_prefix(host)).ok_or(HostError::Unreadable)?;
        let port = port.strip_prefix(':').unwrap_or(port);
        let readable = !host.is_empty() && (port.is_empty() || port.parse::<u16>().is_ok());
        readable
            .then_some(Self(authority))
            .ok_or(HostError::Unreadable)
    }

    fn is(&self, other: &Self, default_port: u16) -> bool {
        let port = |host: &Self| host.0.port_u16().unwrap_or(default_port);
        self.name().eq_ignore_ascii_case(other.name()) && port(self) == port(other)
    }

    /// Without its port, brackets and the dot at its end.
    pub(super) fn name(&self) -> &str {
        let host = self.0.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host))
    }

    /// An address, which no server of names can make point elsewhere.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.name().parse().ok()
    }

    pub(super) fn is_localhost(&self) -> bool {
        self.name().eq_ignore_ascii_case("localhost")
    }

    /// Whether it is this machine and nothing else.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_localhost() || self.address().is_some_and(is_loopback)
    }
}

/// IPv4 addresses come in as IPv6 ones on a listener that takes both.
pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
