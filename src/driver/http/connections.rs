use std::{net::IpAddr, num::NonZeroUsize};

use serde::Deserialize;

/// Which connections the customers of a target have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Connections {
    /// Whose they are.
    pub sharing: Sharing,
    /// The local addresses that they leave from, each in its turn; the system chooses, if there are none.
    pub from: Vec<IpAddr>,
}

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Whoever has something to send takes one that is idle.
    Shared {
        /// So many to one server at once, at most.
        most: NonZeroUsize,
    },
    /// Each customer has one of its own, from its first request to its end.
    PerCustomer,
}

impl Default for Sharing {
    /// As many as 5,000 requests a second need whose answers take 0.8 s: what the default limits of
    /// bursts ask of a slow target.
    fn default() -> Self {
        const MOST: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
        Self::Shared { most: MOST }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    most: Option<NonZeroUsize>,
    per_customer: bool,
    from: Vec<IpAddr>,
}

impl TryFrom<Written> for Connections {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let sharing = match (written.most, written.per_customer) {
            (Some(_), true) => {
                return Err(
                    "`most` is for connections that are shared; leave it out, or `per_customer`",
                );
            }
            (Some(most), false) => Sharing::Shared { most },
            (None, true) => Sharing::PerCustomer,
            (None, false) => Sharing::default(),
        };
        Ok(Self {
            sharing,
            from: written.from,
        })
    }
}
