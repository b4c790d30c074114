//! The room that a chat enters with a step.

use std::sync::Arc;

use crate::{
    document::Node,
    scenario::{
        EvaluationError, Scope, Sessions, Template,
        action::{ActionReading, kind::StepKey},
    },
};

/// Which room a chat enters.
pub(super) const MEMBER_OF: StepKey = StepKey {
    name: "member_of",
    misplaced: Some(
        "`member_of` belongs to a `connect`, `send` or `receive`: it says which room the chat enters with it",
    ),
};

/// `member_of: ROOM` beside a `send` or `receive`: the chat is a member of the room over a socket once the step has passed.
#[derive(Debug)]
pub struct RoomEntry {
    socket: Arc<str>,
    room: Template,
}

impl RoomEntry {
    pub(super) fn new(socket: Arc<str>, room: Template) -> Self {
        Self { socket, room }
    }

    /// Enters the room, if the socket is still open: its step has passed.
    ///
    /// # Errors
    /// A room that cannot be rendered.
    pub fn enter(
        &self,
        sessions: &mut Sessions,
        scope: &Arc<Scope>,
    ) -> Result<(), EvaluationError> {
        let room = self.room.render(scope)?;
        sessions.sockets.join(&self.socket, room.into());
        Ok(())
    }
}

/// Reads `member_of: ROOM`.
pub(super) fn read_room(node: &Node, reading: &ActionReading<'_, '_>) -> Option<Template> {
    if !reading.rules.says_deliveries() {
        let message =
            "a `member_of` needs the scenario to say `deliveries: { id: frame..., within: 5s }`";
        reading.problems.add(&node.place, message);
    }
    Template::read(node, reading.names, reading.problems)
}
