use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use super::{
    context::RunContext, deadline::Deadline, session_events::SessionEvents, track_group::TrackGroup,
};
use crate::{
    callbacks::{ClaimError, Claims},
    event::TracedFrames,
    inbox::Inbox,
    scenario::NewConnection,
};

/// What all tracks of one chat share, or those of the setup or the teardown of a run. Each part of it
/// that tracks change has a lock of its own, which none holds while it waits.
pub(super) struct ChatState {
    pub(super) context: Arc<RunContext>,
    /// The chat's number; zero outside chats, where nothing is measured by chat.
    pub(super) number: u64,
    /// By which events find the inbox, if there are callbacks. They are given up before the inbox is.
    claims: Option<Mutex<Claims>>,
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
    /// Once tracks have gone on side by side.
    group: OnceLock<Arc<TrackGroup>>,
}

impl ChatState {
    /// The state of a chat that begins. Its inbox exists from now on.
    pub(super) fn of_chat(context: Arc<RunContext>, number: u64) -> Self {
        let inbox = context.inbox(number);
        let path = context.path.as_ref();
        let claims = path.zip(inbox.as_ref());
        Self {
            number,
            claims: claims.map(|(path, inbox)| Mutex::new(path.claims(inbox))),
            inbox,
            ..Self::outside_chats(context)
        }
    }

    /// That of a setup or a teardown.
    pub(super) fn outside_chats(context: Arc<RunContext>) -> Self {
        Self {
            context,
            number: 0,
            claims: None,
            inbox: None,
            rare: OnceLock::new(),
        }
    }

    /// That of what it draws.
    pub(super) fn seed(&self) -> u64 {
        // Neighbouring chats must not draw neighbouring sequences.
        self.context.spec.seed ^ self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// When the chat has failed if its steps are not over, if that was set.
    pub(super) fn deadline(&self) -> Option<&Deadline> {
        self.rare.get()?.deadline.get()
    }

    /// Sets the deadline, which stays as it is once it is set.
    pub(super) fn set_deadline(&self, deadline: Deadline) {
        self.rare().deadline.get_or_init(|| deadline);
    }

    /// Takes up a connection of one of its tracks that is about to be opened, under the name of its socket.
    pub(super) fn new_connection(&self, socket: Arc<str>) -> NewConnection {
        let events = self.rare().session_events.get_or_init(|| {
            let inbox = self.inbox.as_ref().map(Inbox::sender);
            Arc::new(SessionEvents::new(&self.context, self.number, inbox))
        });
        events.new_connection(socket)
    }

    /// What its tracks know of each other that go on side by side.
    pub(super) fn group(&self) -> &Arc<TrackGroup> {
        self.rare().group.get_or_init(Arc::default)
    }

    /// What passed over its connections, with moments after `since`. Nothing is kept from now on.
    pub(super) fn take_frames(&self, since: Option<Instant>) -> TracedFrames {
        let events = self.rare.get().and_then(|rare| rare.session_events.get());
        events.map_or_else(TracedFrames::default, |events| events.take_frames(since))
    }

    /// From now on events with this key are for this chat. `None` if none come.
    pub(super) fn claim(&self, key: String) -> Option<Result<(), ClaimError>> {
        self.claims().map(|mut claims| claims.claim(key))
    }

    /// The keys by which events find the inbox.
    pub(super) fn keys(&self) -> Vec<String> {
        let claims = self.claims();
        claims.map_or_else(Vec::new, |claims| claims.keys().to_vec())
    }

    fn claims(&self) -> Option<MutexGuard<'_, Claims>> {
        let claims = self.claims.as_ref()?;
        // They are whole after every statement.
        Some(claims.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }
}
