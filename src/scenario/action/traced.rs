//! What is known of an action that was performed, for the explanation of a failed chat.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::shown::{ActionTrace, Excerpt};

/// Of a header, an address or a body, in bytes. Twice what is shown of it.
const MOST_TEXT: usize = 4 * 1024;

/// What was sent and seen, as it was: secrets and all. It does not print itself.
pub trait TracedAction: Send + Sync {
    /// Roughly what it takes in memory.
    fn bytes(&self) -> usize;

    /// Notes what it has under a confidential name.
    fn note_confidential(&self, values: &mut Vec<String>);

    /// What people may see of it.
    fn present(&self, presenter: &Presenter<'_>) -> ActionTrace;
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
