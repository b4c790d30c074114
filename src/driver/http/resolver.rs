//! Name lookup whose errors can be told from other errors by their type.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    lookups::{BEGINS_WITHIN, Lookups, MOST_NAMES, MOST_THREADS},
    words,
};
use crate::plain_words;

/// Who knows the addresses of a name.
#[derive(Debug, Clone)]
pub(super) enum Resolver {
    /// The operating system.
    System(Lookups),
    /// Every name has these addresses.
    #[cfg(test)]
    Fixed(Vec<IpAddr>),
    /// No lookup ever ends.
    #[cfg(test)]
    Silent,
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error("cannot look up `{name}`: {}", words::of_lookup(error))]
    Failed { name: String, error: Arc<io::Error> },
    #[error("`{name}` has no address")]
    NoAddress { name: String },
    #[error(
        "the lookup of `{name}` did not begin within {within:?}: all {threads} threads for lookups are in use by \
         other names",
        within = BEGINS_WITHIN,
        threads = MOST_THREADS
    )]
    Busy { name: String },
    #[error(
        "cannot look up `{name}`: {most} other names are being looked up or wait for it, and no more can",
        most = MOST_NAMES
    )]
    TooMany { name: String },
    #[error(
        "cannot look up `{name}`: no thread can be started for it: {}",
        plain_words::of_system(error)
    )]
    NoThread { name: String, error: io::Error },
}

impl LookupError {
    /// Whether no lookup was begun because this machine has no thread for it.
    pub(super) fn is_our_own(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::TooMany { .. } | Self::NoThread { .. }
        )
    }

    pub(super) fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::NoAddress { .. }
            | Self::Busy { .. }
            | Self::TooMany { .. }
            | Self::NoThread { .. } => None,
        }
    }
}

impl Resolver {
    /// The addresses of a name, at least one, with this port. `begun` is called when the lookup has a thread.
    pub(super) async fn look_up(
        &self,
        name: &str,
        port: u16,
        begun: impl FnOnce(),
    ) -> Result<Vec<SocketAddr>, LookupError> {
        let found: Vec<SocketAddr> = match self {
            Self::System(lookups) => {
                let lookup = lookups.begin(name).await?;
                begun();
                let found = lookup.addresses().await?;
                let addresses = found.iter().copied();
                addresses
                    .map(|mut address| {
                        address.set_port(port);
                        address
                    })
                    .collect()
            }
            #[cfg(test)]
            Self::Fixed(addresses) => {
                let addresses = addresses.iter();
                addresses
                    .map(|&address| SocketAddr::new(address, port))
                    .collect()
            }
            #[cfg(test)]
            Self::Silent => {
                begun();
                std::future::pending().await
            }
        };
        if found.is_empty() {
            let name = name.to_owned();
            return Err(LookupError::NoAddress { name });
        }
        Ok(found)
    }
}

/// The address that a host of a URL is, if it is no name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    without_brackets(host).parse().ok()
}

/// `[::1]` as `::1`.
pub(super) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}
