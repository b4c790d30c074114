use std::{sync::Arc, time::Duration};

use super::{EvaluationError, Expression, Input, Names, Scope, Setting};
use crate::{
    document::{Mapping, Node, Problems, Value},
    units::Distribution,
};

/// A customer who thinks, reads or types: `think: 2s` or `think: { uniform: [3s, 8s] }`.
#[derive(Debug)]
pub struct Pause {
    /// Whether the pause is made.
    pub when: Option<Expression>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Fixed(Setting<Duration>),
    Uniform(Setting<Duration>, Setting<Duration>),
    Normal(Setting<Duration>, Setting<Duration>),
    Exponential(Setting<Duration>),
}

impl Pause {
    pub(super) fn read(
        node: &Node,
        when: Option<Expression>,
        names: &Names<'_>,
        inputs: &[Input],
        problems: &Problems,
    ) -> Option<Self> {
        let one = |node: &Node| Setting::read(node, names, inputs, problems);
        let pair = |node: &Node, parts: &str| match &node.value {
            Value::List(list) if list.len() == 2 => one(&list[0]).zip(one(&list[1])),
            _ => {
                node.expected(&format!("a list of two durations, {parts}"), problems);
                None
            }
        };
        let Value::Map(_) = node.value else {
            let shape = Shape::Fixed(one(node)?);
            return Some(Self { when, shape });
        };
        let mut map = Mapping::open(node, "a distribution", problems)?;
        let given = map.one_of(&["uniform", "normal", "exponential"]);
        map.finish();
        let shape = match given? {
            ("uniform", node) => {
                let (low, high) = pair(node, "the shortest and the longest")?;
                if let (Setting::Fixed(low), Setting::Fixed(high)) = (&low, &high)
                    && let Err(error) = Distribution::uniform(*low, *high)
                {
                    problems.add(&node.place, error.to_string());
                    return None;
                }
                Shape::Uniform(low, high)
            }
            ("normal", node) => {
                let (mean, deviation) = pair(node, "the mean and the standard deviation")?;
                Shape::Normal(mean, deviation)
            }
            (_, node) => Shape::Exponential(one(node)?),
        };
        Some(Self { when, shape })
    }

    /// How long this chat pauses this time.
    pub fn sample(
        &self,
        scope: &Arc<Scope>,
        random: &mut fastrand::Rng,
    ) -> Result<Duration, EvaluationError> {
        let distribution = match &self.shape {
            Shape::Fixed(pause) => Distribution::Fixed(pause.evaluate(scope)?),
            Shape::Uniform(low, high) => {
                Distribution::Uniform(low.evaluate(scope)?, high.evaluate(scope)?)
            }
            Shape::Normal(mean, deviation) => Distribution::Normal {
                mean: mean.evaluate(scope)?,
                deviation: deviation.evaluate(scope)?,
            },
            Shape::Exponential(mean) => Distribution::Exponential(mean.evaluate(scope)?),
        };
        Ok(distribution.sample(random))
    }
}
