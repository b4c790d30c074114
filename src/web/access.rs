//! Access to the web port.
//!
//! Changes need the admin token. If none is configured, they are accepted from this machine only, and requests are
//! answered only if their `Host` is `localhost`, an IP address or a configured name.

mod guesses;
mod sender;
mod token;

use std::{ffi::OsString, net::SocketAddr, path::Path, time::Duration};

pub use self::token::{NewToken, TOKEN_VARIABLE, TokenError, TokenSource, create_token};
pub(super) use self::{
    guesses::{Guesses, RefusedRequest},
    sender::RequestSender,
};
use self::{
    sender::{Host, is_loopback},
    token::Token,
};
use crate::{config, event::Denial};

/// Who may change something.
#[derive(Debug, Clone)]
pub struct Access {
    token: Option<Token>,
    /// Names of ours besides `localhost`, without a token.
    hosts: Vec<config::HostName>,
}

/// Why the service cannot know who may change something.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no admin token where one is named.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Others could reach the service, and nothing would keep them from changing it.
    #[error(
        "`listen.web` is {0}, which others can reach, and there is no admin token; set {TOKEN_VARIABLE} or `admin.token_file`, or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
}

/// Why somebody may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("this needs the admin token; send it as `Authorization: Bearer ...`")]
    NoToken,
    #[error("this is not the admin token")]
    WrongToken,
    /// Not compared.
    #[error(
        "too many wrong admin tokens came before, so this token was not compared; send it again after the seconds in `Retry-After`"
    )]
    Throttled {
        /// After which time it may be compared.
        again: Duration,
    },
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
    #[error(
        "without an admin token, requests are answered whose `Host` is `localhost`, an IP address or a name in `admin.hosts`; add the name there, or set {TOKEN_VARIABLE} or `admin.token_file`, and start anew"
    )]
    ForeignHost,
}

impl Denied {
    /// Whether a token would help here and now.
    pub(super) fn asks_for_token(self) -> bool {
        matches!(self, Self::NoToken | Self::WrongToken)
    }

    /// The same for observers.
    pub(super) fn kind(self) -> Denial {
        match self {
            Self::NoToken => Denial::NoToken,
            Self::WrongToken => Denial::WrongToken,
            Self::Throttled { .. } => Denial::Throttled,
            Self::Remote | Self::NotLocal => Denial::NotLocal,
            Self::OtherSite => Denial::OtherSite,
            Self::ForeignHost => Denial::ForeignHost,
        }
    }
}

impl Access {
    /// Everybody at this machine, and nobody else.
    pub fn local() -> Self {
        Self {
            token: None,
            hosts: Vec::new(),
        }
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
        Ok(Self {
            token: Token::find(variable, admin, config_dir)?,
            hosts: admin.hosts.clone(),
        })
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

    /// Whether requests for this host are answered at all.
    ///
    /// With a token, they are. Without one, a page in a browser at this machine could otherwise read everything, if the
    /// name of its site was made to resolve to this machine (DNS rebinding): the `Host` of its requests is that name.
    /// An IP address in `Host` is answered, since it cannot be made to resolve to another address. So is a request
    /// without a host, which only clients older than HTTP/1.1 send; browsers always send one.
    pub(super) fn answers(&self, host: Option<&Host>) -> Result<(), Denied> {
        let Some(host) = host else {
            return Ok(());
        };
        let ours = || {
            self.hosts
                .iter()
                .any(|own| own.as_str().eq_ignore_ascii_case(host.name()))
        };
        if self.has_token() || host.is_localhost() || host.address().is_some() || ours() {
            Ok(())
        } else {
            Err(Denied::ForeignHost)
        }
    }

    /// Whether a request may change something.
    pub(super) fn check(
        &self,
        sender: &RequestSender<'_>,
        guesses: &Guesses,
    ) -> Result<(), RefusedRequest> {
        match &self.token {
            Some(token) => {
                let given = token::given(sender.headers)?;
                guesses.compare(sender.peer, || token.is(given))
            }
            None => Ok(check_local(sender)?),
        }
    }

    /// Whether this is the admin token.
    pub(super) fn check_token(
        &self,
        given: &str,
        peer: Option<SocketAddr>,
        guesses: &Guesses,
    ) -> Result<(), RefusedRequest> {
        let given = given.trim().as_bytes();
        guesses.compare(peer, || {
            (self.token.as_ref()).is_some_and(|token| token.is(given))
        })
    }

    /// Whether a request may change something because it comes from this machine and there is no token.
    pub(super) fn is_local_change(&self, sender: &RequestSender<'_>) -> bool {
        self.token.is_none() && check_local(sender).is_ok()
    }
}

/// Without a token, a change has to come from this machine: over a loopback address, under the name `localhost` or a
/// loopback address, and not through a proxy, behind which anybody may be.
///
/// A browser at this machine also sends requests on behalf of pages of other sites. These are refused by `Origin` and
/// `Sec-Fetch-Site`, or by `Host` if the name of the other site was made to resolve to this machine.
fn check_local(sender: &RequestSender<'_>) -> Result<(), Denied> {
    if !sender.peer.is_some_and(|peer| is_loopback(peer.ip())) {
        return Err(Denied::Remote);
    }
    let Ok(Some(host)) = sender.host() else {
        return Err(Denied::NotLocal);
    };
    if !host.is_loopback() || sender.is_proxied() {
        return Err(Denied::NotLocal);
    }
    if sender.is_of_no_other_site(&host) {
        Ok(())
    } else {
        Err(Denied::OtherSite)
    }
}

#[cfg(test)]
mod tests;
