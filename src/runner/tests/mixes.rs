//! Runs whose chats are of several scenarios.

use proptest::prelude::*;

use super::*;

/// A run of these scenarios in these shares, with names in the order of the letters.
fn mixed(bench: &Bench, members: &[(&str, u64)], load: &str) -> RunSpec {
    let named = ["a", "b", "c"];
    let chats = members.iter().zip(named).map(|((steps, weight), name)| {
        let text = format!("scenario: {name}\n{steps}");
        let problems = Problems::default();
        let scenario = Scenario::read(&parse("mixed.yaml", &text).unwrap(), &problems);
        assert_eq!(problems.into_result(), Ok(()));
        let chats = ChatSpec {
            scenario: Arc::new(scenario.unwrap()),
            target: bench.target.clone(),
            inputs: minijinja::Value::UNDEFINED,
        };
        (chats, *weight)
    });
    let mix = Mix::of(chats).unwrap();
    let load = bench.spec("steps: [ { think: 0s } ]", load).load;
    RunSpec {
        seed: bench.seed,
        thresholds: Vec::new(),
        ..RunSpec::new("evening".into(), Mode::Burst, Trigger::Api, mix, load)
    }
}

fn thresholds(text: &str) -> Vec<Threshold> {
    let node = parse("test.yaml", text).unwrap();
    let problems = Problems::default();
    let read = Threshold::read_list(&node, None, &problems);
    assert_eq!(problems.into_result(), Ok(()));
    read
}

const FLIPS: &str = "steps: [ { step: x, flip: '{{ chat.number }}' }, { think: 2s } ]";
const FAILS: &str = "steps: [ { step: x, flip: one, expect: false }, { step: y, flip: two } ]";

#[tokio::test(start_paused = true)]
async fn chats_of_a_mix_come_in_their_shares_under_steps_of_their_own() {
    let bench = Bench::new();
    let spec = mixed(
        &bench,
        &[(FLIPS, 3), (FAILS, 1)],
        "{ rate: 10/s, for: 10s }",
    );
    let identity = spec.identity.clone();
    let report = over(&bench.engine.start(spec)).await;
    assert_eq!(&*identity.subject.scenario, "mixed");
    assert_eq!((&*report.scenario, &*report.target), ("mixed", "t"));
    assert_eq!(report.chats.started, 100);
    let members: Vec<_> = (report.members.iter())
        .map(|member| {
            (
                &*member.scenario,
                member.weight,
                member.passed,
                member.failed,
            )
        })
        .collect();
    assert_eq!(members, [("a", 3, 75, 0), ("b", 1, 0, 25)]);
    assert_eq!(report.members[0].chat_duration.max, Some(2.0));
    let steps: Vec<_> = (report.steps.iter())
        .map(|step| (&*step.step, step.passed, step.failed))
        .collect();
    assert_eq!(steps, [("a/x", 75, 0), ("b/x", 0, 25), ("b/y", 0, 0)]);
    assert_eq!(report.failures[0].step, "b/x");
    assert_eq!(report.verdict, Some(Verdict::Failed));
    // One run begins and ends, whatever its chats are.
    let runs =
        |note: &heard::Note| matches!(note, heard::Note::RunStarted | heard::Note::RunEnded(..));
    assert_eq!(bench.heard.notes().into_iter().filter(runs).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn thresholds_of_a_mix_may_be_about_one_scenario() {
    for (text, verdict) in [
        ("[ { failed: 25% } ]", Verdict::Passed),
        ("[ { scenario: a, failed: 0% } ]", Verdict::Passed),
        ("[ { scenario: b, failed: 25% } ]", Verdict::Failed),
        ("[ { scenario: a, step: x, failed: 0% } ]", Verdict::Passed),
        ("[ { scenario: b, step: x, failed: 25% } ]", Verdict::Failed),
        ("[ { scenario: a, p95: 1s } ]", Verdict::Failed),
    ] {
        let bench = Bench::new();
        let mut spec = mixed(
            &bench,
            &[(FLIPS, 3), (FAILS, 1)],
            "{ rate: 10/s, for: 10s }",
        );
        spec.thresholds = thresholds(text);
        let report = over(&bench.engine.start(spec)).await;
        assert_eq!(report.verdict, Some(verdict), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_scenario_of_a_mix_is_set_up_and_torn_down_once_and_its_customers_wait_as_it_says() {
    let bench = Bench::new();
    let around = "
setup: [ { think: 1s }, { step: before, flip: abc, capture: { word: flipped } } ]
steps: [ { step: uses, flip: '{{ word }}', expect: flipped == 'abc' }, { think: 1s } ]
teardown: [ { step: after, flip: '{{ word }}' } ]
loop_delay: 3s";
    let spec = mixed(
        &bench,
        &[(around, 1), (FLIPS, 1)],
        "{ customers: 2, for: 8s }",
    );
    let report = over(&bench.engine.start(spec)).await;
    let passed: Vec<_> = report
        .steps
        .iter()
        .map(|step| (&*step.step, step.passed))
        .collect();
    let chats = report.members[0].passed;
    assert_eq!(
        passed[..3],
        [("a/before", 1), ("a/uses", chats), ("a/after", 1)]
    );
    // Chats of `a` take 1 s, and their customer then waits 3 s; chats of `b` take 2 s. The next free customer starts the next
    // chat in the order of the mix.
    assert_eq!(bench.heard.starts()[..6], [1, 1, 3, 5, 7, 7].map(s));
    assert_eq!(report.verdict, Some(Verdict::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_setup_of_a_mix_that_fails_ends_the_run_and_what_was_set_up_before_is_torn_down() {
    let bench = Bench::new();
    let first = "
setup: [ { step: open, flip: a } ]
steps: [ { think: 1s } ]
teardown: [ { step: close, flip: a } ]";
    let second = "
setup: [ { step: fails, flip: a, expect: false } ]
steps: [ { think: 1s } ]
teardown: [ { step: close, flip: a } ]";
    let third = "
setup: [ { step: never, flip: a } ]
steps: [ { think: 1s } ]
teardown: [ { step: close, flip: a } ]";
    let spec = mixed(
        &bench,
        &[(first, 1), (second, 1), (third, 1)],
        "{ chats: 9 }",
    );
    let report = over(&bench.engine.start(spec)).await;
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.chats.started, 0);
    let passed: Vec<_> = report.steps.iter().map(|step| step.passed).collect();
    assert_eq!(passed, [1, 1, 0, 1, 0, 0]);
}

proptest! {
    #[test]
    fn any_window_of_a_period_has_the_shares_exactly(
        weights in prop::collection::vec(1_u64..20, 1..4),
        begin in 0_u64..1_000,
    ) {
        let bench = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = bench.enter();
        let bench = Bench::new();
        let members: Vec<_> = weights.iter().map(|weight| (FLIPS, *weight)).collect();
        let mix = mixed(&bench, &members, "{ chats: 1 }").mix;
        let period: u64 = weights.iter().sum();
        let mut counts = vec![0_u64; weights.len()];
        let mut next = vec![None; weights.len()];
        for chat in begin + 1..=begin + period {
            let turn = mix.turn(chat);
            counts[turn.index] += 1;
            // Those that do the same are numbered without a gap.
            let expected = next[turn.index].replace(turn.sequence + 1);
            prop_assert!(expected.is_none_or(|expected| expected == turn.sequence));
        }
        prop_assert_eq!(counts, weights);
    }
}
