//! Events that a wait looked at, in the explanation of a failed chat.

use std::time::Duration;

use minijinja::Value;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::scenario::{
    action::{
        performed::Kept,
        traced::{Beginning, Excerpt, Presenter, TracedAction, Tracer},
    },
    note_confidential,
};

/// Events that are kept of a wait.
const MOST_EVENTS: usize = 20;
/// Of an event besides its value, in bytes.
const BESIDES: usize = 100;

/// Events that a wait looks at, until the step is over.
#[derive(Default)]
pub struct KeptEvents(Vec<KeptEvent>);

struct KeptEvent {
    arrived: Instant,
    wanted: bool,
    event: Value,
    bytes: usize,
}

/// Events that a wait looked at, in the order of their arrival.
pub struct TracedWait(Box<[TracedEvent]>);

/// An inbound event.
struct TracedEvent {
    /// After the chat began; `None` if that is not known.
    arrived: Option<Duration>,
    wanted: bool,
    event: Value,
    bytes: usize,
}

/// An event for a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventTrace {
    /// When it arrived, in seconds after the chat began; null where that is not known.
    pub arrived: Option<f64>,
    /// Whether it is what the step waited for.
    pub wanted: bool,
    /// What it says, as JSON.
    pub event: Excerpt,
}

impl KeptEvents {
    /// Notes an event that the wait has judged, and that takes so many bytes in memory.
    pub fn note(&mut self, arrived: Instant, event: &Value, bytes: usize, wanted: bool) {
        if self.0.len() < MOST_EVENTS {
            self.0.push(KeptEvent {
                arrived,
                wanted,
                event: event.clone(),
                bytes,
            });
        }
    }
}

impl Kept for KeptEvents {
    fn traced(mut self: Box<Self>, tracer: &Tracer<'_>) -> TracedAction {
        // A wait that timed out has judged those from before its request last.
        self.0.sort_by_key(|kept| kept.arrived);
        let events = self.0.into_iter().map(|kept| TracedEvent {
            arrived: (tracer.after)(kept.arrived),
            wanted: kept.wanted,
            event: kept.event,
            bytes: kept.bytes,
        });
        TracedAction::WaitFor(TracedWait(events.collect()))
    }
}

impl TracedWait {
    pub(in crate::scenario::action) fn bytes(&self) -> usize {
        let sizes = self.0.iter();
        sizes.map(|event| BESIDES + event.bytes).sum()
    }

    pub(in crate::scenario::action) fn note_confidential(&self, values: &mut Vec<String>) {
        for event in &self.0 {
            let text = serde_json::to_vec(&event.event).unwrap_or_default();
            note_confidential(&String::from_utf8_lossy(&text), values);
        }
    }

    pub(in crate::scenario::action) fn present(
        &self,
        presenter: &Presenter<'_>,
    ) -> Vec<EventTrace> {
        let events = self.0.iter();
        events
            .map(|event| {
                let text = serde_json::to_vec(&event.event).unwrap_or_default();
                let whole = Beginning {
                    length: text.len(),
                    text: text.into(),
                };
                EventTrace {
                    arrived: event.arrived.map(|arrived| arrived.as_secs_f64()),
                    wanted: event.wanted,
                    event: (presenter.excerpt)(&whole),
                }
            })
            .collect()
    }
}
