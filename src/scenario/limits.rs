//! What one evaluation of an expression or template may take: a loop that never ends, or a text that
//! grows without end, must not hold up the chats beside it.

use std::{fmt, io, sync::LazyLock};

use minijinja::{
    Value, functions,
    value::{DynObject, ObjectRepr},
};

/// Instructions of minijinja; about twenty milliseconds. Of its own there are half as many at least: the others account
/// for what these take.
pub(super) const MOST_STEPS: u64 = 500_000;
/// Loops, blocks and `with` within each other; a macro counts as five. A block that calls itself takes up to ten
/// kilobytes of a stack of two megabytes each time.
pub(super) const MOST_FRAMES: usize = 100;
/// Of a text that a template makes, in bytes.
pub(super) const MOST_TEXT: usize = 16 * 1024 * 1024;
/// What an evaluation reads and makes, in bytes, with what [`weigh`] counts for values.
pub(super) const MOST_WORK: usize = 64 * 1024 * 1024;
/// Of a captured value, in bytes: every chat keeps its own.
pub(super) const MOST_CAPTURED: usize = 1024 * 1024;

/// How deep a value may be nested that is captured or made.
const MOST_LEVELS: usize = 512;

/// What is said of an evaluation that takes too many steps.
pub(super) const TOO_MANY_STEPS: &str =
    "it takes more than 250,000 steps; a loop in it runs too often";

/// What is said of an evaluation that takes too much altogether.
pub(super) const TOO_MUCH_WORK: &str =
    "it reads and makes more than 64 MiB altogether; use a smaller part of the value";

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
    weigh(value, MOST_CAPTURED).is_ok()
}

/// Why a value is not weighed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    /// It is heavier than it may be.
    #[error("it is too large")]
    Bytes,
    /// It is nested too deeply to be gone through.
    #[error(
        "a value is nested too deeply; {MOST_LEVELS} lists and mappings within each other are the most"
    )]
    Levels,
}

/// How many bytes a value takes to keep or to go through: those of its texts, and a few for each value in it, with the
/// zeros of a fraction. What stands in it several times counts as often. It takes no longer than the weight of `most`.
pub(super) fn weigh(value: &Value, most: usize) -> Result<usize, TooMuch> {
    let mut weight = 0;
    add(value, 0, most, &mut weight)?;
    Ok(weight)
}

fn add(value: &Value, levels: usize, most: usize, weight: &mut usize) -> Result<(), TooMuch> {
    *weight += size_of::<Value>() + value.as_bytes().map_or(0, <[u8]>::len) + zeros(value);
    if *weight > most {
        return Err(TooMuch::Bytes);
    }
    if levels > MOST_LEVELS {
        return Err(TooMuch::Levels);
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    match object.repr() {
        ObjectRepr::Map => {
            for (name, field) in object.try_iter_pairs().into_iter().flatten() {
                add(&name, levels + 1, most, weight)?;
                add(&field, levels + 1, most, weight)?;
            }
        }
        ObjectRepr::Seq | ObjectRepr::Iterable => {
            for item in object.try_iter().into_iter().flatten() {
                add(&item, levels + 1, most, weight)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// How many zeros are written before or behind the digits of a fraction; `1e300` has 300.
pub(super) fn zeros(value: &Value) -> usize {
    if !value.is_number() || value.is_integer() {
        return 0;
    }
    let number = f64::try_from(value.clone()).unwrap_or_default();
    let exponent = number.abs().log10();
    if exponent.is_finite() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 324"
        )]
        let zeros = exponent.abs() as usize;
        zeros
    } else {
        0
    }
}

/// What is said of a namespace that would hold itself.
pub(super) const MUTABLE_HELD: &str =
    "a namespace or `loop` cannot be kept in a namespace or a `loop`, nor can what holds it";

/// Whether it can come to hold other values, or something in it can: `loop` keeps what `loop.changed` compares, and the
/// fields of a namespace can be set. It has been [weighed](weigh).
pub(super) fn holds_mutable(value: &Value) -> bool {
    let Some(object) = value.as_object() else {
        return false;
    };
    if is_loop(object) || is_namespace(object) {
        return true;
    }
    let mut items = object.try_iter().into_iter().flatten();
    match object.repr() {
        ObjectRepr::Map => {
            let mut fields = object.try_iter_pairs().into_iter().flatten();
            fields.any(|(name, field)| holds_mutable(&name) || holds_mutable(&field))
        }
        ObjectRepr::Seq | ObjectRepr::Iterable => items.any(|item| holds_mutable(&item)),
        _ => false,
    }
}

/// Whether it is the `loop` of a `for`, whose type is private.
pub(super) fn is_loop(object: &DynObject) -> bool {
    object.type_name() == "minijinja::vm::loop_object::Loop"
}

/// Whether it is what `namespace()` makes.
fn is_namespace(object: &DynObject) -> bool {
    static NAMESPACE: LazyLock<Option<&str>> = LazyLock::new(|| {
        let made = functions::namespace(None).ok()?;
        made.as_object().map(DynObject::type_name)
    });
    *NAMESPACE == Some(object.type_name())
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    use super::*;

    #[test]
    fn a_loop_and_a_namespace_are_told_from_other_values() {
        let is = |of: fn(&DynObject) -> bool| move |value: Value| value.as_object().is_some_and(of);
        let mut environment = Environment::new();
        environment.add_test("loop", is(is_loop));
        environment.add_test("namespace", is(is_namespace));
        let of = |value: &str| {
            let source = format!(
                "{{% macro m() %}}{{% endmacro %}}{{% for x in [[1]] %}}{{{{ [{value} is loop, {value} is namespace] | tojson }}}}{{% endfor %}}"
            );
            environment.render_str(&source, ()).unwrap()
        };
        assert_eq!(of("loop"), "[true, false]");
        assert_eq!(of("namespace(a=1)"), "[false, true]");
        for other in ["x", "1", "dict(a=1)", "m", "range(3)"] {
            assert_eq!(of(other), "[false, false]", "{other}");
        }
    }
}
