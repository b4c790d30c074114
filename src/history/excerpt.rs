use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{config::Target, event::Beginning};

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

/// What nobody may see of one chat.
pub(super) struct Mask<'a> {
    pub(super) target: &'a Target,
    pub(super) values: &'a [String],
}

impl Mask<'_> {
    pub(super) fn text(&self, text: &str) -> String {
        self.target.redact_besides(text.to_owned(), self.values)
    }

    pub(super) fn excerpt(&self, beginning: &Beginning) -> Excerpt {
        let mut text = String::from_utf8_lossy(&beginning.text).into_owned();
        if beginning.length > beginning.text.len() {
            self.drop_half(&mut text);
        }
        Excerpt {
            text: shorten(self.text(&text)),
            bytes: beginning.length,
        }
    }

    /// Where the text breaks off within one of the values, the beginning of that goes too.
    fn drop_half(&self, text: &mut String) {
        for value in self.values {
            let halves = value.char_indices().map(|(at, _)| &value[..at]).rev();
            if let Some(half) = { halves }.find(|half| !half.is_empty() && text.ends_with(half)) {
                text.truncate(text.len() - half.len());
            }
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
