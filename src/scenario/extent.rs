//! How many requests some steps send, and how long they take at most.

use std::time::Duration;

use super::Bounds;

/// What steps come to if all of them pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) requests: Bounds,
    /// The sum of the longest timeouts and think times; `None` where it is not known, or nothing bounds it.
    pub(super) longest: Option<Duration>,
    /// The same without the timeouts of steps that may pass at once.
    pub(super) stay: Option<Duration>,
}

impl Extent {
    pub(super) const NONE: Self = Self {
        requests: Bounds::exactly(0),
        longest: Some(Duration::ZERO),
        stay: Some(Duration::ZERO),
    };

    /// One after the other.
    pub(super) fn plus(self, other: Self) -> Self {
        let sum = |(a, b): (Duration, Duration)| a.saturating_add(b);
        Self {
            requests: self.requests.plus(other.requests),
            longest: self.longest.zip(other.longest).map(sum),
            stay: self.stay.zip(other.stay).map(sum),
        }
    }

    /// One or the other.
    pub(super) fn or(self, other: Self) -> Self {
        let most = self.requests.most.zip(other.requests.most);
        let longer = |(one, other): (Duration, Duration)| one.max(other);
        Self {
            requests: Bounds {
                least: self.requests.least.min(other.requests.least),
                most: most.map(|(one, other)| one.max(other)),
            },
            longest: self.longest.zip(other.longest).map(longer),
            stay: self.stay.zip(other.stay).map(longer),
        }
    }

    /// At the same time.
    pub(super) fn beside(self, other: Self) -> Self {
        Self {
            requests: self.requests.plus(other.requests),
            longest: (self.longest.zip(other.longest)).map(|(a, b)| a.max(b)),
            // The chat may be at any place of the other.
            stay: None,
        }
    }

    /// So many times.
    pub(super) fn times(self, times: Bounds) -> Self {
        let longest = |time: Option<Duration>| match (time, times.most) {
            (Some(Duration::ZERO), _) | (_, Some(0)) => Some(Duration::ZERO),
            (time, most) => time.zip(most).map(|(time, most)| {
                let most = u32::try_from(most).unwrap_or(u32::MAX);
                time.saturating_mul(most)
            }),
        };
        Self {
            requests: self.requests.times(times),
            longest: longest(self.longest),
            stay: longest(self.stay),
        }
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use crate::{
        document::{Problems, parse},
        scenario::Scenario,
    };

    /// The longest path through the steps and through `always`, in milliseconds.
    fn longest(text: &str, inputs: &[(&'static str, Value)]) -> [Option<u128>; 2] {
        let problems = Problems::default();
        let text = format!("scenario: s\ninputs: {{ n: 2, pause: 1s }}\n{text}");
        let text = text.replace("GET", "http: { get: 'http://x/' }");
        let scenario = Scenario::read(&parse("s.yaml", &text).unwrap(), &problems);
        assert_eq!(problems.into_result(), Ok(()), "{text}");
        let defaults = [("n", Value::from(2)), ("pause", "1s".into())];
        let inputs = Value::from_pairs(defaults.into_iter().chain(inputs.iter().cloned()));
        let cost = scenario.unwrap().cost(Value::UNDEFINED, &inputs);
        [cost.longest_chat, cost.longest_cleanup].map(|time| time.map(|time| time.as_millis()))
    }

    fn of_steps(steps: &str, inputs: &[(&'static str, Value)]) -> Option<u128> {
        longest(&format!("steps:\n{steps}"), inputs)[0]
    }

    #[test]
    fn the_longest_path_has_every_timeout_and_think_time_that_the_inputs_ask_for() {
        let steps = "
  - { step: a, GET, timeout: 2s, capture: { id: body.id } }
  - { think: '{{ inputs.pause }}' }
  - repeat: '{{ inputs.n }}'
    steps: [ { step: b, GET, timeout: '{{ inputs.pause }}' }, { think: 500ms, when: id == 7 } ]
  - { step: c, GET, when: inputs.n > 5 }
  - { step: d, GET, when: id == 5, timeout: 100ms }";
        assert_eq!(of_steps(steps, &[]), Some(2_000 + 1_000 + 2 * 1_500 + 100));
        let inputs = [("n", 10.into()), ("pause", "3s".into())];
        let path = 2_000 + 3_000 + 10 * 3_500 + 30_000 + 100;
        assert_eq!(of_steps(steps, &inputs), Some(path));
    }

    #[test]
    fn drawn_think_times_count_with_almost_the_longest() {
        for (think, millis) in [
            ("{ uniform: [1s, '{{ inputs.pause }}'] }", 4_000),
            ("{ normal: [5s, 1s] }", 8_000),
            ("{ exponential: 2s }", 14_000),
        ] {
            let steps = format!("  - {{ think: {think} }}");
            let inputs = [("pause", "4s".into())];
            assert_eq!(of_steps(&steps, &inputs), Some(millis), "{think}");
        }
    }

    #[test]
    fn a_time_of_every_round_is_known_and_one_of_an_answer_is_not() {
        let rounds = "  - { repeat: 3, steps: [ { think: \"{{ repeat.index ~ 's' }}\" } ] }";
        assert_eq!(of_steps(rounds, &[]), Some(6_000));
        let first = "  - { step: a, GET, capture: { id: body.id } }\n";
        for unknown in [
            "  - { think: \"{{ id ~ 's' }}\" }",
            "  - { step: b, GET, timeout: \"{{ id ~ 's' }}\" }",
            "  - { repeat: '{{ id }}', steps: [ { think: 1s } ] }",
        ] {
            assert_eq!(of_steps(&format!("{first}{unknown}"), &[]), None);
        }
        let nothing = "  - { repeat: '{{ id }}', steps: [ { think: 0s } ] }";
        assert_eq!(of_steps(&format!("{first}{nothing}"), &[]), Some(30_000));
        let endless = "  - { repeat: 18446744073709551615, steps: [ { think: 100000h } ] }";
        assert!(of_steps(endless, &[]) > Some(u128::from(u64::MAX)));
    }

    #[test]
    fn a_deadline_bounds_the_steps_and_not_what_follows_them() {
        let rest = "
steps: [ { step: a, GET, capture: { id: body.id } }, { think: \"{{ id ~ 's' }}\" } ]
always: [ { step: b, GET, when: not passed, timeout: 7s }, { step: c, GET, when: passed, timeout: 3s } ]";
        assert_eq!(longest(rest, &[]), [None, Some(7_000)]);
        let deadline = format!("deadline: '{{{{ inputs.pause }}}}'{rest}");
        assert_eq!(longest(&deadline, &[]), [Some(1_000), Some(7_000)]);
        let generous = "deadline: 1h\nsteps: [ { think: 2s } ]";
        assert_eq!(longest(generous, &[]), [Some(2_000), Some(0)]);
    }
}
