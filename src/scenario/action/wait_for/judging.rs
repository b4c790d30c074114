//! Whether an event is what a wait waits for.

use std::sync::Arc;

use super::{Awaited, EventView, WaitAction};
use crate::scenario::{
    EvaluationError, Expression, Observation, Reason, Scope,
    action::{frame::FrameView, message::MessageView},
};

/// What a wait makes of one event.
#[derive(Debug, PartialEq, Eq)]
pub enum Match {
    /// It is what it waits for.
    Wanted,
    /// It says that the other side left.
    Disconnected,
    /// It is something else.
    Other,
    /// It cannot be told, and there is no use in trying the next one.
    Exceeded(Box<EvaluationError>),
}

impl WaitAction {
    /// What it makes of an event that expressions see from now on. `left`: the expression that tells that the
    /// other side left.
    pub fn judge(
        &self,
        event: EventView,
        left: Option<&Expression>,
        scope: &mut Arc<Scope>,
    ) -> Match {
        Arc::make_mut(scope).look_at(Arc::new(event));
        match self.matches.decide(scope) {
            Ok(true) => Match::Wanted,
            Ok(false) if left.is_some_and(|left| left.decide(scope) == Ok(true)) => {
                Match::Disconnected
            }
            Ok(false) => Match::Other,
            Err(error) => Match::Exceeded(Box::new(error)),
        }
    }

    /// The name by which expressions know what it takes.
    pub fn event_name(&self) -> &'static str {
        match self.source {
            Awaited::Callbacks => EventView::EVENT,
            Awaited::Socket(_) => FrameView::NAME,
            Awaited::Streams => MessageView::NAME,
        }
    }

    /// The reason of a wait for which no event came.
    pub fn reason_late(observed: Option<Observation>) -> Reason {
        match observed {
            Some(Observation::AgentJoin) => Reason::AgentJoinTimeout,
            None => Reason::ReplyTimeout,
        }
    }
}
