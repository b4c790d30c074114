//! Filters, tests and functions of minijinja that take as much memory as their arguments say, or as much time: their
//! arguments are looked at first.

use minijinja::{
    Error, ErrorKind, State, Value, filters, functions as globals, tests as checks,
    value::{Kwargs, ObjectRepr, Rest, StringInput, ValueOrKwargs},
};

use super::budget;
use crate::scenario::limits::{MOST_TEXT, TEXT_TOO_LONG};

/// Lists, or columns, that one filter makes for one item or line.
const MOST_MADE: usize = 10_000;
/// Spaces of JSON that is indented, for each level.
const MOST_INDENT: usize = 100;
/// Digits that are computed of a fraction; no double has more.
const MOST_DIGITS: usize = 1_100;
/// To compute one digit of a fraction takes as long as to read so many bytes: the rest is a number of many words.
const DIGIT: usize = 16;
/// The largest number, and the negative of the smallest, that `range` accepts. Its sums do not overflow.
const FARTHEST: isize = isize::MAX / 4;

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn check_made(count: usize) -> Result<(), Error> {
    if count > MOST_MADE {
        let message = format!("{count} is too much here; at most {MOST_MADE}");
        return Err(super::exceeded(message));
    }
    Ok(())
}

fn check_text(bytes: usize) -> Result<(), Error> {
    if bytes > MOST_TEXT {
        return Err(super::exceeded(TEXT_TOO_LONG));
    }
    Ok(())
}

/// `range` without sums that overflow.
pub(super) fn range(from: isize, to: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    let far = |number: &isize| !(-FARTHEST..=FARTHEST).contains(number);
    if far(&from) || to.as_ref().is_some_and(far) || step.as_ref().is_some_and(far) {
        return Err(refused("range has numbers that are too large"));
    }
    globals::range(from, to, step)
}

/// The test of this name; minijinja's own panics where the remainder of whole numbers does not exist.
pub(super) fn is_divisible_by(value: &Value, divisor: &Value) -> Result<bool, Error> {
    // 0, 0.0 and `false`, which counts as 0.
    if !divisor.is_true() {
        return Err(refused("nothing is divisible by 0"));
    }
    if *divisor == Value::from(-1) {
        // The least number divided by -1 has no result.
        return Ok(checks::is_divisibleby(value, &Value::from(1)));
    }
    Ok(checks::is_divisibleby(value, divisor))
}

/// `join`, up to [`MOST_TEXT`].
pub(super) fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    named: Kwargs,
) -> Result<Value, Error> {
    let named_joiner: Option<Value> = named.get("d")?;
    let between = match (&joiner, &named_joiner) {
        (Some(joiner), _) => joiner.as_str().len(),
        (None, joiner) => joiner.as_ref().and_then(Value::as_str).map_or(0, str::len),
    };
    let mut bytes = 0_usize;
    for item in value.try_iter().into_iter().flatten() {
        let length = item.as_str().map_or(1, str::len);
        bytes = bytes.saturating_add(length).saturating_add(between);
        check_text(bytes)?;
    }
    filters::join(state, value, joiner, attribute, named)
}

/// `replace`, up to [`MOST_TEXT`].
pub(super) fn replace(
    state: &mut State<'_, '_>,
    value: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    let found = value.as_str().matches(from.as_str()).count();
    let more = found.saturating_mul(to.as_str().len());
    check_text(value.as_str().len().saturating_add(more))?;
    filters::replace(state, value, from, to)
}

/// `attr`, which goes through the name, and through a text up to the character that it finds.
pub(super) fn attr(state: &mut State<'_, '_>, value: &Value, name: &Value) -> Result<Value, Error> {
    budget::charge_value(state, name)?;
    budget::charge_items(state, value)?;
    filters::attr(value, name)
}

/// `round`, which computes all digits of a fraction to round it to tens or hundreds.
pub(super) fn round(
    state: &mut State<'_, '_>,
    value: Value,
    precision: Option<i32>,
    method: Option<&str>,
    named: Kwargs,
) -> Result<Value, Error> {
    let precision = match precision {
        Some(precision) => Some(precision),
        None => named.get("precision")?,
    };
    if value.is_number() && !value.is_integer() {
        let digits = usize::try_from(precision.unwrap_or_default()).unwrap_or(MOST_DIGITS);
        budget::charge(state, digits.min(MOST_DIGITS) * DIGIT)?;
    }
    filters::round(value, precision, method, named)
}

/// `trim`, which compares every character at an end with all that are to be cut off.
#[expect(
    clippy::needless_pass_by_value,
    reason = "filters take values of the template engine"
)]
pub(super) fn trim(
    state: &mut State<'_, '_>,
    value: StringInput<'_>,
    cut_off: Option<StringInput<'_>>,
) -> Result<Value, Error> {
    let cut_off = cut_off.as_ref().map(StringInput::as_str);
    let compared = cut_off.map_or(0, str::len);
    budget::charge(state, value.as_str().len().saturating_mul(compared))?;
    Ok(filters::trim(value, cut_off.map(Into::into)))
}

/// A filter that fills lists up to a count or makes so many, such as `batch` and `slice`, with a count of
/// [`MOST_MADE`] at most.
pub(super) fn of_count(
    filter: fn(&State<'_, '_>, Value, usize, Option<Value>) -> Result<Value, Error>,
) -> impl Fn(&State<'_, '_>, Value, usize, Option<Value>) -> Result<Value, Error> {
    move |state, value, count, fill_with| {
        check_made(count)?;
        filter(state, value, count, fill_with)
    }
}

/// `indent` by [`MOST_MADE`] columns at most, up to [`MOST_TEXT`].
pub(super) fn indent(
    value: StringInput<'_>,
    width: Option<usize>,
    first_line: Option<bool>,
    blank_lines: Option<bool>,
    named: Kwargs,
) -> Result<Value, Error> {
    let width = match width {
        Some(width) => Some(width),
        None => named.get("width")?,
    };
    let columns = width.unwrap_or(4);
    check_made(columns)?;
    let lines = 1 + value.as_str().matches('\n').count();
    check_text(lines.saturating_mul(columns))?;
    filters::indent(value, width, first_line, blank_lines, named)
}

/// `sum`, which copies a text or a list for each that is added to it.
pub(super) fn sum(
    state: &mut State<'_, '_>,
    values: Value,
    attribute: Option<&str>,
    start: Option<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let start = match start {
        Some(start) => Some(start),
        None => named.get("start")?,
    };
    if start.as_ref().is_some_and(|start| !start.is_number()) {
        let weight = budget::charge_value(state, &values)?;
        let items = values.len().unwrap_or(1);
        budget::charge(state, items.saturating_mul(weight))?;
    }
    filters::sum(state, values, attribute, start, named)
}

/// `chain`, of which the result is made, and not looked up in one value after the other.
pub(super) fn chain(
    state: &mut State<'_, '_>,
    value: Value,
    others: Rest<Value>,
) -> Result<Value, Error> {
    let maps = 1 + others.len();
    let chained = filters::chain(state, value, others)?;
    let Some(object) = chained.as_object() else {
        return Ok(chained);
    };
    if object.repr() != ObjectRepr::Map {
        return Ok(Value::from(
            chained
                .try_iter()?
                .checked()
                .collect::<Result<Vec<_>, _>>()?,
        ));
    }
    let names = chained.try_iter()?.checked();
    let names = names.collect::<Result<Vec<_>, _>>()?;
    // Each is looked up in one after the other.
    let looked_up = names.len().saturating_mul(maps);
    budget::charge(state, looked_up.saturating_mul(size_of::<Value>()))?;
    let fields = names.into_iter();
    let fields = fields.map(|name| chained.get_item(&name).map(|field| (name, field)));
    Ok(Value::from_pairs(
        fields.collect::<Result<Vec<_>, Error>>()?,
    ))
}

/// `tojson`, up to [`MOST_TEXT`] of which spaces may be.
pub(super) fn tojson(value: &Value, indent: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => named.get("indent")?,
    };
    let columns = indent.as_ref().and_then(Value::as_usize).unwrap_or(2);
    if columns > MOST_INDENT {
        let message = format!("at most {MOST_INDENT} spaces indent JSON");
        return Err(super::exceeded(message));
    }
    check_indented(value, columns)?;
    filters::tojson(value, indent, named)
}

/// `pprint`, likewise.
pub(super) fn pprint(value: &Value) -> Result<String, Error> {
    check_indented(value, 4)?;
    Ok(filters::pprint(value))
}

/// Checks that the text of a value is not too long with every line as far to the right as it is nested.
fn check_indented(value: &Value, columns: usize) -> Result<(), Error> {
    fn add(value: &Value, before: usize, columns: usize, sum: &mut usize) -> Result<(), Error> {
        // Every byte may be a line break in a text.
        *sum += before + value.as_bytes().map_or(1, <[u8]>::len);
        check_text(*sum)?;
        let Some(object) = value.as_object() else {
            return Ok(());
        };
        let is_map = object.repr() == ObjectRepr::Map;
        for item in value.try_iter().into_iter().flatten() {
            add(&item, before + columns, columns, sum)?;
            if is_map {
                let field = value.get_item(&item).unwrap_or_default();
                add(&field, before + columns, columns, sum)?;
            }
        }
        Ok(())
    }
    add(value, 0, columns, &mut 0)
}

/// `format` with [`MOST_MADE`] columns for each value at most, up to [`MOST_TEXT`].
pub(super) fn format(
    state: &mut State<'_, '_>,
    text: &Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let arguments = arguments.into_values();
    let source = text.as_str().unwrap_or_default();
    let (mut directives, mut columns, mut digits) = (0_usize, 0_usize, 0_usize);
    for directive in source.split('%').skip(1) {
        directives += 1;
        for number in numbers_of(directive) {
            check_made(number)?;
            columns += number;
            digits += number.min(MOST_DIGITS);
        }
    }
    if source.contains('*') {
        // A star takes its number from the arguments.
        for number in arguments.iter().filter_map(Value::as_i64) {
            check_made(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))?;
        }
        columns += directives * MOST_MADE;
        digits += directives * MOST_DIGITS;
    }
    check_text(columns)?;
    budget::charge(state, digits.saturating_mul(DIGIT))?;
    let mut weight = 0_usize;
    for argument in &arguments {
        weight = weight.saturating_add(budget::charge_value(state, argument)?);
    }
    // A named argument may stand in each of them.
    budget::charge(state, weight.saturating_mul(directives))?;
    let arguments = arguments.into_iter().map(ValueOrKwargs::from);
    filters::format(state, text, Rest(arguments.collect()))
}

/// Width and precision at the beginning of what stands behind a `%`.
fn numbers_of(directive: &str) -> impl Iterator<Item = usize> {
    let directive = match directive.split_once(')') {
        Some((name, behind)) if name.starts_with('(') => behind,
        _ => directive,
    };
    let is_of_numbers = |c: char| c.is_ascii_digit() || "-+ #.*".contains(c);
    let end = directive.find(|c| !is_of_numbers(c));
    let numbers = directive[..end.unwrap_or(directive.len())].split(|c: char| !c.is_ascii_digit());
    numbers
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().unwrap_or(usize::MAX))
}
