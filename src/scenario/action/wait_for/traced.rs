//! Events that a wait looked at, in the explanation of a failed chat.

use std::time::Duration;

use minijinja::Value;
use tokio::time::Instant;

use crate::scenario::{
    action::{
        performed::Kept,
        shown::{ActionTrace, EventTrace, HttpTrace},
        traced::{Beginning, Presenter, TracedAction, Tracer},
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
struct TracedWait(Box<[TracedEvent]>);

/// An inbound event.
struct TracedEvent {
    /// After the chat began; `None` if that is not known.
    arrived: Option<Duration>,
    wanted: bool,
    event: Value,
    bytes: usize,
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
    fn traced(mut self: Box<Self>, tracer: &Tracer<'_>) -> Box<dyn TracedAction> {
        // A wait that timed out has judged those from before its request last.
        self.0.sort_by_key(|kept| kept.arrived);
        let events = self.0.into_iter().map(|kept| TracedEvent {
            arrived: (tracer.after)(kept.arrived),
            wanted: kept.wanted,
            event: kept.event,
            bytes: kept.bytes,
        });
        Box::new(TracedWait(events.collect()))
    }
}

impl TracedAction for TracedWait {
    fn bytes(&self) -> usize {
        let sizes = self.0.iter();
        sizes.map(|event| BESIDES + event.bytes).sum()
    }

    fn note_confidential(&self, values: &mut Vec<String>) {
        for event in &self.0 {
            let text = serde_json::to_vec(&event.event).unwrap_or_default();
            note_confidential(&String::from_utf8_lossy(&text), values);
        }
    }

    fn present(&self, presenter: &Presenter<'_>) -> ActionTrace {
        let events = self.0.iter();
        let events = events.map(|event| {
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
        });
        ActionTrace {
            http: HttpTrace::default(),
            events: events.collect(),
        }
    }
}
