//! The servers that a run may send requests to.
//!
//! A scenario's own text and the target decide where requests go. What comes from elsewhere (inputs, captures,
//! events, redirects) may name a path, and only a server that is allowed.

#[cfg(test)]
mod tests;

use std::fmt;

use url::{Host, Url};

use crate::plain_words;

/// Schemes, hosts and ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

/// One server by scheme, host and port, or those of all hosts beneath a domain. `ws` counts as `http` and `wss`
/// as `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    hosts: Hosts,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    One(Host<String>),
    /// All whose names end with this one, which begins with a dot.
    Beneath(String),
}

/// Why no request is sent to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no address of a server.
    #[error("the URL is not valid: {0}")]
    Invalid(String),
    /// It has a user or a password.
    #[error(
        "the address has a user or a password, which is what stands before an `@`; send credentials in a header, such as \
         `authorization: \"Basic {{{{ (target.user ~ ':' ~ target.password) | base64 }}}}\"`"
    )]
    Credentials,
    /// Something else than the scenario and the target chose a server that is not allowed.
    #[error(
        "the address leads to `{0}`, which neither the scenario nor the target names; to let inputs, captures and events \
         lead there, write in the target: `also: [\"{0}\"]`"
    )]
    Elsewhere(Origin),
}

impl Origins {
    /// Adds a server.
    pub fn add(&mut self, origin: Origin) {
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
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

    /// Checks a rendered address, of which the first `own` bytes are text of the scenario and values of the
    /// target. If the server ends within these bytes, the rest cannot change it.
    pub fn check(&self, address: &str, own: usize) -> Result<(), AddressError> {
        if end_of_server(address).is_some_and(|end| end <= own) {
            return Ok(());
        }
        let parsed = Url::parse(address)
            .map_err(|error| AddressError::Invalid(plain_words::of_url(error).to_owned()))?;
        if has_credentials(&parsed) {
            return Err(AddressError::Credentials);
        }
        let Some(origin) = Origin::of(&parsed) else {
            let why = "it begins with neither `http` nor `https`";
            return Err(AddressError::Invalid(why.to_owned()));
        };
        let begin = address.get(..own).unwrap_or_default();
        let begin = Url::parse(begin).ok().as_ref().and_then(Origin::of);
        if begin.as_ref() == Some(&origin) || self.admit(&parsed) {
            return Ok(());
        }
        Err(AddressError::Elsewhere(origin))
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

/// Scheme, host and port of every address in the text of a template. A host that is followed by an expression is
/// not complete.
pub(super) fn written_addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let scheme = ["https", "http"].into_iter().find(|scheme| {
            let begin = at.checked_sub(scheme.len());
            let written = begin.and_then(|begin| text.get(begin..at));
            written.is_some_and(|written| written.eq_ignore_ascii_case(scheme))
        })?;
        let host = &text[at + mark.len()..];
        let plain = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
        let length = host.find(|c| !plain(c)).unwrap_or(host.len());
        let (host, rest) = host.split_at(length);
        let ends =
            rest.is_empty() || rest.starts_with(['/', '?', '#', '\'', '"']) || ends_branch(rest);
        let address = &text[at - scheme.len()..at + mark.len() + length];
        (ends && !host.is_empty()).then_some(address)
    })
}

/// Whether a text goes on with the end of a branch: `{% else %}`, `{% elif ... %}` or `{% endif %}`.
fn ends_branch(text: &str) -> bool {
    let statement = text.strip_prefix("{%").unwrap_or_default();
    let statement = statement.trim_start_matches(['-', '+']).trim_start();
    ["else", "elif", "endif"]
        .iter()
        .any(|word| statement.starts_with(word))
}

/// Where host and port of an address end, if they are of plain characters: then every parser finds the same
/// ones, without a user in front of them.
pub(super) fn end_of_server(address: &str) -> Option<usize> {
    let schemes = ["https://", "http://"];
    let begin = schemes
        .iter()
        .find(|scheme| address.starts_with(**scheme))?;
    let rest = &address.as_bytes()[begin.len()..];
    let ends = |byte: &u8| b"/?#".contains(byte);
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    (length > 0 && rest[..length].iter().all(plain)).then_some(begin.len() + length)
}
