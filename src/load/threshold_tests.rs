use proptest::prelude::*;

use super::*;
use crate::{document::parse, load::testing::messages};

const STEPS: [&str; 2] = ["agent_join", "send_chat"];

const KNOWN: ThresholdSubjects<'static> = ThresholdSubjects {
    scenario: "s",
    steps: &STEPS,
    deliveries: true,
};

fn read(text: &str, problems: &Problems) -> Vec<Threshold> {
    Threshold::read_list(&parse("a.yaml", text).unwrap(), Some(&[KNOWN]), problems)
}

fn threshold(text: &str) -> Threshold {
    let problems = Problems::default();
    let list = read(&format!("[ {text} ]"), &problems);
    assert_eq!(problems.into_result(), Ok(()), "{text}");
    list[0].clone()
}

fn refused(text: &str) -> Vec<String> {
    let problems = Problems::default();
    assert_eq!(read(text, &problems), []);
    messages(problems)
}

fn latency(millis: u64, of: u64) -> Measured {
    Measured::Latency {
        value: Duration::from_millis(millis),
        of,
    }
}

fn share(failed: u64, of: u64) -> Measured {
    Measured::Share { failed, of }
}

#[test]
fn a_threshold_is_read_as_it_is_written() {
    let written = [
        "{ p95: 15s }",
        "{ step: agent_join, p99: 1m30s, abort: true }",
        "{ failed: 1%, abort: true }",
        "{ step: ask, mean: 20ms }",
        "{ deliveries: true, p99: 500ms }",
        "{ lost: 0.1%, abort: true }",
    ];
    let problems = Problems::default();
    let node = parse("t.yaml", &format!("[{}]", written.join(", "))).unwrap();
    let known = ThresholdSubjects {
        scenario: "s",
        steps: &["agent_join", "ask"],
        ..KNOWN
    };
    let read = Threshold::read_list(&node, Some(&[known]), &problems);
    assert_eq!(problems.into_result(), Ok(()));
    let again: Vec<_> = read.iter().map(Threshold::written).collect();
    assert_eq!(again, written);
}

#[test]
fn thresholds_are_read_and_shown() {
    for (text, shown) in [
        ("{ step: agent_join, p95: 10s }", "agent_join p95 <= 10 s"),
        ("{ failed: 1%, abort: true }", "failed <= 1%"),
        (
            "{ step: send_chat, failed: 0.5% }",
            "send_chat failed <= 0.5%",
        ),
        ("{ failed: 7% }", "failed <= 7%"),
        ("{ p99: 60s }", "p99 <= 1 min"),
        ("{ p50: 1s }", "p50 <= 1 s"),
        ("{ p90: 250ms }", "p90 <= 250 ms"),
        ("{ max: 2m }", "max <= 2 min"),
        ("{ mean: 3s, abort: false }", "mean <= 3 s"),
        ("{ deliveries: true, max: 2s }", "deliveries max <= 2 s"),
        ("{ deliveries: true, lost: 1% }", "lost <= 1%"),
        ("{ deliveries: false, p99: 1s }", "p99 <= 1 s"),
        ("{ lost: 0% }", "lost <= 0%"),
    ] {
        assert_eq!(threshold(text).to_string(), shown);
    }
    let join = threshold("{ step: agent_join, p95: 10s, abort: true }");
    let subject = ThresholdSubject::Step("agent_join".to_owned());
    assert_eq!(*join.subject(), subject);
    assert!(join.abort());
    assert_eq!(
        join.measure(),
        Measure::Latency {
            statistic: Statistic::P95,
            limit: Duration::from_secs(10)
        }
    );
    let failed = threshold("{ failed: 1% }");
    assert_eq!(*failed.subject(), ThresholdSubject::Chats);
    assert!(!failed.abort());
}

#[test]
fn bad_thresholds_are_told_all_at_once() {
    let text = "\
- { step: agent_jion, p95: 10s }
- { p95: 10s, failed: 1% }
- { step: send_chat }
- { p95: 0s }
- { failed: 0.01 }
- { failed: 1%, abort: yes }
- { max: 5s, stp: send_chat }
- { step: 5, p95: fast }
- p95
- { step: nowhere_near, max: 5s }
- { step: send_chat, lost: 1% }
- { deliveries: true, failed: 1% }
- { deliveries: false, lost: 1% }
- { deliveries: soon, p50: 1s }
";
    assert_eq!(
        refused(text),
        [
            "a.yaml:1:11: no step is called `agent_jion`; did you mean `agent_join`?",
            "a.yaml:2:3: `p95` and `failed` exclude each other; keep one of them",
            "a.yaml:3:3: one of the keys `p50`, `p90`, `p95`, `p99`, `max`, `mean`, `failed`, \
             `lost` is missing here",
            "a.yaml:4:10: expected a duration above zero, found `0s`",
            "a.yaml:5:13: `0.01` is not a share; write for instance `1%` or `0.5%`",
            "a.yaml:6:24: expected `true` or `false`, found text",
            "a.yaml:7:14: unknown key `stp`; did you mean `step`?",
            "a.yaml:8:11: expected the name of a step, found a number",
            "a.yaml:8:19: `fast` is not a duration; write for instance `250ms`, `5s` or `1m30s`",
            "a.yaml:9:3: expected a threshold such as `{ p95: 10s }`, found text",
            "a.yaml:10:11: no step is called `nowhere_near`",
            "a.yaml:11:11: deliveries belong to no step: leave out `step`",
            "a.yaml:12:3: deliveries do not fail, they are lost: say `lost`",
            "a.yaml:13:3: `lost` is about deliveries, and `deliveries` is false",
            "a.yaml:14:17: expected `true` or `false`, found text",
        ]
    );
    assert_eq!(
        refused("{ p95: 10s }"),
        ["a.yaml:1:1: expected a list of thresholds such as `{ p95: 10s }`, found a mapping"]
    );
}

#[test]
fn a_latency_holds_up_to_its_limit() {
    let p95 = threshold("{ p95: 10s }");
    assert_eq!(p95.judge(latency(10_000, 1)), Judgement::Held);
    assert_eq!(p95.judge(latency(10_001, 1)), Judgement::Broken);
    assert_eq!(p95.judge(Measured::Nothing), Judgement::NoData);
    assert_eq!(p95.judge(share(1, 1)), Judgement::NoData);
}

#[test]
fn a_share_holds_up_to_its_limit() {
    let failed = threshold("{ failed: 1% }");
    assert_eq!(failed.judge(share(1, 100)), Judgement::Held);
    assert_eq!(failed.judge(share(2, 199)), Judgement::Broken);
    assert_eq!(failed.judge(share(0, 0)), Judgement::NoData);
    assert_eq!(failed.judge(Measured::Nothing), Judgement::NoData);
    let none = threshold("{ failed: 0% }");
    assert_eq!(none.judge(share(0, 1)), Judgement::Held);
    assert_eq!(none.judge(share(1, 1_000_000_000)), Judgement::Broken);
}

#[test]
fn a_handful_of_chats_ends_no_run() {
    let failed = threshold("{ failed: 1%, abort: true }");
    assert!(!failed.may_abort(share(19, 19), None));
    assert!(failed.may_abort(share(1, 20), None));
    assert!(!failed.may_abort(share(1, 100), None));
    let slow = threshold("{ p95: 10s, abort: true }");
    assert!(!slow.may_abort(latency(60_000, 19), Some(19)));
    assert!(slow.may_abort(latency(60_000, 20), None));
    assert!(!slow.may_abort(Measured::Nothing, None));
}

#[test]
fn a_few_chats_end_a_run_that_cannot_recover() {
    let failed = threshold("{ failed: 1%, abort: true }");
    assert!(!failed.may_abort(share(3, 3), Some(300)));
    assert!(failed.may_abort(share(4, 4), Some(300)));
}

#[test]
fn without_abort_no_run_is_ended() {
    let failed = threshold("{ failed: 1% }");
    assert!(!failed.may_abort(share(100, 100), Some(100)));
}

proptest! {
    #[test]
    fn exactly_the_share_holds_and_one_more_breaks_it(tenths in 0_u64..1000, of in 1_u64..1_000_000) {
        let whole = of * 1000;
        let failed = threshold(&format!("{{ failed: {}.{}% }}", tenths / 10, tenths % 10));
        prop_assert_eq!(failed.judge(share(tenths * of, whole)), Judgement::Held);
        prop_assert_eq!(failed.judge(share(tenths * of + 1, whole)), Judgement::Broken);
    }
}

#[test]
fn a_scenario_without_deliveries_has_no_threshold_about_them() {
    let without = ThresholdSubjects {
        deliveries: false,
        ..KNOWN
    };
    for (text, expected) in [
        ("[ { lost: 1% } ]", 1),
        ("[ { deliveries: true, p50: 1s } ]", 1),
        ("[ { deliveries: false, p50: 1s } ]", 0),
    ] {
        let problems = Problems::default();
        let node = parse("a.yaml", text).unwrap();
        let read = Threshold::read_list(&node, Some(&[without]), &problems);
        assert_eq!(
            (read.len(), problems.count()),
            (1 - expected, expected),
            "{text}"
        );
    }
    // What is not known of a scenario may be there.
    let problems = Problems::default();
    let node = parse("a.yaml", "[ { lost: 1% }, { step: any, p50: 1s } ]").unwrap();
    assert_eq!(Threshold::read_list(&node, None, &problems).len(), 2);
}
