//! Who may change something: whoever has the admin token or, where there is none, whoever sits at
//! this machine.

use std::{
    ffi::OsString,
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use axum::http::{
    HeaderMap, HeaderName, Uri,
    header::{AUTHORIZATION, FORWARDED, HOST, ORIGIN},
    uri::Authority,
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::config;

/// The environment variable with the admin token.
pub const TOKEN_VARIABLE: &str = "CHATPROBE_ADMIN_TOKEN";
/// Tokens are compared over so many bytes, whatever their length.
const LONGEST_TOKEN: usize = 256;

/// Who may change something.
#[derive(Debug, Clone)]
pub struct Access {
    token: Option<Token>,
}

/// Why the service cannot know who may change something.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A source of the token has none in it.
    #[error("{0} holds an empty admin token; put one in, or take the setting away")]
    Empty(Source),
    /// The token cannot be sent in a header, or not be compared.
    #[error(
        "the admin token in {0} cannot be used; it may have up to {LONGEST_TOKEN} visible ASCII characters, without spaces"
    )]
    Unusable(Source),
    /// The file cannot be read.
    #[error("cannot read the admin token file `{}`: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Others could reach the service, and nothing would keep them from changing it.
    #[error(
        "`listen.web` is {0}, which others can reach, and there is no admin token; set {TOKEN_VARIABLE} or `admin.token_file`, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
}

/// Where an admin token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The environment.
    Variable,
    /// `admin.token_file`.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => write!(f, "the environment variable {TOKEN_VARIABLE}"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

/// Why somebody may not change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("this needs the admin token; send it as `Authorization: Bearer ...`")]
    NoToken,
    #[error("this is not the admin token")]
    WrongToken,
    #[error(
        "without an admin token, changes are accepted from this machine only; set {TOKEN_VARIABLE} or `admin.token_file`, start anew, and send `Authorization: Bearer ...`"
    )]
    Remote,
    #[error(
        "without an admin token, changes are accepted under the name `localhost` or a loopback address only, and not through a proxy; set {TOKEN_VARIABLE} or `admin.token_file`, start anew, and send `Authorization: Bearer ...`"
    )]
    NotLocal,
    #[error("without an admin token, changes are not accepted from pages of other sites")]
    OtherSite,
}

impl Denied {
    /// Whether a token would help here and now.
    pub(super) fn asks_for_token(self) -> bool {
        matches!(self, Self::NoToken | Self::WrongToken)
    }
}

impl Access {
    /// Everybody at this machine, and nobody else.
    pub fn local() -> Self {
        Self { token: None }
    }

    /// Takes the admin token from the environment, else from the file that the configuration
    /// names, relative to the configuration's folder.
    pub fn from_environment(admin: &config::Admin, config_dir: &Path) -> Result<Self, AccessError> {
        Self::from_sources(std::env::var_os(TOKEN_VARIABLE), admin, config_dir)
    }

    fn from_sources(
        variable: Option<OsString>,
        admin: &config::Admin,
        config_dir: &Path,
    ) -> Result<Self, AccessError> {
        let (text, source) = if let Some(value) = variable {
            let source = Source::Variable;
            match value.into_string() {
                Ok(text) => (SecretString::from(text), source),
                Err(_) => return Err(AccessError::Unusable(source)),
            }
        } else if let Some(file) = &admin.token_file {
            let path = config_dir.join(file);
            match std::fs::read_to_string(&path) {
                Ok(text) => (SecretString::from(text), Source::File(path)),
                Err(error) => return Err(AccessError::Unreadable { path, error }),
            }
        } else {
            return Ok(Self::local());
        };
        let token = Token::new(text.expose_secret().trim(), source)?;
        Ok(Self { token: Some(token) })
    }

    /// Whether a web listener may have this address.
    pub fn allows_listening_on(&self, addr: SocketAddr) -> Result<(), AccessError> {
        if self.token.is_none() && !is_loopback(addr.ip()) {
            return Err(AccessError::Open(addr));
        }
        Ok(())
    }

    /// Whether there is a token to sign in with.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this is the admin token.
    pub(super) fn is_token(&self, given: &str) -> bool {
        (self.token.as_ref()).is_some_and(|token| token.is(given.trim().as_bytes()))
    }

    /// Whether a request may change something.
    pub(super) fn check(
        &self,
        peer: Option<SocketAddr>,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Denied> {
        match &self.token {
            Some(token) => token.check(headers),
            None => check_local(peer, uri, headers),
        }
    }
}

/// The admin token, filled up with zero bytes, which a header cannot contain.
#[derive(Clone)]
struct Token(SecretString);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    fn new(text: &str, source: Source) -> Result<Self, AccessError> {
        if text.is_empty() {
            return Err(AccessError::Empty(source));
        }
        if text.len() > LONGEST_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccessError::Unusable(source));
        }
        Ok(Self(format!("{text:\0<LONGEST_TOKEN$}").into()))
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return Err(Denied::NoToken);
        };
        let (scheme, token) = split_scheme(value.as_bytes()).ok_or(Denied::NoToken)?;
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Err(Denied::NoToken);
        }
        if self.is(token) {
            Ok(())
        } else {
            Err(Denied::WrongToken)
        }
    }

    /// Takes as long whatever the token is, and wherever the first difference lies.
    fn is(&self, given: &[u8]) -> bool {
        let mut filled = [0; LONGEST_TOKEN];
        let Some(start) = filled.get_mut(..given.len()) else {
            return false;
        };
        start.copy_from_slice(given);
        filled.ct_eq(self.0.expose_secret().as_bytes()).into()
    }
}

fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|byte| *byte == b' ')?;
    Some((&value[..at], value[at..].trim_ascii()))
}

/// IPv4 addresses come in as IPv6 ones on a listener that takes both.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// Without a token, sitting at this machine is what entitles. A browser sits here as well and
/// follows any page: one that names another site in `Origin` or `Sec-Fetch-Site` is not heard, and
/// neither is one whose own name was made to point here (its `Host` is not ours). What a proxy
/// passes on comes from anywhere.
fn check_local(peer: Option<SocketAddr>, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
    if !peer.is_some_and(|peer| is_loopback(peer.ip())) {
        return Err(Denied::Remote);
    }
    let proxied = [
        FORWARDED,
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-forwarded-host"),
    ];
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Denied::NotLocal);
    };
    let host: Authority = host.as_bytes().try_into().map_err(|_| Denied::NotLocal)?;
    if !names_loopback(&host)
        || uri
            .authority()
            .is_some_and(|authority| !names_loopback(authority))
        || proxied.iter().any(|name| headers.contains_key(name))
    {
        return Err(Denied::NotLocal);
    }
    let same_origin = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.as_bytes();
        origin
            .strip_prefix(b"http://")
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str().as_bytes()))
    });
    let same_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| ["same-origin", "none"].iter().any(|own| site == own));
    if same_origin && same_site {
        Ok(())
    } else {
        Err(Denied::OtherSite)
    }
}

fn names_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests;
