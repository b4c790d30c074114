//! Addresses of webhook receivers. Each name is looked up once, and again after a connection to its addresses failed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout};

use crate::lookups::{Lookups, MOST_NAMES};

/// How long a name that could not be looked up is taken for unknown, before it is looked up again.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// What is known of the names of receivers. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Receivers {
    lookups: Lookups,
    /// How long a lookup may take.
    within: Duration,
    known: Arc<Mutex<HashMap<String, Known>>>,
}

#[derive(Debug, Clone)]
enum Known {
    Addresses(Arc<[SocketAddr]>),
    /// Why there are none.
    Failed {
        reason: Arc<str>,
        until: Instant,
    },
}

impl Receivers {
    pub fn new(lookups: Lookups, within: Duration) -> Self {
        Self {
            lookups,
            within,
            known: Arc::default(),
        }
    }

    /// A panic elsewhere leaves a whole map.
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &str) -> Option<Known> {
        let known = self.known().get(name).cloned()?;
        match known {
            Known::Failed { until, .. } if until <= Instant::now() => None,
            known => Some(known),
        }
    }

    /// The name in an address that has to be looked up before a connection is made.
    pub fn unknown<'url>(&self, url: &'url Url) -> Option<&'url str> {
        url.domain().filter(|name| self.get(name).is_none())
    }

    /// Looks a name up, and keeps what comes of it.
    pub async fn look_up(&self, name: &str) {
        let found = match timeout(self.within, self.lookups.addresses(name)).await {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!(
                "the lookup of `{name}` took longer than {:?}",
                self.within
            )),
        };
        let known = match found {
            Ok(addresses) => Known::Addresses(addresses),
            Err(reason) => {
                tracing::debug!(receiver = name, reason, "a receiver has no address");
                Known::Failed {
                    reason: reason.into(),
                    until: Instant::now() + FAILED_FOR,
                }
            }
        };
        let mut all = self.known();
        if all.len() >= MOST_NAMES {
            all.clear();
        }
        all.insert(name.to_owned(), known);
    }

    /// A connection to the server of this address failed: its name may have other addresses by now.
    pub fn forget(&self, url: &Url) {
        let mut known = self.known();
        if let Some(name) = url.domain()
            && matches!(known.get(name), Some(Known::Addresses(_)))
        {
            known.remove(name);
        }
    }
}

impl Resolve for Receivers {
    fn resolve(&self, name: Name) -> Resolving {
        let receivers = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            // Another name may have taken the place of this one since it was looked up.
            if receivers.get(name).is_none() {
                receivers.look_up(name).await;
            }
            match receivers.get(name) {
                Some(Known::Addresses(addresses)) => {
                    let addresses = addresses.to_vec();
                    Ok(Box::new(addresses.into_iter()) as Addrs)
                }
                Some(Known::Failed { reason, .. }) => Err((*reason).into()),
                None => Err("the name of the receiver is not known".into()),
            }
        })
    }
}
