//! Events that a wait looked at, in the explanation of a failed chat.

use std::time::Duration;

use minijinja::Value;
use tokio::time::Instant;

use crate::scenario::{
    action::{
        frame::FrameView,
        performed::Kept,
        shown::{ActionTrace, EventTrace, Excerpt, HttpTrace},
        traced::{Beginning, Presenter, TracedAction, Tracer},
    },
    note_confidential,
};

/// Events that are kept of a wait.
const MOST_EVENTS: usize = 20;
/// Of an event besides its value, in bytes.
const BESIDES: usize = 100;

/// Events that a wait looked at: in the order in which it did so until its step is over, then in that of their arrival.
#[derive(Default)]
pub struct KeptEvents(Vec<KeptEvent>);

/// An inbound event.
struct KeptEvent {
    arrived: Instant,
    /// The same after the chat began; `None` if that is not known.
    after: Option<Duration>,
    wanted: bool,
    event: Value,
    bytes: usize,
}

impl KeptEvents {
    /// Notes an event that the wait has judged, and that takes so many bytes in memory.
    pub fn note(&mut self, arrived: Instant, event: &Value, bytes: usize, wanted: bool) {
        if self.0.is_empty() {
            // Most waits look at one.
            self.0.reserve_exact(1);
        }
        if self.0.len() < MOST_EVENTS {
            self.0.push(KeptEvent {
                arrived,
                after: None,
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
        for kept in &mut self.0 {
            kept.after = (tracer.after)(kept.arrived);
        }
        self.0.shrink_to_fit();
        self
    }
}

impl TracedAction for KeptEvents {
    fn bytes(&self) -> usize {
        let sizes = self.0.iter();
        sizes.map(|event| BESIDES + event.bytes).sum()
    }

    fn note_confidential(&self, values: &mut Vec<String>) {
        for event in &self.0 {
            let text = binary_as_text(&event.event).unwrap_or_else(|| json_of(&event.event));
            note_confidential(&String::from_utf8_lossy(&text), values);
        }
    }

    fn present(&self, presenter: &Presenter<'_>) -> ActionTrace {
        let events = self.0.iter();
        let events = events.map(|event| EventTrace {
            arrived: event.after.map(|after| after.as_secs_f64()),
            wanted: event.wanted,
            event: excerpt_of(&event.event, presenter),
        });
        ActionTrace {
            http: HttpTrace::default(),
            events: events.collect(),
        }
    }
}

/// What people may see of an event. A binary frame is shown as text where they can read it, and where it has a secret in
/// it: digits would show that.
fn excerpt_of(event: &Value, presenter: &Presenter<'_>) -> Excerpt {
    let excerpt = |text: Vec<u8>| {
        (presenter.excerpt)(&Beginning {
            length: text.len(),
            text: text.into(),
        })
    };
    if let Some(text) = binary_as_text(event) {
        let redacted = (presenter.redact)(String::from_utf8_lossy(&text).into_owned());
        if redacted.as_bytes() != text || is_readable_binary(event) {
            return excerpt(text);
        }
    }
    excerpt(json_of(event))
}

fn json_of(event: &Value) -> Vec<u8> {
    serde_json::to_vec(event).unwrap_or_default()
}

fn binary_as_text(event: &Value) -> Option<Vec<u8>> {
    event.downcast_object_ref::<FrameView>()?.binary_as_text()
}

fn is_readable_binary(event: &Value) -> bool {
    let frame = event.downcast_object_ref::<FrameView>();
    frame.is_some_and(FrameView::is_readable_binary)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::driver::SocketMessage;

    /// What is shown of a binary frame with this content where `token-1` is a secret.
    fn shown(content: &[u8]) -> serde_json::Value {
        let message = SocketMessage::Binary(content.to_vec().into());
        let frame = Value::from_object(FrameView::new(&message, "chat".into()));
        let mut kept = KeptEvents::default();
        kept.note(Instant::now(), &frame, 100, false);
        let redact = |text: String| text.replace("token-1", "***");
        let traced = Box::new(kept).traced(&Tracer {
            redact: &redact,
            after: &|_| None,
        });
        let trace = traced.present(&Presenter {
            excerpt: &|beginning| Excerpt {
                text: redact(String::from_utf8_lossy(&beginning.text).into_owned()),
                bytes: beginning.length,
            },
            redact: &redact,
            mask: "***",
        });
        serde_json::from_str(&trace.events[0].event.text).unwrap()
    }

    #[test]
    fn a_binary_frame_is_shown_in_hexadecimal_unless_it_can_be_read_or_has_a_secret_in_it() {
        let of = |field: &str, content: &str| json!({ "socket": "chat", "kind": "binary", field: content });
        assert_eq!(shown(&[0, 255]), of("hex", "00ff"));
        assert_eq!(shown(b"{\"a\":\n1}"), of("text", "{\"a\":\n1}"));
        assert_eq!(shown(b"\xfftoken-1"), of("text", "\u{fffd}***"));
    }

    #[test]
    fn what_a_binary_frame_has_under_a_confidential_name_is_noted() {
        let message = SocketMessage::Binary(r#"{"password":"hunter-2"}"#.into());
        let frame = Value::from_object(FrameView::new(&message, "chat".into()));
        let mut kept = KeptEvents::default();
        kept.note(Instant::now(), &frame, 100, true);
        let traced = Box::new(kept).traced(&Tracer {
            redact: &|text| text,
            after: &|_| None,
        });
        let mut values = Vec::new();
        traced.note_confidential(&mut values);
        assert!(values.contains(&"hunter-2".to_owned()), "{values:?}");
    }
}
