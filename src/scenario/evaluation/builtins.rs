//! What minijinja brings along: filters, tests and functions, each with what it reads.

use std::slice;

use minijinja::{
    Environment, Error, State, Value, filters, functions as globals, tests as checks,
    value::{ArgType, DynObject},
};

use super::{
    budget,
    builtin::{Builtin, Reads, builtin},
    comparisons, functions, replacements, xml,
};

/// Filters of minijinja: all but `urlencode`, which is another one here.
const FILTERS: &[Builtin] = &[
    builtin!("abs", Nothing, filters::abs),
    builtin!("attr", Nothing, replacements::attr),
    builtin!("batch", Characters, replacements::of_count(filters::batch)),
    builtin!("bool", Nothing, filters::bool),
    builtin!("capitalize", Items, filters::capitalize),
    builtin!("chain", Items, replacements::chain),
    builtin!("count", Length, filters::length),
    builtin!("d", Nothing, filters::default),
    builtin!("default", Nothing, filters::default),
    builtin!("dictsort", Sorted, filters::dictsort),
    builtin!("e", Items, filters::escape),
    builtin!("escape", Items, filters::escape),
    builtin!("first", Nothing, filters::first),
    builtin!("float", Items, filters::float),
    builtin!("format", Items, replacements::format),
    builtin!("groupby", Sorted, filters::groupby),
    builtin!("indent", Items, replacements::indent),
    builtin!("int", Items, filters::int),
    builtin!("items", Items, filters::items),
    builtin!("join", Characters, replacements::join),
    builtin!("last", Items, filters::last),
    builtin!("length", Length, filters::length),
    builtin!("lines", Characters, filters::lines),
    builtin!("list", Characters, filters::list),
    builtin!("lower", Items, filters::lower),
    builtin!("map", Characters, filters::map),
    builtin!("max", Compared, filters::max),
    builtin!("min", Compared, filters::min),
    builtin!("pprint", Items, replacements::pprint),
    builtin!("reject", Characters, filters::reject),
    builtin!("rejectattr", Characters, filters::rejectattr),
    builtin!("replace", Items, replacements::replace),
    builtin!("reverse", Items, filters::reverse),
    builtin!("round", Nothing, replacements::round),
    builtin!("safe", Items, filters::safe),
    builtin!("select", Characters, filters::select),
    builtin!("selectattr", Characters, filters::selectattr),
    builtin!("slice", Characters, replacements::of_count(filters::slice)),
    builtin!("sort", Sorted, filters::sort),
    builtin!("split", Characters, filters::split),
    builtin!("string", Items, filters::string),
    builtin!("sum", Characters, replacements::sum),
    builtin!("title", Items, filters::title),
    builtin!("tojson", Items, replacements::tojson),
    builtin!("trim", Items, replacements::trim),
    builtin!("unique", Sorted, filters::unique),
    builtin!("upper", Items, filters::upper),
    builtin!("zip", Characters, filters::zip),
];

/// Tests of minijinja, of which some serve as operators for the filter `select` too.
const TESTS: &[Builtin] = &[
    builtin!("!=", Items, checks::is_ne),
    builtin!("<", Items, checks::is_lt),
    builtin!("<=", Items, checks::is_le),
    builtin!("==", Items, checks::is_eq),
    builtin!(">", Items, checks::is_gt),
    builtin!(">=", Items, checks::is_ge),
    builtin!("boolean", Nothing, checks::is_boolean),
    builtin!("defined", Nothing, checks::is_defined),
    builtin!("divisibleby", Nothing, replacements::is_divisible_by),
    builtin!("endingwith", Items, checks::is_endingwith),
    builtin!("eq", Items, checks::is_eq),
    builtin!("equalto", Items, checks::is_eq),
    builtin!("escaped", Nothing, checks::is_safe),
    builtin!("even", Nothing, checks::is_even),
    builtin!("false", Nothing, checks::is_false),
    builtin!("filter", Items, checks::is_filter),
    builtin!("float", Nothing, checks::is_float),
    builtin!("ge", Items, checks::is_ge),
    builtin!("greaterthan", Items, checks::is_gt),
    builtin!("gt", Items, checks::is_gt),
    builtin!("in", Items, checks::is_in),
    builtin!("int", Nothing, checks::is_integer),
    builtin!("integer", Nothing, checks::is_integer),
    builtin!("iterable", Nothing, checks::is_iterable),
    builtin!("le", Items, checks::is_le),
    builtin!("lessthan", Items, checks::is_lt),
    builtin!("lower", Items, checks::is_lower),
    builtin!("lt", Items, checks::is_lt),
    builtin!("mapping", Nothing, checks::is_mapping),
    builtin!("ne", Items, checks::is_ne),
    builtin!("none", Nothing, checks::is_none),
    builtin!("number", Nothing, checks::is_number),
    builtin!("odd", Nothing, checks::is_odd),
    builtin!("safe", Nothing, checks::is_safe),
    builtin!("sameas", Items, checks::is_sameas),
    builtin!("sequence", Nothing, checks::is_sequence),
    builtin!("startingwith", Items, checks::is_startingwith),
    builtin!("string", Nothing, checks::is_string),
    builtin!("test", Items, checks::is_test),
    builtin!("true", Nothing, checks::is_true),
    builtin!("undefined", Nothing, checks::is_undefined),
    builtin!("upper", Items, checks::is_upper),
];

/// Adds all of them, and the functions. `debug` is none of them: it writes the whole scope.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    for filter in all_filters() {
        let (reads, function) = (filter.reads, (filter.function)());
        environment.add_filter(
            filter.name,
            move |state: &mut State<'_, '_>, arguments: Arguments<'_>| {
                charge(state, reads, arguments.0)?;
                let made = function.call(state, arguments.0)?;
                match reads {
                    Reads::Nothing | Reads::Length => Ok(made),
                    _ => budget::keep(state, made),
                }
            },
        );
    }
    for test in TESTS {
        let (reads, function) = (test.reads, (test.function)());
        environment.add_test(
            test.name,
            move |state: &mut State<'_, '_>, arguments: Arguments<'_>| {
                charge(state, reads, arguments.0)?;
                function.call(state, arguments.0)
            },
        );
    }
    environment.add_function("dict", globals::dict);
    environment.add_function("namespace", globals::namespace);
    environment.add_function("range", replacements::range);
    functions::add_to(environment);
}

fn all_filters() -> impl Iterator<Item = &'static Builtin> {
    FILTERS.iter().chain(functions::FILTERS).chain(xml::FILTERS)
}

/// Whether there is a filter of this name.
pub(in crate::scenario) fn is_filter(name: &str) -> bool {
    all_filters().any(|filter| filter.name == name)
}

/// Whether there is a test of this name.
pub(in crate::scenario) fn is_test(name: &str) -> bool {
    TESTS.iter().any(|test| test.name == name)
}

/// A machine word is gone through at once where only a length is counted.
const COUNTED_AT_ONCE: usize = 64;

/// What a filter or test is called with, named arguments as well.
struct Arguments<'a>(&'a [Value]);

impl<'a> ArgType<'a> for Arguments<'_> {
    type Output = Arguments<'a>;

    fn from_value(value: Option<&'a Value>) -> Result<Arguments<'a>, Error> {
        Ok(Arguments(value.map_or(&[], slice::from_ref)))
    }

    fn from_state_and_values(
        _: Option<&'a State<'_, '_>>,
        values: &'a [Value],
        offset: usize,
    ) -> Result<(Arguments<'a>, usize), Error> {
        Self::from_state_and_values_mut(None, values, offset)
    }

    fn from_state_and_values_mut(
        _: Option<&State<'_, '_>>,
        values: &'a [Value],
        offset: usize,
    ) -> Result<(Arguments<'a>, usize), Error> {
        let values = values.get(offset..).unwrap_or_default();
        Ok((Arguments(values), values.len()))
    }
}

/// Accounts for what a filter or test does with its arguments, of which the first is what it is applied to.
fn charge(state: &mut State<'_, '_>, reads: Reads, arguments: &[Value]) -> Result<(), Error> {
    let Some((value, rest)) = arguments.split_first() else {
        return Ok(());
    };
    let text = value.as_bytes().map(<[u8]>::len);
    match reads {
        Reads::Nothing => return Ok(()),
        Reads::Length => {
            return match text.unwrap_or_default() / COUNTED_AT_ONCE {
                0 => Ok(()),
                words => budget::charge(state, words),
            };
        }
        Reads::Items | Reads::Characters | Reads::Compared | Reads::Sorted => {}
    }
    if arguments.iter().all(budget::is_small) {
        return Ok(());
    }
    budget::charge_value(state, value)?;
    let items = match text {
        Some(length) if reads != Reads::Items => {
            budget::charge(state, length.saturating_mul(size_of::<Value>()))?;
            length
        }
        Some(_) => 1,
        None => value.len().unwrap_or(1),
    };
    let mut texts = 0_usize;
    for argument in rest {
        budget::charge_value(state, argument)?;
        texts = texts.saturating_add(text_of(argument));
    }
    budget::charge(state, items.saturating_mul(texts))?;
    match reads {
        Reads::Compared => comparisons::charge(state, value, rest, |_| 1),
        Reads::Sorted => {
            let rounds = |items: usize| items.checked_ilog2().unwrap_or_default();
            comparisons::charge(state, value, rest, rounds)
        }
        Reads::Nothing | Reads::Length | Reads::Items | Reads::Characters => Ok(()),
    }
}

/// Bytes of an argument that is a text, or of named ones that are.
fn text_of(argument: &Value) -> usize {
    let length = |value: &Value| value.as_bytes().map_or(0, <[u8]>::len);
    if !argument.is_kwargs() {
        return length(argument);
    }
    let named = argument.as_object().and_then(DynObject::try_iter_pairs);
    named
        .into_iter()
        .flatten()
        .map(|(_, value)| length(&value))
        .sum()
}
