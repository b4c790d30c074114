use std::{collections::HashSet, net::IpAddr, num::NonZeroUsize};

use serde::Deserialize;

/// Which connections the customers of a target have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Connections {
    /// Whose they are.
    pub sharing: Sharing,
    /// So many to one server may be being opened at the same moment: twenty thousand customers who come
    /// together do not call together.
    pub opening: NonZeroUsize,
    /// The local addresses that they leave from, each in its turn and all of one family; the system
    /// chooses, if there are none.
    pub from: Vec<IpAddr>,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever has something to send takes one that is idle.
    Shared {
        /// So many to one server at once, at most; of the probes together, and of each burst.
        most: NonZeroUsize,
    },
    /// Each customer has one of its own, from its first request to its end.
    PerCustomer,
}

impl Connections {
    /// As many as 5,000 requests a second need whose answers take 0.8 s: what the default limits of
    /// bursts ask of a slow target.
    const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
    /// With a handshake of 150 ms that allows 1,700 a second.
    const OPENING: NonZeroUsize = NonZeroUsize::new(256).unwrap();
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            sharing: Sharing::Shared { most: Self::MOST },
            opening: Self::OPENING,
            from: Vec::new(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    most: Option<NonZeroUsize>,
    per_customer: bool,
    opening: Option<NonZeroUsize>,
    from: Vec<IpAddr>,
}

impl TryFrom<Written> for Connections {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let sharing = match (written.most, written.per_customer) {
            (Some(_), true) => {
                return Err(
                    "`most` is for connections that are shared; leave it out, or `per_customer`"
                        .to_owned(),
                );
            }
            (most, false) => Sharing::Shared {
                most: most.unwrap_or(Self::MOST),
            },
            (None, true) => Sharing::PerCustomer,
        };
        check_sources(&written.from)?;
        Ok(Self {
            sharing,
            opening: written.opening.unwrap_or(Self::OPENING),
            from: written.from,
        })
    }
}

fn check_sources(from: &[IpAddr]) -> Result<(), String> {
    let mut known = HashSet::new();
    for address in from {
        if address.is_unspecified() {
            return Err(format!(
                "connections leave from one address, not from any as `{address}` is"
            ));
        }
        if !known.insert(address) {
            return Err(format!("`{address}` stands in `from` twice"));
        }
    }
    if from.iter().any(IpAddr::is_ipv4) && from.iter().any(IpAddr::is_ipv6) {
        return Err(
            "`from` has addresses of IPv4 and of IPv6, and a server is reached over one of them"
                .to_owned(),
        );
    }
    Ok(())
}
