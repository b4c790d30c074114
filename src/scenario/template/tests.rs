use super::*;
use crate::{document::parse, scenario::scope::tests::scope};

fn template(yaml: &str) -> Result<Template, String> {
    let problems = Problems::default();
    let node = parse("a.yaml", yaml).unwrap();
    let template = Template::read(&node, &Names::open(), &problems);
    match problems.into_result() {
        Ok(()) => Ok(template.unwrap()),
        Err(list) => Err(list[0].to_string()),
    }
}

fn rendered(yaml: &str) -> Result<String, String> {
    let scope = scope(&[("name", "Ann".into()), ("n", 3.into())]);
    template(yaml)?
        .render(&scope)
        .map_err(|error| error.to_string())
}

#[test]
fn expressions_become_their_values() {
    assert_eq!(rendered("plain").unwrap(), "plain");
    assert_eq!(
        rendered("'Hello {{ name }}, {{ n + 1 }}!'").unwrap(),
        "Hello Ann, 4!"
    );
    assert_eq!(
        rendered("'{{ \"}}\" }}{{ {\"a\": {\"b\": 7}}.a.b }}'").unwrap(),
        "}}7"
    );
    assert_eq!(
        rendered("'{% if n > 2 %}many{% else %}few{% endif %}'").unwrap(),
        "many"
    );
}

#[test]
fn a_boolean_is_the_word_that_yaml_and_json_have_for_it() {
    for template in ["'a{{ n > 2 }}'", "'{% if n %}a{{ n > 2 }}{% endif %}'"] {
        assert_eq!(rendered(template).unwrap(), "atrue");
    }
}

#[test]
fn one_expression_alone_keeps_its_type() {
    let scope = scope(&[("n", 3.into())]);
    assert_eq!(
        template("'{{ n }}'").unwrap().value(&scope).unwrap(),
        Value::from(3)
    );
    assert_eq!(
        template("'{{ n }} '").unwrap().value(&scope).unwrap(),
        Value::from("3 ")
    );
}

#[test]
fn what_is_undefined_is_never_sent_as_nothing() {
    assert_eq!(
        rendered("'x{{ missing }}'").unwrap_err(),
        "a.yaml:1:5: `missing` is undefined"
    );
    assert_eq!(rendered("'x{{ missing | default(1) }}'").unwrap(), "x1");
}

#[test]
fn a_bad_template_is_refused_at_its_column() {
    assert_eq!(
        template("'ab {{ n'").unwrap_err(),
        "a.yaml:1:5: this `{{` is never closed; write `}}` behind the expression"
    );
    assert_eq!(
        template("'ab {{ n + }}'").unwrap_err(),
        "a.yaml:1:10: `n +` is no expression: a value is missing at its end"
    );
    assert_eq!(
        template("'{{ n | nosuch }}'").unwrap_err(),
        "a.yaml:1:9: there is no filter `nosuch`"
    );
    assert_eq!(
        template("'{% if n %}x | y {{ n | uper }}{% endif %}'").unwrap_err(),
        "a.yaml:1:25: there is no filter `uper`; did you mean `upper`?"
    );
    assert_eq!(
        template("'{% if n %}{{ m | nosuch'").unwrap_err(),
        "a.yaml:1:19: this is no template: `}}` is missing at its end"
    );
}
