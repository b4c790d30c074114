use super::*;
use crate::report::testing::{Second, record};

/// A target whose latencies are log-normal, and whose mood drifts from one second to the next.
#[derive(Debug, Clone, Copy)]
struct Target {
    seconds: usize,
    rate: usize,
    median: f64,
    /// What its mood does to the logarithm of latencies.
    mood: f64,
    /// How much of a second's mood is left in the next one, 0 to 1.
    memory: f64,
    /// The part that fails.
    failing: f64,
}

const STEADY: Target = Target {
    seconds: 96,
    rate: 10,
    median: 0.5,
    mood: 0.0,
    memory: 0.0,
    failing: 0.05,
};
const ORDINARY: Target = Target {
    mood: 0.1,
    memory: 0.6,
    ..STEADY
};
/// One second is told by the one before more than by chance.
const MOODY: Target = Target {
    mood: 0.3,
    memory: 0.7,
    ..STEADY
};

fn normal(random: &mut fastrand::Rng) -> f64 {
    let (one, other) = (1.0 - random.f64(), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

impl Target {
    fn run(self, random: &mut fastrand::Rng) -> RunRecord {
        let mut mood = normal(random);
        let seconds: Vec<_> = (0..self.seconds)
            .map(|_| {
                let fresh = (1.0 - self.memory * self.memory).sqrt();
                mood = mood * self.memory + normal(random) * fresh;
                let mut second = Second::default();
                for _ in 0..self.rate {
                    if random.f64() < self.failing {
                        second.failed += 1;
                    } else {
                        let exponent = self.mood * mood + 0.4 * normal(random);
                        second.passed.push(self.median * exponent.exp());
                    }
                }
                second
            })
            .collect();
        record(&seconds)
    }

    /// Many pairs of runs, from this to another.
    fn pairs(self, other: Self, count: u64) -> impl Iterator<Item = (RunRecord, RunRecord)> {
        (0..count).map(move |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (self.run(&mut random), other.run(&mut random))
        })
    }
}

fn share(hits: usize, of: u64) -> f64 {
    small(hits) / large(of)
}

/// Of each figure, how often two runs of the same target are called different at 5 %.
fn false_alarms(target: Target, count: u64) -> Vec<(Figure, f64)> {
    let mut alarms = [0; 4];
    for (one, other) in target.pairs(target, count) {
        let [before, after] = [&one, &other].map(|run| step_estimates(run, "ask").unwrap());
        for (at, (figure, before, after)) in pairs(before, after).iter().enumerate() {
            let change = Change::between(*figure, before, after, 0.05);
            if *figure == Figure::P99 {
                assert_eq!(
                    change.word,
                    Word::TooLittle,
                    "of a thousand there are ten beyond"
                );
                continue;
            }
            assert_ne!(change.word, Word::TooLittle);
            alarms[at.min(3)] += usize::from(change.word != Word::Noise);
        }
    }
    let told = [Figure::Mean, Figure::P50, Figure::P95, Figure::Failed];
    told.into_iter()
        .zip(alarms.map(|alarms| share(alarms, count)))
        .collect()
}

#[test]
fn runs_that_are_alike_are_called_different_as_often_as_is_said() {
    for (figure, share) in false_alarms(STEADY, 200) {
        // 5 % of 200, give or take what such a count varies by.
        assert!((0.005..0.10).contains(&share), "{figure:?}: {share}");
    }
}

#[test]
fn a_mood_that_lasts_for_seconds_is_not_taken_for_a_change() {
    for (figure, share) in false_alarms(MOODY, 200) {
        assert!((0.005..0.11).contains(&share), "{figure:?}: {share}");
    }
}

#[test]
fn nothing_at_all_is_called_different_in_most_comparisons_of_what_is_alike() {
    let count = 200;
    let compared = MOODY.pairs(MOODY, count);
    let wrong = compared.filter(|(one, other)| {
        let comparison = Comparison::of(one, other);
        let changes = comparison
            .subjects
            .iter()
            .flat_map(|subject| &subject.changes);
        let mut words = changes.map(|change| change.word);
        let differs = words.any(|word| matches!(word, Word::Worse | Word::Better));
        // Half of the figures rose, and that alone is no regression.
        assert!(differs || comparison.regressions(0.0).is_empty());
        differs
    });
    let share = share(wrong.count(), count);
    assert!(share < 0.09, "{share}");
}

#[test]
fn a_fifth_more_is_found_in_runs_of_ordinary_size_and_in_both_directions() {
    let slower = Target {
        median: ORDINARY.median * 1.2,
        ..ORDINARY
    };
    let count = 60;
    for (from, to, word) in [
        (ORDINARY, slower, Word::Worse),
        (slower, ORDINARY, Word::Better),
    ] {
        let mut found = [0; 2];
        for (before, after) in from.pairs(to, count) {
            let comparison = Comparison::of(&before, &after);
            let changes = &comparison.subjects[1].changes;
            found[0] += usize::from(changes[0].word == word);
            found[1] += usize::from(changes[1].word == word);
        }
        let found = found.map(|found| share(found, count));
        assert!(
            found.iter().all(|share| *share > 0.9),
            "{word:?}: {found:?}"
        );
    }
}

#[test]
fn the_interval_holds_the_change_that_there_is() {
    let slower = Target {
        median: STEADY.median * 1.2,
        ..STEADY
    };
    let count = 200;
    let compared = STEADY.pairs(slower, count);
    let hits = compared.filter(|(before, after)| {
        let comparison = Comparison::of(before, after);
        let [from, to] = comparison.subjects[1].changes[1].interval.unwrap();
        (from..to).contains(&0.2)
    });
    let share = share(hits.count(), count);
    assert!(share > 0.95, "{share}");
}

#[test]
fn more_failures_are_found_and_the_first_few_are_not() {
    let failing = |failing: f64| Target { failing, ..STEADY };
    let word = |before: f64, after: f64| {
        let (before, after) = failing(before).pairs(failing(after), 1).next().unwrap();
        let comparison = Comparison::of(&before, &after);
        comparison.subjects[0].changes[4].word
    };
    assert_eq!(word(0.0, 0.1), Word::Worse);
    assert_eq!(word(0.0, 1.0), Word::Worse);
    assert_eq!(word(0.1, 0.0), Word::Better);
    assert_eq!(word(0.0, 0.0), Word::Noise);
    assert_eq!(word(0.0, 0.002), Word::Noise);
}

#[test]
fn of_too_little_nothing_is_said() {
    let few = Target {
        rate: 1,
        seconds: 15,
        ..STEADY
    };
    let short = Target {
        rate: 100,
        seconds: 11,
        ..STEADY
    };
    for target in [few, short] {
        let (before, after) = target.pairs(target, 1).next().unwrap();
        let comparison = Comparison::of(&before, &after);
        for change in comparison
            .subjects
            .iter()
            .flat_map(|subject| &subject.changes)
        {
            assert_eq!((change.word, change.interval), (Word::TooLittle, None));
            assert!(change.before.is_some() && change.change.is_some());
        }
    }
    let nothing = record(&vec![Second::default(); 40]);
    let comparison = Comparison::of(&nothing, &nothing);
    for change in comparison
        .subjects
        .iter()
        .flat_map(|subject| &subject.changes)
    {
        assert_eq!(
            (change.word, change.before, change.change),
            (Word::TooLittle, None, None)
        );
    }
}

#[test]
fn a_regression_is_worse_by_more_than_the_limit_and_than_noise() {
    let worse = Target {
        median: 0.75,
        ..STEADY
    };
    let (before, after) = STEADY.pairs(worse, 1).next().unwrap();
    let comparison = Comparison::of(&before, &after);
    let told = |limit: f64| -> Vec<_> {
        let regressions = comparison.regressions(limit);
        regressions
            .iter()
            .map(|regression| (regression.step, regression.change.figure))
            .collect()
    };
    let found = told(0.2);
    assert!(found.contains(&(None, Figure::P50)), "{found:?}");
    assert!(found.contains(&(Some("ask"), Figure::Mean)), "{found:?}");
    assert!(!found.iter().any(|(_, figure)| *figure == Figure::Failed));
    assert_eq!(told(1.0), []);
    assert_eq!(Comparison::of(&after, &before).regressions(0.0), []);
    assert_eq!(Comparison::of(&before, &before).regressions(0.0), []);
}

#[test]
fn what_else_differs_is_said() {
    let (before, mut after) = STEADY.pairs(STEADY, 1).next().unwrap();
    assert_eq!(
        Comparison::of(&before, &after).caveats,
        Vec::<String>::new()
    );
    after.report.load = "{ chats: 1 }".to_owned();
    after.report.verdict = Some(Verdict::Invalid);
    after.report.inputs = serde_json::json!({ "name": "Ada" });
    assert_eq!(
        Comparison::of(&before, &after).caveats,
        [
            "the load differs: `{ rate: 10/s, for: 1m }` before, `{ chats: 1 }` now",
            "the inputs differ: {} before, {\"name\":\"Ada\"} now",
            "the verdict of the run is `invalid`",
        ]
    );
}

#[test]
fn steps_that_only_one_of_them_has_are_named_and_so_is_another_configuration() {
    let (mut before, mut after) = STEADY.pairs(STEADY, 1).next().unwrap();
    let step = after.report.steps[0].clone();
    let named = |number: usize| {
        let mut step = step.clone();
        step.step = format!("step-{number}");
        step
    };
    after.report.steps = (0..11).map(named).collect();
    after.report.configuration = Some("1".to_owned());
    let comparison = Comparison::of(&before, &after);
    assert_eq!(comparison.subjects.len(), 1, "what both have");
    assert_eq!(comparison.steps_gone, ["ask"]);
    assert_eq!(comparison.steps_added.len(), 11);
    let many =
        "`step-0`, `step-1`, `step-2`, `step-3`, `step-4`, `step-5`, `step-6`, `step-7` and 3 more";
    let [gone, added] = &*comparison.caveats else {
        panic!("{:?}", comparison.caveats)
    };
    assert_eq!(gone, "only the baseline has the steps `ask`");
    assert_eq!(added, &format!("only the run has the steps {many}"));
    before.report.configuration = Some("2".to_owned());
    let told = Comparison::of(&before, &after).caveats;
    assert_eq!(
        told[2],
        "the configuration differs: its fingerprint was `2` before and is `1` now"
    );
}
