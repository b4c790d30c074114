use std::{collections::BTreeMap, sync::Arc, time::Duration};

use minijinja::Value;

use super::{Awaited, ChatSockets, Unperformed, WaitSources};
use crate::driver::{
    Cookies, Endpoint, EnvironmentProxies, HttpClient, HttpDriver, HttpSession, HttpSetupError,
    ProxyError, WebSocketClient,
};

/// The drivers of the process, one for each protocol.
#[derive(Debug, Clone)]
pub struct Drivers {
    http: HttpDriver,
}

/// What a run reaches its target with.
#[derive(Debug, Clone)]
pub struct Clients {
    http: HttpClient,
    pub(super) websocket: WebSocketClient,
}

/// The state of one chat, or of the setup of a run, at the drivers.
#[derive(Debug)]
pub struct Sessions {
    pub(super) http: HttpSession,
    pub(super) sockets: ChatSockets,
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
    /// The sessions of somebody who begins with these values.
    pub fn sessions(&self, values: &SessionValues) -> Sessions {
        Sessions {
            http: self.http.session().keeping(values.cookies.clone()),
            sockets: ChatSockets::default(),
        }
    }

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

impl Sessions {
    /// What a wait looks at. Fails where nothing was opened over which that could come.
    pub fn wait_sources(&self, awaited: &Awaited) -> Result<WaitSources, Unperformed> {
        match awaited {
            Awaited::Callbacks => Ok(WaitSources::Callbacks),
            Awaited::Socket(name) => self.sockets.wait_sources(name.as_deref()),
        }
    }

    /// Whether something was opened that has to be closed.
    pub fn is_connected(&self) -> bool {
        self.sockets.is_connected()
    }

    /// Closes what is open, and waits for the answers of the target, for no longer than this.
    pub async fn close(&mut self, within: Duration) {
        self.sockets.close_all(within).await;
    }
}

/// What the sessions of a chat at the drivers keep that expressions may use.
#[derive(Debug, Clone, Default)]
pub struct SessionValues {
    /// The cookies, if they are kept.
    pub(super) cookies: Option<Arc<Cookies>>,
}

impl SessionValues {
    /// The names by which expressions know them. Each is kept only by a target that says so under this name.
    pub const NAMES: [&'static str; 1] = ["cookies"];

    /// What is kept at the beginning by somebody who keeps the values with these names.
    pub fn kept(keeps: impl Fn(&str) -> bool) -> Self {
        Self {
            cookies: keeps("cookies").then(Arc::default),
        }
    }

    /// The values, which nobody may see.
    pub fn confidential(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().flat_map(|cookies| cookies.values())
    }

    /// The value of a name, if it is kept.
    pub(in crate::scenario) fn value_of(&self, name: &str) -> Option<Value> {
        match name {
            "cookies" => {
                let cookies = self.cookies.as_ref()?.by_name().into_iter();
                let owned = cookies.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Some(owned.collect::<BTreeMap<_, _>>().into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, header::SET_COOKIE};

    use super::*;

    #[test]
    fn expressions_find_cookies_by_their_names_where_they_are_kept() {
        let mut values = SessionValues::kept(|name| name == "cookies");
        let mut set = HeaderMap::new();
        set.append(SET_COOKIE, "a=5; Path=/".parse().unwrap());
        set.append(SET_COOKIE, "a=6; Path=/deep".parse().unwrap());
        let cookies = values.cookies.as_mut().unwrap();
        Arc::make_mut(cookies).keep("http://h/", &set);
        let cookies = serde_json::to_value(values.value_of("cookies")).unwrap();
        assert_eq!(cookies, serde_json::json!({ "a": "6" }));
        assert!(values.confidential().eq(["5", "6"]) || values.confidential().eq(["6", "5"]));
        assert_eq!(SessionValues::kept(|_| false).value_of("cookies"), None);
    }
}
