//! Name lookup whose errors can be told from other errors by their type.

use std::net::{IpAddr, SocketAddr};

use crate::lookups::{LookupError, Lookups};

/// Who knows the addresses of a name.
#[derive(Debug, Clone)]
pub(in crate::driver) enum Resolver {
    /// The operating system.
    System(Lookups),
    /// Every name has these addresses.
    #[cfg(test)]
    Fixed(Vec<IpAddr>),
    /// No lookup ever ends.
    #[cfg(test)]
    Silent,
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
