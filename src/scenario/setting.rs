use std::{sync::Arc, time::Duration};

use minijinja::Value as Variable;

use super::{EvaluationError, Expression, Input, Names, Scope, Template};
use crate::{
    document::{Node, Problems, Value},
    units::duration,
};

/// A number or duration of a step: known when it is read, or computed for every chat.
#[derive(Debug)]
pub enum Setting<T> {
    /// Written down.
    Fixed(T),
    /// A template such as `"{{ inputs.reply_timeout }}"`.
    Computed(Expression),
}

/// What a [`Setting`] can hold.
pub trait Quantity: Copy {
    /// What it is, for messages.
    const WANTED: &'static str;

    /// The quantity that a value stands for.
    fn from_variable(value: &Variable) -> Result<Self, String>;
}

impl Quantity for Duration {
    const WANTED: &'static str = "a duration such as `5s`";

    fn from_variable(value: &Variable) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => duration::parse(text).map_err(|error| error.to_string()),
            None => Err(format!(
                "`{value}` is not a duration; write for instance `5s`"
            )),
        }
    }
}

impl Quantity for u64 {
    const WANTED: &'static str = "a whole number of at least 0";

    fn from_variable(value: &Variable) -> Result<Self, String> {
        Self::try_from(value.clone()).map_err(|_| format!("`{value}` is not {}", Self::WANTED))
    }
}

impl<T: Quantity> Setting<T> {
    /// Reads a quantity or a template for one. What depends on the inputs alone is tried with their
    /// defaults, so that a negative duration is found before anything runs.
    pub(super) fn read(
        node: &Node,
        names: &Names<'_>,
        inputs: &[Input],
        problems: &Problems,
    ) -> Option<Self> {
        let is_template = matches!(&node.value, Value::Text(text) if text.contains("{{"));
        if !is_template {
            let value = match &node.value {
                Value::Text(text) => Variable::from(text.as_str()),
                Value::Integer(number) => Variable::from(*number),
                Value::Float(number) => Variable::from(*number),
                _ => {
                    node.expected(T::WANTED, problems);
                    return None;
                }
            };
            return T::from_variable(&value)
                .map(Self::Fixed)
                .map_err(|message| problems.add(&node.place, message))
                .ok();
        }
        let Some(expression) = Template::read(node, names, problems)?.into_expression() else {
            problems.add(
                &node.place,
                format!("expected {} or one `{{{{ expression }}}}`", T::WANTED),
            );
            return None;
        };
        let has_defaults = inputs.iter().all(|input| input.default.is_some());
        if expression.only_inputs()
            && has_defaults
            && let Err(error) = from_expression::<T>(&expression, &Scope::of_defaults(inputs))
        {
            problems.add(&error.place, error.message);
            return None;
        }
        Some(Self::Computed(expression))
    }

    /// The quantity in a scope.
    pub fn evaluate(&self, scope: &Arc<Scope>) -> Result<T, EvaluationError> {
        match self {
            Self::Fixed(quantity) => Ok(*quantity),
            Self::Computed(expression) => from_expression(expression, scope),
        }
    }
}

fn from_expression<T: Quantity>(
    expression: &Expression,
    scope: &Arc<Scope>,
) -> Result<T, EvaluationError> {
    let value = expression.evaluate(scope)?;
    T::from_variable(&value).map_err(|message| EvaluationError {
        place: expression.place().clone(),
        message: format!("`{}`: {message}", expression.source()),
    })
}
