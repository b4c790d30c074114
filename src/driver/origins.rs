//! Servers by scheme, host and port: those that requests may go to.

use std::{collections::BTreeSet, fmt};

use url::{Host, Url};

/// Schemes, hosts and ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeSet<Origin>);

/// One server by scheme, host and port, or those of all hosts beneath a domain. `ws` counts as `http` and `wss`
/// as `https`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    secure: bool,
    hosts: Hosts,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Hosts {
    One(Host<String>),
    /// All whose names end with this one, which begins with a dot.
    Beneath(String),
}

impl Origins {
    /// Adds a server.
    pub fn add(&mut self, origin: Origin) {
        self.0.insert(origin);
    }

    /// Adds the server of a text that is an address.
    pub fn add_address(&mut self, text: &str) {
        if text.contains("://")
            && let Some(origin) = Url::parse(text).ok().as_ref().and_then(Origin::of)
        {
            self.add(origin);
        }
    }

    /// Adds those of another list.
    pub fn add_all(&mut self, others: &Self) {
        for origin in &others.0 {
            self.add(origin.clone());
        }
    }

    /// Whether the server of the address is one of them, or one of them moved from http to https.
    pub fn admit(&self, address: &Url) -> bool {
        self.0.iter().any(|origin| origin.admits(address))
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(all: I) -> Self {
        let mut origins = Self::default();
        all.into_iter().for_each(|origin| origins.add(origin));
        origins
    }
}

impl Origin {
    /// The server of an address; `None` if that is not of the web.
    pub fn of(address: &Url) -> Option<Self> {
        Some(Self {
            secure: is_secure(address)?,
            hosts: Hosts::One(address.host()?.to_owned()),
            port: address.port_or_known_default()?,
        })
    }

    /// Reads `https://files.example.com`, or `https://*.example.com` for all hosts beneath that domain.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            Err(format!(
                "{what}; write for instance `https://files.example.com` or `https://*.example.com`"
            ))
        };
        let Ok(address) = Url::parse(text) else {
            return wrong(&format!("`{text}` is not an address"));
        };
        let Some(origin) = Self::of(&address) else {
            return wrong(&format!("`{text}` is not the address of a server"));
        };
        if has_credentials(&address) {
            return wrong("credentials do not belong in an address");
        }
        if address.path() != "/" || address.query().is_some() || address.fragment().is_some() {
            return wrong("only scheme, host and port are compared; leave the rest out");
        }
        let domain = address.domain().unwrap_or_default();
        match domain.strip_prefix('*') {
            Some(parent)
                if parent.starts_with('.')
                    && parent.trim_matches('.').contains('.')
                    && !parent.contains('*') =>
            {
                Ok(Self {
                    hosts: Hosts::Beneath(parent.to_owned()),
                    ..origin
                })
            }
            None if !domain.contains('*') => Ok(origin),
            _ => wrong(&format!("`{text}` allows too much or cannot be understood")),
        }
    }

    fn admits(&self, address: &Url) -> bool {
        let (Some(secure), Some(host), Some(port)) = (
            is_secure(address),
            address.host(),
            address.port_or_known_default(),
        ) else {
            return false;
        };
        let known = match (&self.hosts, host) {
            (Hosts::One(Host::Domain(known)), Host::Domain(host)) => known == host,
            (Hosts::One(Host::Ipv4(known)), Host::Ipv4(host)) => *known == host,
            (Hosts::One(Host::Ipv6(known)), Host::Ipv6(host)) => *known == host,
            (Hosts::Beneath(parent), Host::Domain(host)) => host
                .strip_suffix(&**parent)
                .is_some_and(|below| !below.is_empty()),
            _ => false,
        };
        let same = (self.secure, self.port) == (secure, port);
        let secured = (self.secure, self.port) == (false, 80) && (secure, port) == (true, 443);
        known && (same || secured)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure {
            ("https", 443)
        } else {
            ("http", 80)
        };
        match &self.hosts {
            Hosts::One(host) => write!(f, "{scheme}://{host}")?,
            Hosts::Beneath(parent) => write!(f, "{scheme}://*{parent}")?,
        }
        if self.port == usual {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// Whether an address has a user or a password.
pub fn has_credentials(address: &Url) -> bool {
    !address.username().is_empty() || address.password().is_some()
}

fn is_secure(address: &Url) -> Option<bool> {
    match address.scheme() {
        "http" | "ws" => Some(false),
        "https" | "wss" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_a_server_and_nothing_else() {
        for (text, shown) in [
            ("https://Files.example.com", "https://files.example.com"),
            (
                "https://files.example.com:443/",
                "https://files.example.com",
            ),
            ("ws://[::1]:80", "http://[::1]"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
        ] {
            assert_eq!(Origin::read(text).unwrap().to_string(), shown);
        }
        for text in [
            "files.example.com",
            "ftp://files.example.com",
            "https://user:s3cret@files.example.com",
            "https://files.example.com/path",
            "https://files.example.com?x",
            "https://*",
            "https://*.com",
            "https://*example.com",
            "https://a.*.com",
            "https://*.*.example.com",
            "",
        ] {
            let message = Origin::read(text).unwrap_err();
            assert!(message.contains("write for instance"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
