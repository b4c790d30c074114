use std::{task::Context, time::Duration};

use super::{Awaited, ChatSockets, Unperformed, WaitSources};
use crate::{
    driver::{HttpSession, SocketReader},
    scenario::{Clients, SessionValues},
};

/// The state of one chat, or of the setup of a run, at the drivers.
#[derive(Debug)]
pub struct Sessions {
    pub(super) http: HttpSession,
    pub(super) sockets: ChatSockets,
}

/// What comes over a connection while a wait looks for it: the wait reads it itself.
pub struct Feed<'a>(SocketReader<'a>);

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

    /// What a wait for these reads within its own turns, if that is one connection; the others are read without it.
    pub fn feed(&self, sources: &WaitSources) -> Option<Feed<'_>> {
        match sources {
            WaitSources::Connection(number) => self.sockets.reader(*number).map(Feed),
            WaitSources::Callbacks | WaitSources::Connections(_) => None,
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

impl Feed<'_> {
    /// Hands on what there is; the task is woken when there is more.
    pub fn poll(&self, context: &Context<'_>) {
        self.0.poll(context);
    }
}
