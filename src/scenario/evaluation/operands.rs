//! Filters that look at the operands of an instruction before it takes them.

use minijinja::{
    Environment, Error, ErrorKind, State, Value,
    value::{Tuple, ValueKind},
};

use super::budget;
use crate::scenario::{
    Parameters,
    limits::{
        MOST_TEXT, MOST_WORK, MUTABLE_HELD, TEXT_TOO_LONG, TOO_MUCH_WORK, holds_mutable, is_loop,
    },
};

/// Filters that take the value on top of the stack and leave it there. Nobody can write their names.
pub(super) const KEEP: &str = "$keep";
pub(super) const CHARGE: &str = "$charge";
pub(super) const SEARCHABLE: &str = "$searchable";
pub(super) const INDEXABLE: &str = "$indexable";
pub(super) const SETTABLE: &str = "$settable";
/// The same for several values, as a tuple: any, what a slice is made of, both operands of `*`, and what a method is
/// called with.
pub(super) const CHARGE_EACH: &str = "$charge_each";
pub(super) const SLICEABLE: &str = "$sliceable";
pub(super) const REPEATABLE: &str = "$repeatable";
pub(super) const REPEATABLE_BY: &str = "$repeatable_by";
pub(super) const CALLABLE: &str = "$callable";
/// A filter that does nothing, for [`unfolded`](super::instructions::unfolded).
pub(super) const AS_IT_IS: &str = "_as_it_is";
/// A filter that sends a parameter as it was written: `inputs.x | _as_written(inputs, 'x')`.
pub(in crate::scenario) const AS_WRITTEN: &str = "_as_written";

pub(super) fn add_filters_to(environment: &mut Environment<'_>) {
    environment.add_filter(KEEP, |state: &mut State<'_, '_>, value: Value| {
        budget::keep(state, value)
    });
    environment.add_filter(CHARGE, charge);
    environment.add_filter(SETTABLE, settable);
    environment.add_filter(CHARGE_EACH, charge_each);
    environment.add_filter(SLICEABLE, sliceable);
    environment.add_filter(REPEATABLE, repeatable);
    environment.add_filter(REPEATABLE_BY, repeatable_by);
    environment.add_filter(SEARCHABLE, searchable);
    environment.add_filter(INDEXABLE, indexable);
    environment.add_filter(CALLABLE, callable);
    environment.add_filter(AS_IT_IS, |value: Value| value);
    environment.add_filter(AS_WRITTEN, as_written);
}

/// What is sent for a parameter; `group` has it under `name`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "filters take values of the template engine"
)]
fn as_written(value: Value, group: Value, name: &str) -> Value {
    let written = Parameters::behind(&group).and_then(|parameters| parameters.written(name));
    written.map_or(value, Value::from)
}

fn charge(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    budget::charge_value(state, &value)?;
    Ok(value)
}

fn charge_each(state: &mut State<'_, '_>, values: Value) -> Result<Value, Error> {
    for value in values.try_iter()? {
        budget::charge_value(state, &value)?;
    }
    Ok(values)
}

fn indexable(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    budget::charge_items(state, &value)?;
    Ok(value)
}

/// Accounts for what a slice goes through.
fn sliceable(state: &mut State<'_, '_>, operands: &Value) -> Result<Value, Error> {
    let mut operands = operands.try_iter()?;
    let [value, begin, end, step] = [(); 4].map(|()| operands.next().unwrap_or_default());
    let is_backwards = step.as_i64().is_some_and(|step| step < 0);
    if !budget::is_small(&value) {
        let bytes = if is_backwards {
            bytes_before(&value, usize::MAX)
        } else {
            bytes_before(&value, last_passed(&value, &begin, &end))
        };
        budget::charge(state, bytes)?;
    }
    let slice = if is_backwards && is_empty_backwards(&value, &begin, &end) {
        [value, 0.into(), 0.into(), 1.into()]
    } else {
        // The least number has no opposite.
        let step = match step.as_i64() {
            Some(i64::MIN) => Value::from(-i64::MAX),
            _ => step,
        };
        [value, begin, end, step]
    };
    Ok(Value::from(Tuple::from(slice)))
}

/// A slice forwards ends there, unless one of its numbers counts from the end of the value. A tuple is copied first.
fn last_passed(value: &Value, begin: &Value, end: &Value) -> usize {
    let counts_from_end = begin.as_i64().is_some_and(|begin| begin < 0);
    match end.as_usize() {
        Some(end) if !counts_from_end && !value.is_tuple() => end,
        _ => usize::MAX,
    }
}

/// How many bytes so many characters or items take, if there are as many.
fn bytes_before(value: &Value, count: usize) -> usize {
    if let Some(text) = value.as_bytes() {
        return count.saturating_mul(size_of::<char>()).min(text.len());
    }
    let items = value.len().unwrap_or_default().min(count);
    items.saturating_mul(size_of::<Value>())
}

/// Whether a slice backwards begins before its end. minijinja takes an item of it all the same, which may not exist.
fn is_empty_backwards(value: &Value, begin: &Value, end: &Value) -> bool {
    let length = value.len().unwrap_or_default();
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let position = |number: i64| match number {
        ..0 => length.saturating_add(number).max(0),
        _ => number,
    };
    let first = begin.as_i64().map_or(length, position).min(length - 1);
    first < end.as_i64().map_or(0, position)
}

/// `in` goes through a text, and through a list with all its items. In a mapping it finds a field at once.
fn searchable(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        budget::charge_value(state, &value)?;
    }
    Ok(value)
}

/// `loop.changed` compares its arguments with those of the last time, which it keeps; `loop.cycle` needs one to return.
fn callable(state: &mut State<'_, '_>, called: Value) -> Result<Value, Error> {
    let mut values = called.try_iter()?;
    let object = values.next().unwrap_or_default();
    let is_loop = object.as_object().is_some_and(is_loop);
    if is_loop && called.len() == Some(1) {
        let message = "`loop.cycle` and `loop.changed` need something in their brackets";
        return Err(Error::new(ErrorKind::MissingArgument, message));
    }
    for value in values {
        budget::charge_value(state, &value)?;
        if is_loop && holds_mutable(&value) {
            return Err(Error::new(ErrorKind::InvalidOperation, MUTABLE_HELD));
        }
    }
    Ok(called)
}

/// `*` repeats texts and lists at once.
fn repeatable(operands: Value) -> Result<Value, Error> {
    let [left, right] = [0, 1].map(|at| operands.get_item_by_index(at).unwrap_or_default());
    check_product(&left, &right)?;
    check_product(&right, &left)?;
    Ok(operands)
}

/// The same where the right operand is a number, which it is.
#[expect(
    clippy::needless_pass_by_value,
    reason = "filters take values of the template engine"
)]
fn repeatable_by(value: Value, count: Value) -> Result<Value, Error> {
    check_product(&value, &count)?;
    Ok(value)
}

fn check_product(value: &Value, count: &Value) -> Result<(), Error> {
    let count = count.as_usize().unwrap_or_default();
    let (length, most, exceeded) = match value.kind() {
        ValueKind::String => {
            let length = value.as_bytes().map_or(0, <[u8]>::len);
            (length, MOST_TEXT, TEXT_TOO_LONG)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let most = MOST_WORK / size_of::<Value>();
            (value.len().unwrap_or_default(), most, TOO_MUCH_WORK)
        }
        _ => return Ok(()),
    };
    if length.saturating_mul(count) > most {
        return Err(budget::exceeded(exceeded));
    }
    Ok(())
}

/// A namespace that holds itself could not be gone through, and never be freed.
fn settable(state: &mut State<'_, '_>, value: Value) -> Result<Value, Error> {
    budget::charge_value(state, &value)?;
    if holds_mutable(&value) {
        return Err(Error::new(ErrorKind::InvalidOperation, MUTABLE_HELD));
    }
    Ok(value)
}
