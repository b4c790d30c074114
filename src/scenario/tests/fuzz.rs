use minijinja::Value;
use proptest::prelude::*;

use super::*;
use crate::{
    document::{Node, parse},
    fuzz::{fuzz, inputs},
    scenario::{limits::MOST_TEXT, scope::tests::scope},
};

const WORDS: &[&[u8]] = &[
    b"{{ ",
    b" }}",
    b"{{- ",
    b" -}}",
    b"{% ",
    b" %}",
    b"{# ",
    b" #}",
    b"{% raw %}",
    b"{% endraw %}",
    b"{% for x in list %}",
    b"{% for x in range(100000) %}",
    b"{% for x in x recursive %}",
    b"{{ loop(x) }}",
    b"{% endfor %}",
    b"{% set text = text ~ text %}",
    b"{% set list = list + list %}",
    b"{% set list = [list, list] %}",
    b"{% set ns = namespace(x=text) %}",
    b"{% set ns.x = ",
    b"ns.x",
    b"{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}",
    b"{% block b %}",
    b"{% endblock %}",
    b"{{ self.b() }}",
    b"{{ loop.cycle() }}",
    b"{{ loop.changed(text) }}",
    b"{% if ",
    b"{% else %}",
    b"{% endif %}",
    b"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    b"{% set t %}",
    b"{% endset %}",
    b"{% filter upper %}",
    b"{% endfilter %}",
    b"{% with a = 1 %}",
    b"{% endwith %}",
    b"{% include 'x' %}",
    b"{% extends 'x' %}",
    b"text",
    b"number",
    b"bytes",
    b"list",
    b"deep",
    b"nothing",
    b"target.url",
    b"inputs.x",
    b"chat.number",
    b".a",
    b"[0]",
    b"[-1]",
    b"[::0]",
    b"[::-1]",
    b"[0:2:-1]",
    b"[::-9223372036854775808]",
    b"[9223372036854775807:]",
    b"(",
    b")",
    b"[",
    b"]",
    b"{'a': ",
    b"}",
    b", ",
    b"'",
    b"\"",
    b"\\u{d800}",
    b"\\x",
    "ä☃\u{202e}".as_bytes(),
    b"\0",
    b"\n",
    b" | upper",
    b" | tojson",
    b" | tojson(indent=1000000)",
    b" | replace('a', text)",
    b" | join(text)",
    b" | list",
    b" | batch(0)",
    b" | batch(1000000000)",
    b" | slice(0)",
    b" | slice(1000000000)",
    b" | indent(1000000000)",
    b" | format(1)",
    b"'%1000000000d'",
    b"'%*d'",
    b" | chain(list)",
    b" | zip(list)",
    b" | trim(text)",
    b" | attr(text)",
    b" | sum(start='')",
    b" | items",
    b"'%s'",
    b" | reverse",
    b" | sort",
    b" | sum",
    b" | round(1000000000)",
    b" | map('upper')",
    b" | select('divisibleby', 0)",
    b" | groupby('a')",
    b" | unique",
    b" | pprint",
    b" | length",
    b" | int",
    b" | float",
    b" | abs",
    b" | default(text)",
    b" | dictsort",
    b" | lines",
    b" | split('')",
    b" | base64",
    b" | base64_decode",
    b" | sha256",
    b" | hmac_sha256(text)",
    b" | urlencode",
    b" | e",
    b"{% autoescape true %}",
    b"{% endautoescape %}",
    b" | as_written",
    b"now('%Y')",
    b"now('%')",
    b"now()",
    b"range(1000000000)",
    b"range(0, 9, 0)",
    b"dict(",
    b"debug()",
    b" + ",
    b" - ",
    b" * ",
    b" / 0",
    b" // 0",
    b" % 0",
    b" ** 999999999",
    b" * 1000000000",
    b" * 10000000",
    b"*list",
    b"**{'a': 1}",
    b" ~ ",
    b"-",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"340282366920938463463374607431768211455",
    b"1e308",
    b"0.1",
    b" == ",
    b" < ",
    b" in ",
    b" and ",
    b" or ",
    b"not ",
    b" is defined",
    b" is divisibleby 0",
    b" if ",
    b" else ",
];

/// A document that is this text.
fn node(text: &str) -> Node {
    parse("t.yaml", &serde_json::to_string(text).unwrap()).unwrap()
}

#[test]
fn no_template_breaks_the_renderer_and_no_text_is_longer_than_it_may_be() {
    let list: Value = (0..100).collect::<Vec<_>>().into();
    let deep = (0..400).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
    let scope = scope(&[
        ("text", "a b/ü?&=~<'%s'".repeat(100).into()),
        ("number", i64::MAX.into()),
        ("bytes", Value::from_bytes(vec![0xff, 0xfe])),
        ("list", list),
        ("deep", deep),
    ]);
    let judge = |input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        // minijinja counts the columns of a line in 16 bits; beyond, a build that checks for overflows panics.
        if text
            .lines()
            .any(|line| line.len() > usize::from(u16::MAX) / 2)
        {
            return Ok(());
        }
        let (names, problems) = (Names::open(), Problems::default());
        if let Some(template) = Template::read(&node(&text), &names, &problems) {
            match template.render(&scope) {
                Ok(rendered) => prop_assert!(rendered.len() <= MOST_TEXT + text.len()),
                Err(error) => prop_assert!(!error.message.is_empty()),
            }
            let _ = template.value(&scope);
        }
        if let Some(expression) = Expression::read(&node(&text), &names, &problems)
            && let Ok(value) = expression.evaluate(&scope)
        {
            let _ = (value.is_true(), value.to_string().len());
        }
        Ok(())
    };
    // A file of so many lines would fill every diff.
    let lines = "\n".repeat(60_000) + "| groupby('a')";
    judge(lines.as_bytes()).unwrap();
    fuzz("template", inputs("template", WORDS), judge);
}
