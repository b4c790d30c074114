use std::time::Duration;

use super::{Awaited, ChatSockets, Unperformed, WaitSources};
use crate::{
    driver::HttpSession,
    scenario::{Clients, SessionValues},
};

/// The state of one chat, or of the setup of a run, at the drivers.
#[derive(Debug)]
pub struct Sessions {
    pub(super) http: HttpSession,
    pub(super) sockets: ChatSockets,
}

impl Clients {
    /// The sessions of somebody who begins with these values.
    pub fn sessions(&self, values: &SessionValues) -> Sessions {
        Sessions {
            http: self.http.session().keeping(values.cookies.clone()),
            sockets: ChatSockets::default(),
        }
    }
}

impl Sessions {
    /// What a wait looks at. Fails where nothing was opened over which that could come.
    pub fn wait_sources(&self, awaited: &Awaited) -> Result<WaitSources, Unperformed> {
        match awaited {
            Awaited::Callbacks => Ok(WaitSources::Callbacks),
            Awaited::Socket(name) => self.sockets.wait_sources(name.as_deref()),
            Awaited::Streams => self.sockets.stream_sources(),
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
