use std::{sync::Arc, time::Duration};

use super::{EvaluationError, Expression, Names, Scope, Setting};
use crate::{
    document::{Mapping, Node, Place, Problems, Value},
    units::Distribution,
};

/// A customer who thinks, reads or types: `think: 2s` or `think: { uniform: [3s, 8s] }`.
#[derive(Debug)]
pub struct Pause {
    /// Whether the pause is made.
    pub when: Option<Expression>,
    /// Where it is declared.
    pub declared: Box<PausePlace>,
    shape: Shape,
}

/// Where a pause is declared.
#[derive(Debug)]
pub struct PausePlace {
    /// In the text.
    pub place: Place,
    /// The step of the chat that stands in front of it, if there is one.
    pub after: Option<Arc<str>>,
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
        names: &Names,
        problems: &Problems,
    ) -> Option<Self> {
        let one = |node: &Node| Setting::read(node, names, problems);
        let pair = |node: &Node, parts: &str| match &node.value {
            Value::List(list) if list.len() == 2 => one(&list[0]).zip(one(&list[1])),
            _ => {
                node.expected(&format!("a list of two durations, {parts}"), problems);
                None
            }
        };
        let place = node.place.clone();
        let Value::Map(_) = node.value else {
            let shape = Shape::Fixed(one(node)?);
            return Some(Self::new(when, place, shape));
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
        Some(Self::new(when, place, shape))
    }

    /// The same behind this step.
    pub(super) fn behind(mut self, step: Option<Arc<str>>) -> Self {
        self.declared.after = step;
        self
    }

    fn new(when: Option<Expression>, place: Place, shape: Shape) -> Self {
        Self {
            when,
            declared: Box::new(PausePlace { place, after: None }),
            shape,
        }
    }

    /// The longest pause, given the values of its parts as far as they are known. No bound is known for
    /// `normal` and `exponential`: that is three deviations above the mean and seven means, which one pause of
    /// a thousand exceeds.
    pub fn longest(
        &self,
        mut value: impl FnMut(&Setting<Duration>) -> Option<Duration>,
    ) -> Option<Duration> {
        match &self.shape {
            Shape::Fixed(pause) => value(pause),
            // Both are evaluated, so that what is wrong with either is noted.
            Shape::Uniform(low, high) => {
                let (low, high) = (value(low), value(high));
                Some(low?.max(high?))
            }
            Shape::Normal(mean, deviation) => {
                let (mean, deviation) = (value(mean), value(deviation));
                Some(mean?.saturating_add(deviation?.saturating_mul(3)))
            }
            Shape::Exponential(mean) => Some(value(mean)?.saturating_mul(7)),
        }
    }

    /// What it is made of.
    pub(super) fn settings(&self) -> impl Iterator<Item = &Setting<Duration>> {
        let (first, second) = match &self.shape {
            Shape::Fixed(one) | Shape::Exponential(one) => (one, None),
            Shape::Uniform(one, other) | Shape::Normal(one, other) => (one, Some(other)),
        };
        [first].into_iter().chain(second)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::parse,
        scenario::{RunScope, setting::tests::inputs},
    };

    const SECOND: Duration = Duration::from_secs(1);

    /// The shortest, the mean and the longest of many pauses, with `pause: 2s` as input.
    fn sampled(yaml: &str) -> [Duration; 3] {
        let problems = Problems::default();
        let node = parse("a.yaml", yaml).unwrap();
        let names = Names::open_with(&inputs("{ pause: 2s }"));
        let pause = Pause::read(&node, None, &names, &problems);
        let pause = pause.unwrap_or_else(|| panic!("{yaml}: {problems:?}"));
        let scope = Arc::new(Scope::of_run(Arc::new(RunScope {
            inputs: minijinja::Value::from_pairs([("pause", "2s")]),
            ..RunScope::default()
        })));
        let mut random = fastrand::Rng::with_seed(7);
        let mut pauses: Vec<_> = (0..10_000)
            .map(|_| pause.sample(&scope, &mut random).unwrap())
            .collect();
        pauses.sort();
        let mean = pauses.iter().sum::<Duration>() / 10_000;
        [pauses[0], mean, pauses[9_999]]
    }

    #[test]
    fn a_pause_is_fixed_or_drawn_and_its_parts_may_be_inputs() {
        assert_eq!(sampled("3s"), [3 * SECOND; 3]);
        assert_eq!(sampled("'{{ inputs.pause }}'"), [2 * SECOND; 3]);
        let [shortest, mean, longest] = sampled("{ uniform: ['{{ inputs.pause }}', 4s] }");
        assert!(shortest >= 2 * SECOND && longest <= 4 * SECOND);
        assert!(mean.abs_diff(3 * SECOND) < SECOND / 20, "{mean:?}");
        let [shortest, mean, longest] = sampled("{ normal: ['{{ inputs.pause }}', 5s] }");
        assert!(shortest.is_zero() && longest > 12 * SECOND);
        assert!(mean > 2 * SECOND, "what falls below zero is zero: {mean:?}");
        let [_, mean, longest] = sampled("{ exponential: '{{ inputs.pause }}' }");
        assert!(mean.abs_diff(2 * SECOND) < SECOND / 10, "{mean:?}");
        assert!(longest > 10 * SECOND);
    }

    #[test]
    fn a_range_that_inputs_turn_around_is_its_lower_bound() {
        assert_eq!(
            sampled("{ uniform: [4s, '{{ inputs.pause }}'] }"),
            [4 * SECOND; 3]
        );
    }
}
