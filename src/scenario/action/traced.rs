//! What is known of an action that was performed, for the explanation of a failed chat.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    http::{HttpTrace, TracedHttp},
    wait_for::{EventTrace, TracedWait},
};

/// Of a header, an address or a body, in bytes. Twice what is shown of it.
const MOST_TEXT: usize = 4 * 1024;

/// What was sent and seen, as it was: secrets and all. It does not print itself.
pub enum TracedAction {
    /// A request and its answer.
    Http(Box<TracedHttp>),
    /// Events that a wait looked at.
    WaitFor(TracedWait),
}

/// What is kept with a chat is made of this.
pub struct Tracer<'a> {
    /// Takes the secrets of the target out of a text.
    pub redact: &'a dyn Fn(String) -> String,
    /// How long after the beginning of the chat a moment is, if that is known.
    pub after: &'a dyn Fn(Instant) -> Option<Duration>,
}

/// The beginning of a text.
pub struct Beginning {
    /// As much of it as was kept; longer than what is shown, so that what has to be masked in that can
    /// be found whole.
    pub text: Bytes,
    /// The length of the whole, in bytes.
    pub length: usize,
}

/// What people may see is made of this.
pub struct Presenter<'a> {
    /// The beginning of a text, without secrets.
    pub excerpt: &'a dyn Fn(&Beginning) -> Excerpt,
    /// Takes secrets out of a text.
    pub redact: &'a dyn Fn(String) -> String,
    /// What stands in the place of a secret.
    pub mask: &'static str,
}

/// The beginning of a text, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excerpt {
    /// Up to 2 KB of it.
    pub text: String,
    /// The length of the whole, in bytes.
    pub bytes: usize,
}

/// What people may see of an action that was performed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionTrace {
    /// What was sent and answered.
    #[serde(flatten)]
    pub http: HttpTrace,
    /// Events that it looked at.
    pub events: Vec<EventTrace>,
}

impl TracedAction {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Http(http) => http.bytes(),
            Self::WaitFor(wait) => wait.bytes(),
        }
    }

    /// Notes what it has under a confidential name.
    pub fn note_confidential(&self, values: &mut Vec<String>) {
        match self {
            Self::Http(http) => http.note_confidential(values),
            Self::WaitFor(wait) => wait.note_confidential(values),
        }
    }

    /// What people may see of it.
    pub fn present(&self, presenter: &Presenter<'_>) -> ActionTrace {
        match self {
            Self::Http(http) => ActionTrace {
                http: http.present(presenter),
                events: Vec::new(),
            },
            Self::WaitFor(wait) => ActionTrace {
                http: HttpTrace::default(),
                events: wait.present(presenter),
            },
        }
    }
}

impl Tracer<'_> {
    /// Keeps the beginning. What is cut off goes without secrets before: half of one is one too.
    pub(super) fn beginning(&self, bytes: &[u8]) -> Beginning {
        let length = bytes.len();
        let text = if length <= MOST_TEXT {
            Bytes::copy_from_slice(bytes)
        } else {
            let text = (self.redact)(String::from_utf8_lossy(bytes).into_owned());
            Bytes::copy_from_slice(&text.as_bytes()[..text.len().min(MOST_TEXT)])
        };
        Beginning { text, length }
    }

    /// The same of what nobody else needs, or may be shared.
    pub(super) fn beginning_of(&self, text: Bytes) -> Beginning {
        if text.len() > MOST_TEXT {
            return self.beginning(&text);
        }
        let length = text.len();
        Beginning { text, length }
    }
}
