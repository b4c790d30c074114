//! What one evaluation of an expression or template may take: a loop that never ends, or a text that
//! grows without end, must not hold up the chats beside it.

use std::{fmt, io};

use minijinja::{Value, value::ValueKind};

/// Instructions of minijinja; about ten milliseconds.
pub(super) const MOST_STEPS: u64 = 250_000;
/// Of a text that a template makes, in bytes.
pub(super) const MOST_TEXT: usize = 16 * 1024 * 1024;
/// Of a captured value, in bytes: every chat keeps its own.
pub(super) const MOST_CAPTURED: usize = 1024 * 1024;

/// How deep a captured value may be nested.
const MOST_LEVELS: usize = 512;

/// What is said of an evaluation that takes too many steps.
pub(super) const TOO_MANY_STEPS: &str =
    "it takes more than 250,000 steps; a loop in it runs too often";

/// What is said of a text that is too long.
pub(super) const TEXT_TOO_LONG: &str = "it makes a text of more than 16 MiB";

/// A text that is being written, up to [`MOST_TEXT`].
#[derive(Default)]
pub(super) struct Bounded {
    text: String,
    exceeded: bool,
}

impl Bounded {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            exceeded: false,
        }
    }

    /// Appends what is known to be short.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Whether something did not fit any more.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Takes back what was written behind this length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.text.len() + text.len() > MOST_TEXT {
            self.exceeded = true;
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        fmt::Write::write_str(self, text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a value may be captured.
pub(super) fn may_be_captured(value: &Value) -> bool {
    weigh(value, 0, &mut 0)
}

fn weigh(value: &Value, levels: usize, sum: &mut usize) -> bool {
    *sum += size_of::<Value>() + value.as_bytes().map_or(0, <[u8]>::len);
    if *sum > MOST_CAPTURED || levels > MOST_LEVELS {
        return false;
    }
    match value.kind() {
        ValueKind::Map => value.try_iter().is_ok_and(|mut names| {
            names.all(|name| {
                let field = value.get_item(&name).unwrap_or_default();
                weigh(&name, levels + 1, sum) && weigh(&field, levels + 1, sum)
            })
        }),
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .is_ok_and(|mut items| items.all(|item| weigh(&item, levels + 1, sum))),
        _ => true,
    }
}
