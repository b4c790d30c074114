use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{config::Redaction, event::Beginning};

/// What is shown of a body, a header or an event, in bytes.
const SHOWN: usize = 2 * 1024;

/// The beginning of a text, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excerpt {
    /// Up to 2 KB of it.
    pub text: String,
    /// The length of the whole, in bytes.
    pub bytes: usize,
}

impl Excerpt {
    pub(super) fn of(beginning: &Beginning, redaction: &Redaction) -> Self {
        let mut text = String::from_utf8_lossy(&beginning.text).into_owned();
        if beginning.length > beginning.text.len() {
            redaction.drop_half(&mut text);
        }
        Self {
            text: shorten(redaction.redact(text)),
            bytes: beginning.length,
        }
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > SHOWN {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
    text
}
