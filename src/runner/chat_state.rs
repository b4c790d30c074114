use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use super::{context::RunContext, deadline::Deadline, session_events::SessionEvents};
use crate::{callbacks::Claims, event::TracedFrames, inbox::Inbox, scenario::SessionSink};

/// What all tracks of one chat share, or those of the setup or the teardown of a run. A track changes nothing in it but
/// what is in the inbox, so that several can go on side by side without a lock of their own.
pub(super) struct ChatState {
    pub(super) context: Arc<RunContext>,
    /// The chat's number; zero outside chats, where nothing is measured by chat.
    pub(super) number: u64,
    /// None outside chats, and in a scenario without callbacks and connections.
    pub(super) inbox: Option<Inbox>,
    /// In a box: most scenarios have none of this, and it would take room in every chat that waits.
    rare: OnceLock<Box<Rare>>,
}

/// What few chats have.
#[derive(Default)]
struct Rare {
    /// Known before the first step, if there is one.
    deadline: OnceLock<Deadline>,
    /// Once a step has opened a connection.
    session_events: OnceLock<Arc<SessionEvents>>,
}

impl ChatState {
    /// The state of a chat that begins. Its inbox exists from now on.
    pub(super) fn of_chat(context: Arc<RunContext>, number: u64) -> Self {
        let inbox = context.inbox(number);
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
            rare: OnceLock::new(),
        }
    }

    /// When the chat has failed if its steps are not over, if that was set.
    pub(super) fn deadline(&self) -> Option<&Deadline> {
        self.rare.get()?.deadline.get()
    }

    /// Sets the deadline, which stays as it is once it is set.
    pub(super) fn set_deadline(&self, deadline: Deadline) {
        self.rare().deadline.get_or_init(|| deadline);
    }

    /// Takes what happens in the sessions of its tracks.
    pub(super) fn session_sink(&self) -> SessionSink {
        let events = self.rare().session_events.get_or_init(|| {
            let inbox = self.inbox.as_ref().map(Inbox::sender);
            Arc::new(SessionEvents::new(&self.context, self.number, inbox))
        });
        let events = events.clone();
        Arc::new(move |event| events.take(event))
    }

    /// What passed over its connections, with moments after `since`. Nothing is kept from now on.
    pub(super) fn take_frames(&self, since: Option<Instant>) -> TracedFrames {
        let events = self.rare.get().and_then(|rare| rare.session_events.get());
        events.map_or_else(TracedFrames::default, |events| events.take_frames(since))
    }

    /// By which events find the inbox, if there is one.
    pub(super) fn claims(&self) -> Option<Claims> {
        let path = self.context.path.as_ref()?;
        Some(path.claims(self.inbox.as_ref()?))
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }
}
