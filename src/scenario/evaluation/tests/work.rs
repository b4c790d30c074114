//! What a step goes through counts, whatever it makes. Each of these would be done within seconds otherwise.

use std::fmt::Write as _;

use super::*;

/// A template with `long`, a text of a megabyte, and `list` and `tuple` with two of 100,000 values.
fn times(count: usize, step: &str) -> String {
    format!(
        "{{% set list = numbers * 1000 %}}{{% set tuple = (0,) * 100000 %}}{{% for i in range({count}) %}}{{% set x = {step} %}}{{% endfor %}}"
    )
}

/// A text of a megabyte in quotes.
fn literal() -> String {
    format!("'{}'", "abcdefgh".repeat(128 * 1024))
}

#[test]
fn a_slice_counts_what_it_goes_through() {
    for step in [
        "long[1:0:-1]",
        "long[::-1000000]",
        "long[-1:]",
        "long[1048570:]",
        "long[:-1048570]",
        "long[1048570:1048572]",
        "list[99999:]",
        "list[99990:99999]",
        "list[::-100000]",
        "tuple[:1]",
        "tuple[::-100000]",
    ] {
        assert_eq!(
            refusal(&times(200, step), rendered),
            TOO_MUCH_WORK,
            "{step}"
        );
    }
    // The beginning of a text or list is found without the rest.
    for step in ["long[:10]", "long[5:10:2]", "list[:10]", "'abc'[::-1]"] {
        assert_eq!(rendered(&times(10_000, step)).unwrap(), "", "{step}");
    }
}

#[test]
fn a_slice_backwards_of_nothing_is_empty() {
    for source in [
        "''[::-1]",
        "'abc'[0:2:-1]",
        "'abc'[1:100:-1]",
        "[][::-1] | join",
        "[1, 2, 3][0:2:-1] | join",
        "()[::-1] | join",
        "(1, 2, 3)[0:2:-1] | join",
    ] {
        assert_eq!(value(source).unwrap().to_string(), "", "{source}");
    }
    let least = "'abc'[::-9223372036854775807 - 1]";
    assert_eq!(value(least).unwrap(), Value::from("c"));
}

#[test]
fn a_constant_counts_unless_it_is_short() {
    let literal = literal();
    for step in [
        format!("long == {literal}"),
        format!("long < {literal}"),
        format!("numbers != [{literal}]"),
        format!("body[{literal}]"),
    ] {
        let template = times(200, &step);
        assert_eq!(refusal(&template, rendered), TOO_MUCH_WORK);
    }
    for step in ["long == 'abc'", "long != 7", "list == [1, 2]", "body['id']"] {
        assert_eq!(rendered(&times(10_000, step)).unwrap(), "", "{step}");
    }
}

#[test]
fn what_is_compared_counts_as_often_as_it_is_compared() {
    let mut fields = String::new();
    for field in 0..100 {
        write!(fields, "'f{field}': 'z', ").unwrap();
    }
    for source in [
        "([long] + ['z'] * 100) | sort",
        "([{'a': long}] + [{'a': 'z'}] * 100) | sort(attribute='a')",
        "([{'a': [long]}] + [{'a': 'z'}] * 100) | sort(attribute='a.0')",
        "[{'a': long}] | sort(attribute='a,a' ~ ',a' * 100)",
        "([{'a': long}] + [{'a': 'z'}] * 100) | groupby('a')",
        "([{'a': long}] + [{'a': 'z'}] * 100) | groupby(attribute='a')",
        "([{'a': 1}] * 100) | groupby('b', default=long)",
        "([long] + ['a'] * 100) | max",
        "([long] + ['z'] * 100) | min",
        "([{'a': long}] + [{'a': 'z'}] * 100) | min(attribute='a')",
        "{FIELDS long: 1} | dictsort",
        "{FIELDS 'long': long} | dictsort(by='value')",
    ] {
        let source = source.replace("FIELDS", &fields);
        assert_eq!(refusal(&source, value), TOO_MUCH_WORK, "{source}");
    }
    let eight = "[long ~ 1, long ~ 2, long ~ 3, long ~ 4, long ~ 5, long ~ 6, long ~ 7, long ~ 8]";
    let unique = format!(
        "{{% set texts = {eight} %}}{{% for i in range(2) %}}{{% set x = texts | unique %}}{{% endfor %}}"
    );
    assert_eq!(refusal(&unique, rendered), TOO_MUCH_WORK);
    for source in [
        "([long] + ['z'] * 100) | sort(case_sensitive=true) | last",
        "([{'a': 'z', 'b': long}] + [{'a': 'z'}] * 100) | sort(attribute='a') | length and 'z'",
        "{'f': long, 'z': 1} | dictsort | last | first",
        "(numbers * 1000) | max and 'z'",
    ] {
        assert_eq!(value(source).unwrap(), Value::from("z"), "{source}");
    }
}

#[test]
fn an_item_and_a_name_count_what_is_gone_through_to_find_them() {
    let mut fields = String::new();
    for field in 0..500 {
        write!(fields, "'f{field}': 1, ").unwrap();
    }
    for source in [
        times(200, "long | attr(1000000)"),
        times(200, "long is filter"),
        times(200, "long is test"),
        // They are made whenever somebody looks at them.
        times(200, "cookies.sid | length"),
        times(200, "cookies is defined"),
    ] {
        assert_eq!(refusal(&source, rendered), TOO_MUCH_WORK, "{source}");
    }
    let chained = format!("{{{fields}}} | chain(*([{{}}] * 10000))");
    assert_eq!(refusal(&chained, value), TOO_MUCH_WORK);
}

#[test]
fn the_digits_of_a_fraction_count() {
    for source in [
        times(20_000, "2.5e-300 | round(-1)"),
        times(20_000, "2.5e-300 | round(1000)"),
        times(20_000, "2.5e-300 | round(precision=1000)"),
        times(20_000, "'%.1000f' | format(2.5e-300)"),
        "{% set t %}{% for i in range(60000) %}{{ 1e300 }}{{ 1e300 }}{% endfor %}{% endset %}"
            .to_owned(),
    ] {
        assert_eq!(refusal(&source, rendered), TOO_MUCH_WORK, "{source}");
    }
    assert_eq!(rendered(&times(20_000, "2.5 | round(2)")).unwrap(), "");
}
