use std::time::Duration;

use crate::driver::{
    Endpoint, EnvironmentProxies, HttpClient, HttpDriver, HttpSetupError, ProxyError,
    WebSocketClient,
};

/// The drivers of the process, one for each protocol.
#[derive(Debug, Clone)]
pub struct Drivers {
    http: HttpDriver,
}

/// What a run reaches its target with.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(super) http: HttpClient,
    pub(super) websocket: WebSocketClient,
}

/// Whose connections a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Its own.
    Own,
    /// Its own, each of which is opened as somebody new would.
    Fresh,
    /// Those of all that ask for the same.
    Common,
}

/// A driver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// There is no client.
    #[error(transparent)]
    Http(#[from] HttpSetupError),
    /// The environment names a proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl Drivers {
    /// The drivers with the proxies of the environment, which are told to `told` if there are any.
    pub fn of_environment(told: impl FnOnce(&EnvironmentProxies)) -> Result<Self, DriverError> {
        let proxies = EnvironmentProxies::read()?;
        if !proxies.is_empty() {
            told(&proxies);
        }
        Ok(Self {
            http: HttpDriver::through(proxies)?,
        })
    }

    /// The drivers without a proxy.
    #[cfg(test)]
    pub(crate) fn direct() -> Self {
        Self {
            http: HttpDriver::new().unwrap(),
        }
    }

    /// The driver of HTTP.
    pub fn http(&self) -> &HttpDriver {
        &self.http
    }

    /// The clients of a run.
    pub fn clients(&self, endpoint: &Endpoint, reuse: Reuse) -> Clients {
        let http = match reuse {
            Reuse::Own => self.http.client(endpoint),
            Reuse::Fresh => self.http.fresh_client(endpoint),
            Reuse::Common => self.http.common_client(endpoint),
        };
        Clients {
            websocket: WebSocketClient::beside(&http),
            http,
        }
    }

    /// Closes common connections that nobody has used for long.
    pub fn close_expired(&self) {
        self.http.close_expired();
    }
}

impl Clients {
    /// Closes connections that nobody has used for long.
    pub fn close_expired(&self) {
        self.http.close_expired();
    }

    /// Waits until all connections have ended over which something comes outside of steps, but no longer than this. How
    /// many have not.
    pub async fn all_closed(&self, within: Duration) -> usize {
        self.websocket.all_closed(within).await
    }
}
