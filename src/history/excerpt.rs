use crate::{
    scenario::{Beginning, Excerpt},
    target::Redaction,
};

/// What is shown of a body, a header or an event, in bytes.
const SHOWN: usize = 2 * 1024;

/// The beginning of a text, without secrets.
pub(super) fn excerpt(beginning: &Beginning, redaction: &Redaction) -> Excerpt {
    let mut text = String::from_utf8_lossy(&beginning.text).into_owned();
    if beginning.length > beginning.text.len() {
        redaction.drop_half(&mut text);
    }
    Excerpt {
        text: shorten(redaction.redact(text)),
        bytes: beginning.length,
    }
}

fn shorten(mut text: String) -> String {
    if text.len() > SHOWN {
        text.truncate(text.floor_char_boundary(SHOWN));
        text.push('…');
    }
    text
}
