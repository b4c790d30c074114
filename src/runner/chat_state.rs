use std::sync::{Arc, OnceLock};

use super::{context::RunContext, deadline::Deadline};
use crate::{
    callbacks::{Claims, Path},
    event::RunEvent,
    inbox::Inbox,
    scenario::{SessionEvent, SessionSink},
};

/// What all tracks of one chat share, or those of the setup or the teardown of a run. A track changes nothing in it but
/// what is in the inbox, so that several can go on side by side without a lock of their own.
pub(super) struct ChatState {
    pub(super) context: Arc<RunContext>,
    /// The chat's number; zero outside chats, where nothing is measured by chat.
    pub(super) number: u64,
    /// None outside chats, and in a scenario without callbacks.
    pub(super) inbox: Option<Inbox>,
    /// Known before the first step, if there is one. In a box: most scenarios have none, and it would take room in every
    /// chat that waits.
    pub(super) deadline: OnceLock<Box<Deadline>>,
}

impl ChatState {
    /// The state of a chat that begins. Its inbox exists from now on.
    pub(super) fn of_chat(context: Arc<RunContext>, number: u64) -> Self {
        let inbox = context.path.as_ref().map(Path::inbox);
        Self {
            number,
            inbox,
            ..Self::outside_chats(context)
        }
    }

    /// That of a setup or a teardown.
    pub(super) fn outside_chats(context: Arc<RunContext>) -> Self {
        Self {
            context,
            number: 0,
            inbox: None,
            deadline: OnceLock::new(),
        }
    }

    /// Takes what happens in the sessions of its tracks.
    pub(super) fn session_sink(&self) -> SessionSink {
        let context = self.context.clone();
        Arc::new(move |event| {
            if let SessionEvent::Socket(event) = event {
                context.emit(&RunEvent::Socket(event));
            }
        })
    }

    /// By which events find the inbox, if there is one.
    pub(super) fn claims(&self) -> Option<Claims> {
        let path = self.context.path.as_ref()?;
        Some(path.claims(self.inbox.as_ref()?))
    }
}
