mod work;

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::scenario::{
    expression::{describe, is_exceeded},
    limits::{MOST_TEXT, TOO_MANY_STEPS, TOO_MUCH_WORK, TooMuch, weigh},
    scope::tests::scope,
};

/// With a text of a megabyte, a list of numbers and one of numbers in lists.
fn some_scope() -> Arc<Scope> {
    let numbers = (0..100).collect::<Vec<_>>();
    scope(&[
        ("text", "a b/ü?&=~".into()),
        ("long", "abcdefgh".repeat(128 * 1024).into()),
        ("numbers", numbers.into()),
        ("nested", Value::from(vec![vec![1, 2], vec![3]])),
        (
            "body",
            Value::from_pairs([("id", Value::from(7)), ("text", "x".into())]),
        ),
        (
            "cookies",
            Value::from_pairs([("sid", "abcdefgh".repeat(128 * 1024))]),
        ),
    ])
}

fn value(source: &str) -> Result<Value, Error> {
    Compiled::expression(source, Undefined::Allowed)?.evaluate(&some_scope())
}

fn rendered(source: &str) -> Result<String, Error> {
    Compiled::template(source, Undefined::Refused)?.render(&some_scope())
}

/// Within the time and the memory that an evaluation may take, in a build without optimizations on a busy machine.
fn refusal<T>(source: &str, evaluate: impl Fn(&str) -> Result<T, Error>) -> String {
    let began = Instant::now();
    let Err(error) = evaluate(source) else {
        panic!("{source} has a value");
    };
    assert!(is_exceeded(&error), "{source}: {error}");
    assert!(began.elapsed() < Duration::from_secs(30), "{source}");
    describe(&error)
}

/// minijinja without limits.
fn plain() -> Environment<'static> {
    let mut plain = Environment::new();
    plain.set_undefined_behavior(UndefinedBehavior::Chainable);
    plain
}

#[test]
fn an_expression_within_the_limits_is_what_minijinja_makes_of_it() {
    let plain = plain();
    let root = || Value::from_dyn_object(some_scope());
    for source in [
        "1 + 2 * 3 ** 2 // 2 % 5 - -4 / 8",
        "'a' ~ 1 ~ [2] ~ none ~ nothing",
        "'ab' * 3 ~ 2 * 'c' ~ ('d' * 2)",
        "[1, 2] * 2 + [3] * (1 + 1)",
        "(1, 2) + (3,)",
        "2 * number_of_nothing",
        "'a' + 'b' + text",
        "1 < 2 < 3 and 3 > 2 >= 2 != 1 == 1",
        "'id' in body and 7 in body.values | default([7]) and [3] in nested and 'nothing' not in body",
        "1 in [1, 2] and 'b' in text and 'id' in body and 3 not in numbers[1:2]",
        "1 < 2 in [2, 3]",
        "numbers[-1] + numbers[5] + numbers[2000] | default(0)",
        "text[3] ~ text[-1] ~ text[1:3] ~ text[::-1]",
        "text[-3:] ~ text[:-3] ~ text[1:0:-1] ~ text[-2::-2] ~ text[7:2:-1] ~ text[4:][2:100:3]",
        "numbers[3:9:2] ~ numbers[95:] ~ numbers[:-97] ~ numbers[5:1:-2] ~ (1, 2, 3)[1:] ~ (1, 2, 3)[::-1]",
        "nothing[1:] ~ none[::-1] ~ body[1:]",
        "['b', 'A', 'c'] | sort ~ (['b', 'A', 'c'] | sort(case_sensitive=true, reverse=true))",
        "[{'a': 2, 'b': 'x'}, {'a': 1, 'b': 'Y'}, {'b': 'z'}] | sort(attribute='a,b') | tojson",
        "[{'a': {'b': 2}}, {'a': {'b': 1}}] | sort(attribute='a.b') | tojson",
        "[{'a': 2, 'b': 'x'}, {'a': 1}, {'a': 2}] | groupby('a') | list ~ ([{'a': 1}, {}] | groupby('a', default=7) | list)",
        "{'b': 1, 'a': 2} | dictsort ~ ({'b': 1, 'a': 2} | dictsort(by='value'))",
        "['a', 'A', 'b'] | unique | list ~ (['a', 'b'] | max) ~ ([{'a': 3}, {'a': 1}] | min(attribute='a'))",
        "'bca' | sort | join ~ ('bca' | max)",
        "2.345 | round(2) ~ (1234.5 | round(-2)) ~ (1234 | round(-2)) ~ (1.25 | round(precision=1, method='ceil'))",
        "text | attr(1) ~ (numbers | attr(-1)) ~ (body | attr('id'))",
        "numbers[90:][2] ~ numbers[::-7] | string",
        "body['id'] + body.id + body[body.missing] | default(1)",
        "{'a': 1, 'b': [2, {'c': 3}]}.b[1].c",
        "numbers | select('divisibleby', 7) | map('string') | join('-')",
        "numbers | map('format', 1) | list | length",
        "nested | map('sum') | sum",
        "nested | sum(start=[])",
        "'xx' | replace(*['x', 'y'])",
        "numbers | zip(*[nested, [7]]) | list",
        "dict(a=1, **{'b': 2}) | items | list",
        "numbers | batch(30, 'x') | last",
        "'%05.1f|%-8s|%x' | format(3.14159, 'ab', 255)",
        "{'a': [1, {'b': 2}]} | tojson(indent=3)",
        "{'a': [1, {'b': 2}]} | pprint",
        "[{'a': 1}, {'b': 2}] | map('items') | map('list') | list",
        "{'a': 1} | chain({'b': 2}) | tojson",
        "[1] | chain([2], nested) | list",
        "numbers | zip(nested) | list",
        "range(3) | list ~ (range(5) | last) ~ range(9, 0, -2)[1] ~ range(0)",
        "'x' if body.id == 7 else long",
        "(long if body.id == 8 else 'y') == 'y'",
        "'  xx ' | trim ~ ('xxabx' | trim('x'))",
        "'a\nb' | indent(3, true)",
        "'1,2' | split(',') | map('int') | sum",
        "now is undefined or text is string",
        "x is undefined and not (x == 1)",
        "'<&>' | e ~ ('a' | safe)",
        "(numbers * 30) | zip(numbers * 30) | length",
        "(numbers * 30) | chain(numbers * 30) | list | length",
        "(numbers * 100) is eq(numbers * 100) and 7 is in(numbers * 100)",
        "(numbers * 30) | select('in', numbers * 2) | list | length",
        "[1.5, 1e20, 0.0, -2.25e-7] * 1000 | join(',')",
    ] {
        let expected = plain.compile_expression(source).unwrap().eval(root());
        let made = value(source);
        assert_eq!(
            made.as_ref().map_err(describe),
            expected.as_ref().map_err(describe),
            "{source}"
        );
        let (made, expected) = (made.unwrap_or_default(), expected.unwrap_or_default());
        assert_eq!(made.to_string(), expected.to_string(), "{source}");
    }
}

#[test]
fn a_template_within_the_limits_is_what_minijinja_makes_of_it() {
    let plain = plain();
    let root = || Value::from_dyn_object(some_scope());
    for source in [
        "{% for x in numbers if x < 3 %}{{ loop.index }}{{ x }}{% else %}none{% endfor %}",
        "{% for x in [] %}x{% else %}none{% endfor %}",
        "{% for a, b in [[1, 2], [3, 4]] %}{{ a ~ b }},{% endfor %}",
        "{% for x in [[1, [2]], [3]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}",
        "{% for x in [1, 1, 2] %}{{ loop.changed(x, 1) }}{{ loop.changed(*[x], *[1]) }}{{ loop.cycle(*['o', 'e']) }}{% endfor %}",
        "{% for c in 'abc' %}{{ c * 2 }}{{ loop.changed(c) }}{{ loop.cycle('o', 'e') }}{% endfor %}",
        "{% set t %}raw {{ body.id }}{% endset %}{{ t ~ t }}",
        "{% filter upper %}a{{ text }}{% endfilter %}",
        "{% macro m(a, b=[1] * 2) %}<{{ a }}{{ b }}{{ caller() if caller }}>{% endmacro %}{{ m(1) ~ m('x', b=2) }}{% call m(3) %}c{% endcall %}",
        "{% set ns = namespace(n=0, l=[]) %}{% for x in range(5) %}{% set ns.n = ns.n + x %}{% set ns.l = ns.l + [x] %}{% endfor %}{{ ns.n }}{{ ns.l }}",
        "{% with a = 1, b = 'x' * 2 %}{{ a ~ b }}{% endwith %}",
        "{% if body.id == 7 and 'x' in body.text %}yes{% elif 1 %}no{% endif %}",
        "{% autoescape true %}<b>{{ '<' }}{{ ['<'] }}</b>{% endautoescape %}{{ '<' }}",
        "{% autoescape 'json' %}{{ {'a': 1.5} }}{% endautoescape %}",
        "{% block b %}in{% endblock %}{{ self.b() }}",
        "{% raw %}{{ x }}{% endraw %}{# no #}\n  {%- if 1 %} y {% endif -%}  z\n",
        "{% set a, b = 1, 2 %}{{ [a, b] }}{{ (a, b) }}{{ {'k': a} }}",
        "{% do namespace(a=1) %}",
        "{% set ns = namespace(a=1) %}{{ [1, {'a': ns}] }}{{ ns | items(*[]) }}{{ namespace(b=ns).b.a }}",
    ] {
        let expected = plain
            .render_str(source, root())
            .map_err(|error| describe(&error));
        let made = Compiled::template(source, Undefined::Allowed).unwrap();
        let made = made.render(&some_scope()).map_err(|error| describe(&error));
        let expected = expected.map(|text| text.replace("True", "true").replace("False", "false"));
        assert_eq!(made, expected, "{source}");
    }
}

#[test]
fn nothing_that_one_step_makes_is_too_large() {
    for source in [
        "'x' * 16777217",
        "1000000000 * 'x'",
        "('x' * 20000) * 20000",
        "long * 17",
        "'x' * 16777216 ~ 'y'",
        "'x' * 16777216 + 'y'",
        "[1] * 100000000",
        "([1] * 100000) * 100000",
        "'%1000000000d' | format(1)",
        "'%.1000000000f' | format(1)",
        "('%10000d' * 2000) | format(1)",
        "('%(a)s' * 1000) | format(a=long)",
        "[1, [2]] | tojson(indent=1000000)",
        "(nested * 100000) | tojson(indent=100)",
        "('x' * 10000) | join('y' * 10000)",
        "[text, text] | join(d='y' * 10000000 ~ 'y' * 10000000)",
        "('x' * 10000) | replace('x', 'y' * 10000)",
        "text | replace('', 'y' * 10000000)",
        "('a\n' * 10000) | indent(10000)",
        "(long * 3) | list",
        "(long * 3) | split('')",
        "(long * 3) | sort",
        "('<' * 16000000) | tojson",
        "numbers | map('replace', '', long) | list",
        "now('%255Y' * 100000)",
        "([1e300] * 300000) | string",
        "[1e-300] * 300000 ~ ''",
    ] {
        refusal(source, value);
    }
    assert_eq!(
        value("('x' * 16777216) | length").unwrap(),
        Value::from(MOST_TEXT)
    );
    assert_eq!(refusal("'x' * 16777217", value), TEXT_TOO_LONG);
    assert_eq!(refusal("[1] * 100000000", value), TOO_MUCH_WORK);
}

#[test]
fn a_filter_makes_no_more_than_ten_thousand_lists_or_columns() {
    for (source, most) in [
        ("[1, 2] | slice(COUNT) | length", 10_000),
        ("[1, 2] | batch(COUNT, 0) | first | length", 10_000),
        ("'a\\nb' | indent(COUNT) | length", 10_003),
        ("'a\\nb' | indent(width=COUNT) | length", 10_003),
        ("'%COUNTd' | format(1) | length", 10_000),
    ] {
        let allowed = value(&source.replace("COUNT", "10000"));
        assert_eq!(allowed.unwrap(), Value::from(most), "{source}");
        for count in ["10001", "1000000000"] {
            let source = source.replace("COUNT", count);
            assert!(refusal(&source, value).contains("at most 10000"));
        }
    }
    assert_eq!(
        value("'100% of 20000 %s' | format('x')")
            .unwrap_err()
            .kind(),
        minijinja::ErrorKind::InvalidOperation
    );
    assert_eq!(
        value("'id 20000: %s' | format('x')").unwrap(),
        Value::from("id 20000: x")
    );
}

#[test]
fn steps_do_not_add_up_to_more_than_an_evaluation_may_take() {
    let looped = |start: &str, step: &str| {
        format!(
            "{{% set ns = namespace(x={start}) %}}{{% for i in range(20000) %}}{{% set ns.x = {step} %}}{{% endfor %}}{{{{ ns.x | length }}}}"
        )
    };
    for source in [
        looped("text", "ns.x ~ ns.x"),
        looped("text", "ns.x + ns.x"),
        looped("text", "ns.x * 2"),
        looped("text", "ns.x | replace('a', text)"),
        looped("text", "ns.x | urlencode"),
        looped("text", "ns.x[:] ~ long"),
        looped("[1]", "ns.x + ns.x"),
        looped("[1]", "ns.x * 2"),
        looped("[1]", "[ns.x, ns.x]"),
        looped("[1]", "(ns.x, ns.x)"),
        looped("[1]", "{'a': ns.x, 'b': ns.x}"),
        looped("[1]", "dict(a=ns.x, b=ns.x)"),
        looped("[1]", "ns.x | chain(ns.x)"),
        looped("[1]", "ns.x | zip(ns.x, ns.x)"),
        looped("[1]", "ns.x | map('list') | list if 0 else [ns.x] * 2"),
        // Nested too deeply.
        looped("[1]", "[ns.x]"),
        looped("[1]", "{'a': ns.x}"),
        looped("[1]", "dict(a=ns.x)"),
        // Lists that are made anew whenever somebody looks at them are made.
        looped("numbers", "(ns.x | reverse)[0:]"),
        // What is only read counts too.
        looped("1", "long == long ~ ''"),
        looped("1", "long ~ '' in long"),
        looped("1", "'x' in long"),
        looped("1", "'x' in numbers * 20"),
        looped("1", "[1] in nested * 20"),
        looped("1", "0 < long < long"),
        looped("1", "long[500000]"),
        looped("1", "long | upper | length"),
        looped("1", "long is lower"),
        looped("1", "range(100000)[99999]"),
        looped("1", "numbers | select('in', [long]) | list"),
        looped("1", "long | trim(long)"),
        looped("1", "[long] | sum(start='')"),
        looped("1", "numbers * 100 in 'x'"),
        looped("1", "long in {'x': 1}"),
        looped("1", "body[long]"),
        looped("1", "body | attr(long)"),
        looped("1", "loop.changed(long)"),
        looped("1", "loop.changed(*[long, 1])"),
        looped("1", "loop.cycle(1, *[long], *[])"),
        looped("1", "timing_safe_equal(long, long)"),
        looped("1", "{long: 1, long ~ '': 2} and 1"),
        "{% for i in range(20000) %}{% include ['x'] * 10000 ignore missing %}{% endfor %}".to_owned(),
        "{% set ns = namespace(x=text) %}{% for i in range(30) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}".to_owned(),
        "{% set t %}{% for i in range(100000) %}RAW{% endfor %}{% endset %}".replace("RAW", &"raw ".repeat(1_000)),
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set ns = namespace(x=text) %}{% for i in range(30) %}{% set ns.x = m(ns.x) %}{% endfor %}".to_owned(),
        "{% set l = [long] * 3 %}{% for i in range(2000) %}{% set x %}{{ l }}{% endset %}{% endfor %}".to_owned(),
        "{% autoescape true %}{% for i in range(2000) %}{% set x %}{{ [long] }}{% endset %}{% endfor %}{% endautoescape %}".to_owned(),
    ] {
        refusal(&source, rendered);
    }
}

#[test]
fn a_text_is_as_long_as_it_may_be_and_no_longer() {
    let of = |count: usize| format!("{{% for x in range({count}) %}}{{{{ long }}}}{{% endfor %}}");
    assert_eq!(rendered(&of(16)).unwrap().len(), MOST_TEXT);
    assert_eq!(refusal(&of(17), rendered), TEXT_TOO_LONG);
    let endless =
        "{% for x in range(100000) %}{% for y in range(100000) %}{% endfor %}{% endfor %}";
    assert_eq!(refusal(endless, rendered), TOO_MANY_STEPS);
}

#[test]
fn a_namespace_does_not_hold_itself() {
    for source in [
        "{% set ns = namespace() %}{% set ns.a = ns %}",
        "{% set ns = namespace() %}{% set ns.a = [ns] %}",
        "{% set ns = namespace() %}{% set ns.a = {'b': [1, ns]} %}",
        "{% set ns = namespace() %}{% set ns.a = namespace() %}",
        "{% set ns = namespace() %}{% set ns.a = [[1]] | zip([ns]) %}",
        "{% set ns = namespace() %}{% set ns.a = dict(a=ns) %}",
        "{% set ns = namespace() %}{% for x in [1] %}{% set ns.a = loop %}{% endfor %}",
        "{% for x in [1] %}{{ loop.changed(loop) }}{% endfor %}",
        "{% for x in [1] %}{{ loop.changed(1, *[namespace()]) }}{% endfor %}",
    ] {
        let message = describe(&rendered(source).unwrap_err());
        assert!(
            message.contains("a namespace or `loop` cannot be kept"),
            "{source}: {message}"
        );
    }
}

#[test]
fn a_loop_is_called_with_something_to_compare_or_to_return() {
    for method in ["cycle", "changed"] {
        for arguments in ["", "*[], *[]"] {
            let source = format!(
                "{{% for x in [1, 2] %}}{{{{ loop.{method}({arguments}) }}}}{{% endfor %}}"
            );
            let message = describe(&rendered(&source).unwrap_err());
            assert!(message.contains("in their brackets"), "{message}");
        }
    }
    let of_others = "{% macro m() %}m{% endmacro %}{% set ns = namespace(cycle=m) %}{{ ns.cycle() }}{{ {'changed': m}.changed() }}";
    assert_eq!(rendered(of_others).unwrap(), "mm");
}

/// What calls itself ends before the stack does, in a build without optimizations, whose stacks are the largest.
#[test]
fn what_calls_itself_is_an_error() {
    for source in [
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ caller is defined }}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ [1] | map('string') | join(m()) }}{% endmacro %}{{ m() }}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% block b %}{% for x in [1] %}{% with a = 1 %}{{ self.b() }}{% endwith %}{% endfor %}{% endblock %}",
    ] {
        let message = describe(&rendered(source).unwrap_err());
        assert!(message.contains("100 deep"), "{source}: {message}");
    }
}

#[test]
fn what_has_no_result_is_an_error() {
    for source in [
        "7 is divisibleby 0",
        "7 is divisibleby false",
        "7.5 is divisibleby 0.0",
        "range(9223372036854775807, -9223372036854775808, -1) | list",
        "range(0, -9223372036854775808, -9223372036854775808) | list",
        "range(9223372036854775807)",
    ] {
        let message = describe(&value(source).unwrap_err());
        assert!(
            message.contains("divisible") || message.contains("range"),
            "{message}"
        );
    }
    let least = "(-170141183460469231731687303715884105727 - 1) is divisibleby -1";
    assert_eq!(value(least).unwrap(), Value::from(true));
    assert_eq!(value("42 is divisibleby 5").unwrap(), Value::from(false));
}

#[test]
fn constants_are_not_multiplied_when_they_are_read() {
    for source in [
        "'x' * 100000000",
        "([1] * 100000000) ~ ''",
        "2 * ('x') * 50000000",
    ] {
        let compiled = Compiled::expression(source, Undefined::Allowed).unwrap();
        assert!(
            compiled.code.borrow_owner().contains("_as_it_is"),
            "{source}"
        );
        refusal(source, |_| compiled.evaluate(&some_scope()));
    }
    let splat = "('xx' | replace(*['x', 'y'])) * 2";
    assert_eq!(value(splat).unwrap(), Value::from("yyyy"));
    // An error names the columns of the source as it was written.
    let error = Compiled::expression("'x' * 2 ~ )", Undefined::Allowed).unwrap_err();
    assert_eq!(error.range().unwrap().start, 10);
    let error = Compiled::template("{{ 'x' * 2 }}{{ ) }}", Undefined::Allowed).unwrap_err();
    assert_eq!(error.range().unwrap().start, 16);
}

#[test]
fn the_weight_of_a_value_is_that_of_all_that_stands_in_it() {
    let of_one = size_of::<Value>();
    assert_eq!(of_one, 24, "as docs/scenarios.md says");
    let list = Value::from(vec![Value::from("abc"), Value::from(1)]);
    let map = Value::from_pairs([("key", list.clone())]);
    for (value, weight) in [
        (Value::from(1), of_one),
        (Value::from("ä"), of_one + 2),
        (Value::from(1.5e300), of_one + 300),
        (Value::from_bytes(vec![0; 5]), of_one + 5),
        (list.clone(), 3 * of_one + 3),
        (map, 5 * of_one + 6),
        (Value::from(vec![list.clone(), list]), 7 * of_one + 6),
    ] {
        assert_eq!(weigh(&value, weight), Ok(weight), "{value}");
        assert_eq!(weigh(&value, weight - 1), Err(TooMuch::Bytes), "{value}");
    }
    let deep = |levels| (0..levels).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
    assert!(weigh(&deep(512), usize::MAX).is_ok());
    assert_eq!(weigh(&deep(513), usize::MAX), Err(TooMuch::Levels));
}

#[test]
fn nothing_of_minijinja_is_missing_but_what_shows_the_scope() {
    let all = format!("{:?}", Environment::new());
    let names = |list: &str| {
        let (_, behind) = all.split_once(&format!("{list}: [")).unwrap();
        let (names, _) = behind.split_once("\"]").unwrap();
        names
            .split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert!(names("filters").len() > 40 && names("tests").len() > 40);
    for filter in names("filters") {
        assert!(is_filter(&filter), "{filter}");
    }
    for test in names("tests") {
        assert!(is_test(&test), "{test}");
    }
    for (name, _) in Environment::new().globals() {
        assert_eq!(is_global(name), name != "debug", "{name}");
    }
}

/// In a build without optimizations, whose stacks are the largest.
#[test]
fn what_may_be_nested_fits_into_a_stack() {
    let nested = |open: &str, count: usize, inside: &str, close: &str| {
        open.repeat(count) + inside + &close.repeat(count)
    };
    for source in [
        nested("text(", 50, &("-".repeat(440) + "1"), ")"),
        nested("text(", 50, &"1 if 1 else ".repeat(200), "1)"),
        nested("[", 50, &nested("not ", 440, "1", ""), "]"),
        nested("{'a': ", 50, &"1 ~ ".repeat(440), "1}"),
        nested("(", 50, &(".a".repeat(300)), ")").replace("(.a", "(a.a"),
        "1 | string".to_owned() + &" | string".repeat(490),
        "'a'".to_owned() + &" ~ text".repeat(490),
        nested("1 if a else ", 480, "1", ""),
        "a".to_owned() + &"[0]".repeat(240),
        "1".to_owned() + &" < 1".repeat(490),
        "1".to_owned() + &" is defined".repeat(240),
    ] {
        let statements = 60;
        let program = nested(
            "{% if 1 %}",
            statements,
            &format!("{{{{ {source} }}}}"),
            "{% endif %}",
        );
        assert_eq!(
            crate::scenario::nesting::in_program(&program),
            Ok(()),
            "{source}"
        );
        // It may be no expression.
        let _ = value(&source);
        let _ = rendered(&program);
    }
}
