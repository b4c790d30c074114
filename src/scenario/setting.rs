use std::{sync::Arc, time::Duration};

use minijinja::Value as Variable;

use super::{EvaluationError, Expression, Names, Scope, Template};
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

    /// The quantity that is written down.
    fn read(node: &Node, problems: &Problems) -> Option<Self>;

    /// The quantity that a value stands for.
    fn from_variable(value: &Variable) -> Result<Self, String>;
}

impl Quantity for Duration {
    const WANTED: &'static str = "a duration such as `5s`";

    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        node.duration(problems)
    }

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

    fn read(node: &Node, problems: &Problems) -> Option<Self> {
        node.whole_number(0, problems)
    }

    fn from_variable(value: &Variable) -> Result<Self, String> {
        Self::try_from(value.clone()).map_err(|_| {
            if value.is_number() && *value > Variable::from(Self::MAX) {
                return format!("`{value}` is too large; the largest is {}", Self::MAX);
            }
            format!("`{value}` is not {}", Self::WANTED)
        })
    }
}

impl<T: Quantity> Setting<T> {
    /// Reads a quantity or a template for one. What depends on the inputs alone is tried with their
    /// defaults, so that a negative duration is found before anything runs.
    pub(super) fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let is_template = matches!(&node.value, Value::Text(text) if text.contains("{{"));
        if !is_template {
            return T::read(node, problems).map(Self::Fixed);
        }
        let Some(expression) = Template::read(node, names, problems)?.into_expression() else {
            problems.add(
                &node.place,
                format!("expected {} or one `{{{{ expression }}}}`", T::WANTED),
            );
            return None;
        };
        if let Some(used) = expression.only_defaults(names)
            && let Err(error) = from_expression::<T>(&expression, &Scope::of_defaults(used))
        {
            problems.add(&error.place, error.message);
            return None;
        }
        Some(Self::Computed(expression))
    }

    /// Whether a variable is in it.
    pub(super) fn mentions(&self, variable: &str) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Computed(expression) => expression.mentions(variable),
        }
    }

    /// The quantity before a run, if it depends on these variables alone.
    pub(super) fn evaluate_statically(
        &self,
        scope: &Arc<Scope>,
        known: &[&str],
    ) -> Option<Result<T, EvaluationError>> {
        match self {
            Self::Computed(expression) if !expression.depends_only_on(known) => None,
            _ => Some(self.evaluate(scope)),
        }
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
    let value = expression.evaluate_defined(scope)?;
    T::from_variable(&value).map_err(|message| EvaluationError {
        place: expression.place().clone(),
        message: format!("`{}`: {message}", expression.source()),
        exceeded: false,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        document::parse,
        scenario::{Input, RunScope},
    };

    pub(in crate::scenario) fn inputs(yaml: &str) -> Vec<Input> {
        Input::read_all(&parse("a.yaml", yaml).unwrap(), &Problems::default())
    }

    fn read<T: Quantity>(yaml: &str, declared: &str) -> Result<Setting<T>, String> {
        let problems = Problems::default();
        let node = parse("a.yaml", yaml).unwrap();
        let setting = Setting::read(&node, &Names::open_with(&inputs(declared)), &problems);
        problems.into_result().map_err(|list| list[0].to_string())?;
        Ok(setting.unwrap())
    }

    fn with_inputs(pairs: &[(&'static str, &str)]) -> Arc<Scope> {
        Arc::new(Scope::of_run(Arc::new(RunScope {
            inputs: Variable::from_pairs(pairs.iter().copied()),
            ..RunScope::default()
        })))
    }

    #[test]
    fn a_setting_is_written_down_or_computed_from_the_inputs_of_the_run() {
        let scope = with_inputs(&[("wait", "7s")]);
        let fixed = read::<Duration>("5s", "{}").unwrap();
        assert_eq!(fixed.evaluate(&scope), Ok(Duration::from_secs(5)));
        let computed = read::<Duration>("'{{ inputs.wait }}'", "{ wait: 5s }").unwrap();
        assert_eq!(computed.evaluate(&scope), Ok(Duration::from_secs(7)));
        let count = read::<u64>("'{{ 2 * 3 }}'", "{}").unwrap();
        assert_eq!(count.evaluate(&scope), Ok(6));
    }

    #[test]
    fn defaults_are_tried_when_the_scenario_is_read() {
        assert_eq!(
            read::<u64>("'{{ inputs.n - 5 }}'", "{ n: 2 }").unwrap_err(),
            "a.yaml:1:4: `inputs.n - 5`: `-3` is not a whole number of at least 0"
        );
        // Without a default there is nothing to try, whatever the other inputs have.
        let wait = "{ wait: { type: text }, n: 2 }";
        let setting = read::<Duration>("'{{ inputs.wait }}'", wait).unwrap();
        let error = setting.evaluate(&with_inputs(&[]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "a.yaml:1:4: `inputs.wait` is undefined"
        );
        let error = setting.evaluate(&with_inputs(&[("wait", "-5s")]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "a.yaml:1:4: `inputs.wait`: `-5s` is negative; a duration is zero or more"
        );
    }

    #[test]
    fn a_chat_is_not_known_when_the_scenario_is_read() {
        let setting = read::<Duration>("\"{{ chat.number ~ 's' }}\"", "{}").unwrap();
        let chat = Arc::new(with_inputs(&[]).of_chat(4, "run-4"));
        assert_eq!(setting.evaluate(&chat), Ok(Duration::from_secs(4)));
    }
}
