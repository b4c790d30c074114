//! Listeners that are bound, and serve nobody yet.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::ServiceError;
use crate::listener::bind;

/// A listener that is bound.
#[derive(Debug)]
pub struct Bound {
    /// The listener.
    pub listener: TcpListener,
    /// Where it is, which differs from what was asked for when that was port 0.
    pub address: SocketAddr,
}

impl Bound {
    /// Binds an address, to serve `what` there; `setting` names it.
    ///
    /// # Errors
    /// The system refuses the address.
    pub fn to(
        address: SocketAddr,
        what: &'static str,
        setting: &'static str,
    ) -> Result<Self, ServiceError> {
        let listener = bind(address).map_err(|error| ServiceError::Listen {
            address,
            what,
            setting,
            error,
        })?;
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self { listener, address })
    }
}
