use std::sync::Arc;

use minijinja::{ErrorKind, Value};

use super::{
    EvaluationError, Names, Parameters, Scope, engine_words,
    evaluation::{Compiled, Undefined},
    is_name, limits,
    mistake::Mistake,
    nesting, operators,
};
use crate::document::{Node, Place, Places, Problems};

/// A minijinja expression, compiled and checked against the names that exist where it stands.
#[derive(Debug)]
pub struct Expression {
    source: Box<str>,
    place: Place,
    compiled: Compiled,
}

impl Expression {
    /// Reads a bare expression, as in `expect`, `capture`, `when` and `wait_for`.
    pub fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let source = node.scalar_text("an expression", problems)?;
        if source.trim_start().starts_with("{{") {
            problems.add(
                &node.place,
                "an expression stands here without braces; write `x` instead of `{{ x }}`",
            );
            return None;
        }
        let places = node.places();
        Self::compile(&source, 0, Undefined::Allowed, &places, names, problems)
    }

    /// Compiles the expression that stands `offset` bytes into the text with these places.
    pub(super) fn compile(
        source: &str,
        offset: usize,
        undefined: Undefined,
        places: &Places<'_>,
        names: &Names,
        problems: &Problems,
    ) -> Option<Self> {
        if let Err(message) = nesting::in_expression(source) {
            problems.add(&places.at(offset), message);
            return None;
        }
        let compiled = match Compiled::expression(source, undefined) {
            Ok(compiled) => compiled,
            Err(error) => {
                let at = error.range().map_or(0, |range| range.start);
                let message = not_an_expression(source, at, &describe(&error));
                problems.add(&places.at(offset + at), message);
                return None;
            }
        };
        let known = names.check(compiled.variables(), source, offset, places, problems);
        if let Some(Mistake { at, message }) = operators::unknown(source) {
            problems.add(&places.at(offset + at), message);
            return None;
        }
        known.then(|| Self {
            source: source.trim().into(),
            place: places.at(offset),
            compiled,
        })
    }

    /// The value of the expression in a scope.
    pub fn evaluate(&self, scope: &Arc<Scope>) -> Result<Value, EvaluationError> {
        self.compiled
            .evaluate(scope)
            .map_err(|error| self.failed(&error))
    }

    /// The same for what is sent or waited for: something undefined is an error.
    pub(super) fn evaluate_defined(&self, scope: &Arc<Scope>) -> Result<Value, EvaluationError> {
        let value = self.evaluate(scope)?;
        if value.is_undefined() {
            return Err(EvaluationError {
                place: self.place.clone(),
                message: format!("`{}` is undefined", self.source),
                exceeded: false,
            });
        }
        Ok(value)
    }

    /// What is sent for the value of this expression, if it names a parameter alone that is not sent as
    /// the text of its value.
    pub(super) fn written<'a>(&self, scope: &'a Scope) -> Option<&'a str> {
        scope.written(self.path()?)
    }

    /// The same for what is captured: a value that every chat can keep.
    pub fn evaluate_captured(&self, scope: &Arc<Scope>) -> Result<Value, EvaluationError> {
        let value = self.evaluate(scope)?;
        if limits::may_be_captured(&value) {
            return Ok(value);
        }
        Err(self.exceeds("its value takes more than 1 MiB; capture the part that is needed"))
    }

    /// Whether the expression holds; one that cannot be computed does not.
    pub fn holds(&self, scope: &Arc<Scope>) -> bool {
        self.decide(scope).unwrap_or(false)
    }

    /// The same, but one that takes more than is allowed is an error.
    pub fn decide(&self, scope: &Arc<Scope>) -> Result<bool, EvaluationError> {
        match self.evaluate(scope) {
            Ok(value) => Ok(value.is_true()),
            Err(error) if error.exceeded => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// What was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the value depends on these variables alone.
    pub(super) fn depends_only_on(&self, variables: &[&str]) -> bool {
        self.compiled.roots().all(|name| variables.contains(&name))
    }

    /// The names of an expression that is `a.b.c` and nothing else.
    pub(super) fn path(&self) -> Option<&[Box<str>]> {
        self.compiled.path()
    }

    /// Whether the value depends on a variable of this name.
    pub fn mentions(&self, variable: &str) -> bool {
        self.compiled.roots().any(|name| name == variable)
    }

    /// The defaults of inputs on which alone the value depends, so that it can be tried when it is read; `None` if it
    /// depends on something else.
    pub(super) fn only_defaults(&self, names: &Names) -> Option<Parameters> {
        let default = |path: &String| {
            let input = path.strip_prefix("inputs.")?;
            Some((input.to_owned(), names.default_of(input)?.clone()))
        };
        self.compiled.variables().iter().map(default).collect()
    }

    pub(super) fn failed(&self, error: &minijinja::Error) -> EvaluationError {
        EvaluationError {
            place: self.place.clone(),
            message: format!("`{}`: {}", self.source, describe(error)),
            exceeded: is_exceeded(error),
        }
    }

    /// More than is allowed was taken.
    pub(super) fn exceeds(&self, what: &str) -> EvaluationError {
        EvaluationError {
            place: self.place.clone(),
            message: format!("`{}`: {what}", self.source),
            exceeded: true,
        }
    }
}

/// The names of a source that is nothing but names with dots between them.
/// `a["b"]` is `a.b`.
pub(super) fn path(source: &str) -> Option<Box<[Box<str>]>> {
    let dotted = source.trim().replace("[\"", ".").replace("['", ".");
    let dotted = dotted.replace("\"]", "").replace("']", "");
    let names = dotted.split('.');
    names
        .map(|name| is_name(name).then(|| name.into()))
        .collect()
}

fn not_an_expression(source: &str, at: usize, why: &str) -> String {
    let source_shown = source.trim();
    if source_shown.is_empty() {
        return "an expression is missing here".to_owned();
    }
    let hints = [
        ("=", "; two values are compared with `==`"),
        ("&&", "; write `and`"),
        ("||", "; write `or`"),
        ("!", "; write `not`"),
    ];
    let rest = source.get(at..).unwrap_or_default();
    let hint = hints.iter().find(|(begin, _)| rest.starts_with(begin));
    let hint = hint.map_or("", |(_, hint)| hint);
    format!("`{source_shown}` is no expression: {why}{hint}")
}

/// Whether the evaluation took more than it may.
pub(super) fn is_exceeded(error: &minijinja::Error) -> bool {
    error.kind() == ErrorKind::OutOfFuel
}

/// minijinja's message without the position inside the snippet, which our own place replaces.
pub(super) fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) if is_exceeded(error) => detail.to_owned(),
        None if is_exceeded(error) => limits::TOO_MANY_STEPS.to_owned(),
        Some(detail) => engine_words::meaning(detail),
        None => engine_words::meaning(&error.kind().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document::parse, scenario::scope::tests::scope};

    fn expression(source: &str) -> Expression {
        let problems = Problems::default();
        let node = parse("a.yaml", &format!("{source:?}")).unwrap();
        let read = Expression::read(&node, &Names::open(), &problems);
        read.unwrap_or_else(|| panic!("{source}: {problems:?}"))
    }

    fn value(source: &str) -> Result<Value, String> {
        let body = serde_json::json!({
            "id": 7, "none": null, "text": "a", "list": [{ "n": 1 }, { "n": 2 }],
        });
        let scope = scope(&[
            ("body", serde_json::from_value::<Value>(body).unwrap()),
            ("limit", "1m30s".into()),
            ("count", 3.into()),
        ]);
        expression(source)
            .evaluate(&scope)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_there_is_undefined_however_deep() {
        for source in [
            "nothing",
            "nothing.at.all",
            "body.nothing.at.all",
            "body.none.deeper",
            "body.text.deeper",
            "body.list[7].n",
            "body.list['n'].n",
        ] {
            assert!(value(source).unwrap().is_undefined(), "{source}");
            assert!(!value(&format!("{source} == 'x'")).unwrap().is_true());
            let or_else = format!("{source} | default('else')");
            assert_eq!(value(&or_else).unwrap(), Value::from("else"));
        }
    }

    #[test]
    fn expressions_compute() {
        for (source, expected) in [
            ("body.list[1].n + count", Value::from(5)),
            ("body.list | length", Value::from(2)),
            ("body.text ~ ':' ~ body.id", Value::from("a:7")),
            ("body.id in [7, 8] and not nothing", Value::from(true)),
            (
                "body.none is none and nothing is undefined",
                Value::from(true),
            ),
            ("'b' if count > 5 else 'c'", Value::from("c")),
            ("limit | seconds", Value::from(90.0)),
            ("timing_safe_equal('abc', 'ab' ~ 'c')", Value::from(true)),
            ("timing_safe_equal('abc', 'abd')", Value::from(false)),
            ("timing_safe_equal(nothing, nothing)", Value::from(false)),
            (
                "body.list | map(attribute='n') | join(',')",
                Value::from("1,2"),
            ),
            ("7", Value::from(7)),
        ] {
            assert_eq!(value(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_told_with_its_place_and_does_not_hold() {
        assert_eq!(
            value("nothing | seconds").unwrap_err(),
            "a.yaml:1:2: `nothing | seconds`: this is not text"
        );
        assert_eq!(
            value("body.text | seconds").unwrap_err(),
            "a.yaml:1:2: `body.text | seconds`: `a` is not a duration; write for instance `250ms`, `5s` or `1m30s`"
        );
        assert!(!expression("body.text + 1").holds(&scope(&[])));
        assert!(!expression("nothing in nothing").holds(&scope(&[])));
    }

    #[test]
    fn an_expression_knows_what_it_looks_at() {
        assert!(expression("status in [200]").mentions("status"));
        assert!(!expression("body.status == 'status'").mentions("status"));
    }
}
