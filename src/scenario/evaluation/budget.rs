//! What the steps of one evaluation may take together.

use std::borrow::Cow;

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{DynObject, ObjectRepr},
};

use crate::scenario::limits::{
    MOST_TEXT, MOST_WORK, TEXT_TOO_LONG, TOO_MUCH_WORK, TooMuch, weigh, zeros,
};

/// A byte becomes at most so many where it is escaped: `<` is `\u003c` in JSON.
const MOST_ESCAPED: usize = 6;

/// How many bytes an evaluation has read and made so far; values count as well, see [`weigh`].
#[derive(Default)]
struct Done(usize);

/// The longest text, in bytes, that takes no more than the step that uses it.
pub(super) const SMALL: usize = 64;

/// Whether a value takes no more than the step that uses it. Such a value is not charged: the limit of steps bounds it.
pub(super) fn is_small(value: &Value) -> bool {
    match value.as_bytes() {
        Some(text) => text.len() <= SMALL,
        None => value.as_object().is_none() && zeros(value) <= SMALL,
    }
}

/// The error of an evaluation that takes more than it may.
pub(in crate::scenario) fn exceeded(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::OutOfFuel, what)
}

/// Accounts for so many bytes.
pub(super) fn charge(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let done = state.get_or_insert_extension_with(Done::default);
    done.0 = done.0.saturating_add(bytes);
    if done.0 > MOST_WORK {
        return Err(exceeded(TOO_MUCH_WORK));
    }
    Ok(())
}

/// How many bytes are left.
fn left(state: &mut State<'_, '_>) -> usize {
    let done = state.get_or_insert_extension_with(Done::default);
    MOST_WORK.saturating_sub(done.0)
}

/// Accounts for a value that is gone through, and returns its weight.
pub(in crate::scenario) fn charge_value(
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<usize, Error> {
    if is_small(value) {
        return Ok(size_of::<Value>() + value.as_bytes().map_or(0, <[u8]>::len));
    }
    let weight = weigh(value, left(state)).map_err(|error| match error {
        TooMuch::Bytes => exceeded(TOO_MUCH_WORK),
        TooMuch::Levels => exceeded(error.to_string()),
    })?;
    charge(state, weight)?;
    Ok(weight)
}

/// Accounts for finding an item of a value. One that stands behind many others in a text, or in a list that is made anew,
/// is found by going through these.
pub(super) fn charge_items(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let passed = match value.as_object().map(DynObject::repr) {
        Some(ObjectRepr::Iterable) => value.len().unwrap_or_default(),
        Some(_) => 0,
        None => value.as_bytes().map_or(0, <[u8]>::len),
    };
    charge(state, passed)
}

/// The same as [`charge_value`] for a value whose text is written, with escapes.
pub(super) fn charge_text_of(state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let weight = charge_value(state, value)?;
    charge(state, weight.saturating_mul(MOST_ESCAPED - 1))
}

/// Accounts for a value that was made. A list that would be made anew whenever somebody looks at it becomes one that
/// is made: it could stand for any number of values, and go through another such list, and so on.
pub(super) fn keep(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    if is_small(&value) {
        return Ok(value);
    }
    if value.as_bytes().is_some_and(|text| text.len() > MOST_TEXT) {
        return Err(exceeded(TEXT_TOO_LONG));
    }
    let is_lazy = (value.as_object()).is_some_and(|object| object.repr() == ObjectRepr::Iterable);
    let value = if is_lazy {
        let most = left(state) / size_of::<Value>();
        let items = value.try_iter()?.checked().take(most + 1);
        let items = items.collect::<Result<Vec<_>, _>>()?;
        if items.len() > most {
            return Err(exceeded(TOO_MUCH_WORK));
        }
        Value::from(items)
    } else {
        value
    };
    charge_value(state, &value)?;
    Ok(value)
}
