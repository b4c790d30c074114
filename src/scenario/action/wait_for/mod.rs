//! The wait for an inbound event of the chat, whatever brings it.

mod judging;
mod traced;
mod view;

pub use self::{
    judging::Match,
    traced::KeptEvents,
    view::{Delivery, EventView},
};
use std::sync::Arc;

use super::{
    ActionKind, ActionReading, Awaited, Performed, Task, Unperformed,
    kind::{PendingMark, ReadStep, StepKey},
};
use crate::{
    document::Node,
    scenario::{
        EvaluationError, Expression, Observation, Reason, Sessions, StepId,
        look::{Keeps, VisibleName, VisibleNames},
    },
};

/// `wait_for: EXPRESSION`: passes with the first event of this chat for which it holds and which
/// came after the request that it answers was sent.
#[derive(Debug)]
pub struct WaitAction {
    /// What is looked for in `event`.
    pub matches: Expression,
    /// `since: STEP`: the step whose request the event answers; the latest request if absent.
    pub since: Option<MarkedStep>,
    /// Where the event comes from.
    pub source: Awaited,
}

/// The step that an event answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkedStep {
    /// The step.
    pub step: StepId,
    /// It belongs to a track that goes on side by side with that of the wait, so that it may not have passed yet.
    pub is_elsewhere: bool,
}

const OF_DELIVERY: &str = "it is known in `callbacks` and where a `wait_for` looks at an event";

/// What expressions look at that see an inbound event.
pub(in crate::scenario) const EVENT: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new("event", "it is known where a `wait_for` looks at an event"),
        VisibleName::new("headers", OF_DELIVERY).keeping(Keeps::Request),
        VisibleName::new("query", OF_DELIVERY).keeping(Keeps::Request),
        VisibleName::new("method", OF_DELIVERY).keeping(Keeps::Request),
        VisibleName::new("delivery", OF_DELIVERY).keeping(Keeps::Delivery),
        VisibleName::new("elapsed", "it is known in `expect` and `capture`"),
    ],
    of_chat: true,
};

impl ActionKind for WaitAction {
    const KEY: &'static str = "wait_for";
    const STEP_KEYS: &'static [StepKey] = &[StepKey {
        name: "since",
        misplaced: None,
    }];
    const LOOK: VisibleNames = EVENT;
    const OBSERVABLE: Option<&'static str> = Some("a `wait_for`");

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let since = reading.map.get("since");
        let since = since.and_then(|node| read_since(node, reading));
        let in_chat = reading.names.part().is_chat();
        if !in_chat || !reading.names.has_callbacks() || !reading.claimed {
            let message = if !in_chat {
                "a `wait_for` belongs to a chat; it cannot stand in `setup` or `teardown`"
            } else if !reading.names.has_callbacks() {
                "a `wait_for` needs the scenario to say `callbacks: { key: ... }`"
            } else {
                "no step above this `wait_for` says `claim:`, so no event could ever reach it"
            };
            reading.problems.add(&node.place, message);
        }
        reading.names.look_at(&[&EVENT]);
        let matches = Expression::read(node, reading.names, reading.problems);
        reading.names.look_at(&[]);
        Some(Self {
            matches: matches?,
            since,
            source: Awaited::Callbacks,
        })
    }

    fn reasons(&self, observed: Option<Observation>) -> Vec<Reason> {
        vec![Self::reason_late(observed), Reason::Disconnected]
    }

    fn requests(&self) -> u64 {
        0
    }

    /// Without an inbox no event comes.
    async fn perform(&self, _: &mut Sessions, _: Task<'_>) -> Result<Performed, EvaluationError> {
        let why = Unperformed::failed(Reason::Internal, "a wait outside a chat");
        Ok(Performed::without(why))
    }
}

/// Reads `since: STEP` or `since: TRACK.STEP`.
pub(super) fn read_since(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<MarkedStep> {
    let text = node.text("the name of a step above", reading.problems)?;
    let own = reading.names.track();
    let (track, name) = match text.split_once('.') {
        Some((track, name)) => (Some(Arc::<str>::from(track)), name),
        None => (None, text),
    };
    if let Some(track) = &track
        && own != Some(track)
        && reading.names.is_beside(track)
    {
        let pending = PendingMark {
            of: StepId::at(reading.above.len()),
            track: track.clone(),
            step: name.to_owned(),
            place: node.place.clone(),
        };
        reading.pending_marks.push(pending);
        return None;
    }
    let is_wanted = |step: &&ReadStep| match &track {
        Some(track) => step.track.as_ref() == Some(track),
        None => step.in_chat && (step.track.is_none() || step.track.as_ref() == own),
    };
    let wanted = || {
        { reading.above.iter() }
            .filter(|step| !step.elsewhere)
            .filter(is_wanted)
    };
    let found = wanted().find(|step| *step.name == *name);
    if found.is_none() {
        let message = why_no_mark(text, reading, wanted().map(|step| &*step.name));
        reading.problems.add(&node.place, message);
    }
    found.map(|step| MarkedStep {
        step: step.id,
        is_elsewhere: false,
    })
}

fn why_no_mark<'a>(
    text: &str,
    reading: &ActionReading<'_, '_>,
    known: impl Iterator<Item = &'a str>,
) -> String {
    let found = reading.above.iter().find(|step| *step.name == *text);
    match found {
        Some(ReadStep {
            track: Some(track), ..
        }) if reading.names.track() != Some(track) => {
            format!("step `{text}` is one of the track `{track}`; write `{track}.{text}`")
        }
        Some(step) if step.in_chat => format!(
            "step `{text}` stands in another branch: no chat that comes here has performed it"
        ),
        Some(_) => format!(
            "step `{text}` is none of the chat; `since` names a step of the chat above this one"
        ),
        None => {
            let hint = reading.problems.hint(text, known);
            format!("no step above is named `{text}`{hint}")
        }
    }
}
