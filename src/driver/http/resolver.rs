//! Name lookup whose errors can be told from other errors by their type.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Looks names up the way the operating system does, on tokio's blocking threads.
#[derive(Debug, Clone, Copy)]
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

impl Service<Name> for SystemResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = LookupError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
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
                return Err(LookupError::NoAddress { name: named() });
            }
            Ok(found.into_iter())
        })
    }
}
