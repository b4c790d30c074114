use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::{EvaluationError, Names, Scope};
use crate::{
    document::{Node, Place, Problems},
    units::duration,
};

/// For predicates and captures: a missing field is merely undefined, however deep it lies, so that
/// `event.body.text == "x"` is false for an event without a body.
static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable));

/// For what goes out in requests: printing something undefined is an error, not an empty string.
static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Strict));

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.add_filter("seconds", seconds);
    environment
}

/// `inputs.limit | seconds`: a duration as a number, to compare with `elapsed`.
fn seconds(text: &str) -> Result<f64, minijinja::Error> {
    duration::parse(text)
        .map(|duration| duration.as_secs_f64())
        .map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// What an expression does about something undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    /// It is a value like any other.
    Allowed,
    /// Using it is an error.
    Refused,
}

impl Undefined {
    pub(super) fn environment(self) -> &'static Environment<'static> {
        match self {
            Self::Allowed => &LENIENT,
            Self::Refused => &STRICT,
        }
    }
}

/// A minijinja expression, compiled and checked against the names that exist where it stands.
#[derive(Debug)]
pub struct Expression {
    source: Box<str>,
    place: Place,
    compiled: minijinja::Expression<'static, 'static>,
}

impl Expression {
    /// Reads a bare expression, as in `expect`, `capture`, `when` and `wait_for`.
    pub fn read(node: &Node, names: &Names<'_>, problems: &Problems) -> Option<Self> {
        let source = node.scalar_text("an expression", problems)?;
        if source.trim_start().starts_with("{{") {
            problems.add(
                &node.place,
                "an expression stands here without braces; write `x` instead of `{{ x }}`",
            );
            return None;
        }
        Self::compile(&source, 0, Undefined::Allowed, node, names, problems)
    }

    /// Compiles the expression that stands `offset` bytes into the node's text.
    pub(super) fn compile(
        source: &str,
        offset: usize,
        undefined: Undefined,
        node: &Node,
        names: &Names<'_>,
        problems: &Problems,
    ) -> Option<Self> {
        let environment = undefined.environment();
        let compiled = match environment.compile_expression_owned(source.to_owned()) {
            Ok(compiled) => compiled,
            Err(error) => {
                let at = error.range().map_or(0, |range| range.start);
                problems.add(
                    &node.place_in_text(offset + at),
                    format!("`{}` is no expression: {}", source.trim(), describe(&error)),
                );
                return None;
            }
        };
        let variables: BTreeSet<_> = compiled.undeclared_variables(true).into_iter().collect();
        let known = names.check(&variables, source, offset, node, problems);
        let expression = Self {
            source: source.trim().into(),
            place: node.place_in_text(offset),
            compiled,
        };
        (known & expression.knows_its_filters(problems)).then_some(expression)
    }

    /// minijinja looks filters, tests and functions up when it meets them. Two trial evaluations,
    /// one with nothing defined and one with everything true, meet both sides of `and` and `or`.
    fn knows_its_filters(&self, problems: &Problems) -> bool {
        let everything = Value::from_object(Everything);
        let unknown = [Value::UNDEFINED, everything]
            .into_iter()
            .filter_map(|context| self.compiled.eval(context).err())
            .find(|error| {
                matches!(
                    error.kind(),
                    ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
                )
            });
        if let Some(error) = &unknown {
            problems.add(
                &self.place,
                format!("`{}` is no expression: {}", self.source, describe(error)),
            );
        }
        unknown.is_none()
    }

    /// The value of the expression in a scope.
    pub fn evaluate(&self, scope: &Arc<Scope>) -> Result<Value, EvaluationError> {
        self.compiled
            .eval(Value::from_dyn_object(scope.clone()))
            .map_err(|error| self.failed(&error))
    }

    /// Whether the expression holds; one that cannot be computed does not.
    pub fn holds(&self, scope: &Arc<Scope>) -> bool {
        self.evaluate(scope).is_ok_and(|value| value.is_true())
    }

    /// What was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the value depends on a variable of this name.
    pub fn mentions(&self, variable: &str) -> bool {
        self.compiled.undeclared_variables(false).contains(variable)
    }

    /// Whether the value depends on the inputs alone, and so can be tried when it is read.
    pub(super) fn only_inputs(&self) -> bool {
        let variables = self.compiled.undeclared_variables(false);
        variables.iter().all(|name| name == "inputs")
    }

    pub(super) fn failed(&self, error: &minijinja::Error) -> EvaluationError {
        EvaluationError {
            place: self.place.clone(),
            message: format!("`{}`: {}", self.source, describe(error)),
        }
    }
}

/// minijinja's message without the position inside the snippet, which our own place replaces.
pub(super) fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    }
}

/// A scope in which every name is defined and true.
#[derive(Debug)]
struct Everything;

impl minijinja::value::Object for Everything {
    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::from(true))
    }
}
