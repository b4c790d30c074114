use std::{collections::HashSet, net::IpAddr, num::NonZeroUsize, time::Duration};

use serde::Deserialize;

use crate::units::duration;

/// Which connections the customers of a target have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct ConnectionSettings {
    /// Whose they are.
    pub sharing: Sharing,
    /// So many to one server may be being opened at the same moment: twenty thousand customers who come
    /// together do not call together.
    pub opening: NonZeroUsize,
    /// The local addresses that they leave from, each in its turn and all of one family; the system
    /// chooses, if there are none.
    pub from: Vec<IpAddr>,
    /// Runs of probes use connections that earlier runs opened. Otherwise each run looks the name up,
    /// connects and checks the certificate anew.
    pub probe_reuse: bool,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever has something to send takes one that is idle.
    Shared {
        /// So many to one server at once, at most; of each run, or of all probes that reuse connections
        /// together.
        most: NonZeroUsize,
        /// A connection that is older takes no further request, so that a long burst follows its
        /// target to other addresses.
        max_age: Duration,
    },
    /// Each customer has one of its own, from its first request to its end.
    PerCustomer,
}

impl ConnectionSettings {
    /// As many as 5,000 requests a second need whose answers take 0.8 s: what the default limits of
    /// bursts ask of a slow target.
    const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
    /// With a handshake of 150 ms that allows 1,700 a second.
    const OPENING: NonZeroUsize = NonZeroUsize::new(256).unwrap();
    /// In the order of what records of names are usually good for.
    const MAX_AGE: Duration = Duration::from_mins(5);
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            sharing: Sharing::Shared {
                most: Self::MOST,
                max_age: Self::MAX_AGE,
            },
            opening: Self::OPENING,
            from: Vec::new(),
            probe_reuse: false,
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
    #[serde(with = "duration::option")]
    max_age: Option<Duration>,
    probe_reuse: bool,
}

impl TryFrom<Written> for ConnectionSettings {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let own = [
            ("most", written.most.is_some()),
            ("max_age", written.max_age.is_some()),
        ];
        let of_shared = own.iter().find(|(_, given)| *given);
        let sharing = match of_shared {
            Some((key, _)) if written.per_customer => {
                return Err(format!(
                    "`{key}` is for connections that are shared; leave it out, or `per_customer`"
                ));
            }
            _ if written.per_customer => Sharing::PerCustomer,
            _ => Sharing::Shared {
                most: written.most.unwrap_or(Self::MOST),
                max_age: written.max_age.unwrap_or(Self::MAX_AGE),
            },
        };
        if written.max_age == Some(Duration::ZERO) {
            return Err("`max_age` is above zero; write for instance `1m`".to_owned());
        }
        check_sources(&written.from)?;
        Ok(Self {
            sharing,
            opening: written.opening.unwrap_or(Self::OPENING),
            from: written.from,
            probe_reuse: written.probe_reuse,
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
