//! Name lookup whose errors can be told from other errors by their type.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up the way the operating system does, on tokio's blocking threads.
pub(super) struct SystemResolver;

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error("cannot look up `{name}`: {error}")]
    Failed { name: String, error: io::Error },
    #[error("`{name}` has no address")]
    NoAddress { name: String },
}

impl LookupError {
    pub(super) fn system(&self) -> Option<&io::Error> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::NoAddress { .. } => None,
        }
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let named = || name.as_str().to_owned();
            // The client puts the port of the URL in place of 0.
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|error| LookupError::Failed {
                    name: named(),
                    error,
                })?
                .collect();
            if found.is_empty() {
                return Err(LookupError::NoAddress { name: named() }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
