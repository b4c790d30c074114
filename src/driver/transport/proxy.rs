//! Proxies: which one the requests to a server go through, and how they are spoken with.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Method, Request, StatusCode, Uri,
    client::conn::http1::handshake,
    header::{HOST, HeaderValue, PROXY_AUTHORIZATION},
    upgrade::Upgraded,
};
use hyper_util::{client::proxy::matcher::Matcher, rt::TokioIo};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{
    destination::{self, Destination},
    failure::TransportFailure,
};
use crate::{arrival::StampedStream, plain_words};

/// An HTTP proxy. It does not print its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    pub(in crate::driver) authorization: Option<HeaderValue>,
    /// The password, and the user with it.
    secrets: Vec<String>,
}

/// Which proxy the requests to a target go through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// The one that the environment of the process names, if any.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one.
    Through(Arc<Proxy>),
}

/// The proxies that the environment of the process names.
#[derive(Debug, Default)]
pub struct EnvironmentProxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    /// Hosts that are asked without a proxy, as `NO_PROXY` names them.
    except: Vec<String>,
}

/// A variable of the environment names a proxy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the environment variable `{variable}` cannot be followed: {why}; correct it, or unset it and give the targets a \
     `proxy`"
)]
pub struct ProxyError {
    variable: &'static str,
    why: String,
}

impl Proxy {
    /// Reads an address such as `http://user:password@proxy.example.com:3128`. The message of an error
    /// does not quote it.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        // As it is usual for the variables of the environment.
        let url = if text.contains("://") {
            Url::parse(text)
        } else {
            Url::parse(&format!("http://{text}"))
        };
        let url = url.map_err(|error| {
            format!(
                "it is not the address of a proxy: {}",
                plain_words::of_url(error)
            )
        })?;
        if url.scheme() != "http" {
            return Err(format!(
                "it begins with `{}://`, and proxies are spoken with over `http://` only",
                url.scheme()
            ));
        }
        if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
            return Err(
                "it is an address with a path, and that of a proxy ends with its port".to_owned(),
            );
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("it names no host".to_owned());
        };
        let password = url.password().map(|password| {
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let password = decoded(password);
            [format!("{}:{password}", decoded(url.username())), password]
        });
        Ok(Self {
            host: host.to_owned(),
            port,
            authorization: destination::authorization(&url),
            secrets: password.into_iter().flatten().collect(),
        })
    }

    /// Whether its address has a user or a password.
    pub fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }

    /// What nobody may see of it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// Opens a tunnel to a server: its host and port.
    pub(super) async fn tunnel(
        &self,
        stream: StampedStream,
        server: &str,
    ) -> Result<TokioIo<Upgraded>, TunnelRefusal> {
        let failed = |error: hyper::Error| TunnelRefusal::Failed(TransportFailure::of(&error));
        let (mut requests, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends with the tunnel, or with `requests`.
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::CONNECT;
        let unusable = |error| TunnelRefusal::Failed(destination::unusable(error));
        *request.uri_mut() = Uri::try_from(server).map_err(unusable)?;
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::try_from(server) {
            headers.insert(HOST, host);
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let answer = requests.send_request(request).await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(TunnelRefusal::Answered(answer.status()));
        }
        let tunnel = hyper::upgrade::on(answer).await.map_err(failed)?;
        Ok(TokioIo::new(tunnel))
    }

    fn refusal(&self, status: StatusCode, server: &str) -> TransportFailure {
        let hint = match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.authorization.is_some() => {
                ": it does not take the user and password"
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                ": it wants a user and password in its address"
            }
            _ => "",
        };
        let Self { host, port, .. } = self;
        TransportFailure::connect(&format!(
            "the proxy {host}:{port} answered {} to CONNECT {server}{hint}",
            status.as_u16()
        ))
    }
}

/// Why a proxy opened no tunnel.
pub(super) enum TunnelRefusal {
    /// It answered with this status.
    Answered(StatusCode),
    /// It did not answer.
    Failed(TransportFailure),
}

impl TunnelRefusal {
    /// Whether the proxy does not do CONNECT, or not to such ports, and may do without for `http://`.
    pub(super) fn is_in_principle(&self) -> bool {
        let statuses = [
            StatusCode::BAD_REQUEST,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::NOT_IMPLEMENTED,
        ];
        matches!(self, Self::Answered(status) if statuses.contains(status))
    }

    /// Why there is no tunnel to the server.
    pub(super) fn into_failure(self, proxy: &Proxy, server: &str) -> TransportFailure {
        match self {
            Self::Answered(status) => proxy.refusal(status, server),
            Self::Failed(cause) => cause.at_proxy(&proxy.to_string()),
        }
    }
}

/// Without the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl EnvironmentProxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the same in small letters.
    ///
    /// # Errors
    /// A proxy that is named and cannot be used: it must not be passed over.
    pub fn read() -> Result<Self, ProxyError> {
        Self::of(|name| std::env::var(name).ok())
    }

    /// The same with variables that a function knows.
    pub(in crate::driver) fn of(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProxyError> {
        let value = |names: [&'static str; 2]| {
            let values = names.map(|name| Some((name, variable(name)?)));
            let mut values = values.into_iter().flatten();
            values.find(|(_, value)| !value.trim().is_empty())
        };
        let proxy = |names| match value(names) {
            None => Ok(None),
            Some((variable, text)) => match Proxy::read(&text) {
                Ok(proxy) => Ok(Some(Arc::new(proxy))),
                Err(why) => Err(ProxyError { variable, why }),
            },
        };
        let http = proxy(["HTTP_PROXY", "http_proxy"])?;
        let https = proxy(["HTTPS_PROXY", "https_proxy"])?;
        let all = if http.is_some() && https.is_some() {
            None
        } else {
            proxy(["ALL_PROXY", "all_proxy"])?
        };
        let except = value(["NO_PROXY", "no_proxy"]).map(|(_, text)| text);
        let except = except.unwrap_or_default();
        Ok(Self {
            http: http.or_else(|| all.clone()),
            https: https.or(all),
            except: (except.split(',').map(str::trim))
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// Whether it names none at all.
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// The proxy to the server of an address.
    pub fn to_address(&self, url: &str) -> Option<Arc<Proxy>> {
        self.to(&Destination::read(url).ok()?.server)
    }

    /// The proxy to a server, which has a scheme, a host and perhaps a port.
    pub(super) fn to(&self, server: &Uri) -> Option<Arc<Proxy>> {
        let proxy = match server.scheme_str() {
            Some("https") => self.https.as_ref()?,
            _ => self.http.as_ref()?,
        };
        let anything = "http://proxy";
        let all_but = Matcher::builder().http(anything).https(anything);
        let all_but = all_but.no(self.exceptions(server)).build();
        all_but.intercept(server).map(|_| proxy.clone())
    }

    /// The exceptions as the matcher understands them: it knows neither ports nor `*.example.com`.
    fn exceptions(&self, server: &Uri) -> String {
        let port = server.port_u16().unwrap_or(match server.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let plain = self.except.iter().filter_map(|entry| {
            let entry = match entry.strip_prefix("*.") {
                Some(domain) => domain,
                None => entry,
            };
            match entry.rsplit_once(':') {
                // An address of IPv6 is no host with a port.
                Some((host, number)) if !host.contains(':') || host.ends_with(']') => {
                    let same = number.parse() == Ok(port);
                    same.then(|| super::resolver::without_brackets(host))
                }
                _ => Some(super::resolver::without_brackets(entry)),
            }
        });
        plain.collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for EnvironmentProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "no proxy";
        let named = |proxy: &Option<Arc<Proxy>>| {
            let proxy = proxy.as_ref();
            proxy.map_or_else(|| none.to_owned(), |proxy| format!("the proxy {proxy}"))
        };
        let (http, https) = (named(&self.http), named(&self.https));
        write!(f, "{http} for `http://` and {https} for `https://`")?;
        if self.except.is_empty() {
            return Ok(());
        }
        write!(f, ", except {}", self.except.join(", "))
    }
}
