//! Tracks of a chat that go on side by side, as scenarios say so.

use hyper::HeaderMap;
use tokio::time::Instant;

use super::{traces::Explained, *};
use crate::{
    callbacks::Request,
    event::{Failure, StepOutcome},
    runner::{chat_state::ChatState, context::GracePeriod, track::Track},
    scenario::StepId,
};

/// When steps ended, by their names, and whether they passed.
fn ended(bench: &Bench, scenario: &str) -> Vec<(Duration, String, StepOutcome)> {
    let spec = bench.spec(scenario, "{ chats: 1 }");
    let steps = spec.mix.members()[0].chats.scenario.all_steps();
    let name = |id: StepId| steps[id.index()].name.to_string();
    bench.heard.pick(|at, note| match note {
        heard::Note::Step(step, outcome) => Some((at, name(*step), *outcome)),
        _ => None,
    })
}

fn failure(bench: &Bench) -> Failure {
    let endings = bench.heard.endings();
    match &endings[..] {
        [Ending::Failed(failure)] => failure.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn tracks_wait_for_each_others_captures_and_the_chat_goes_on_with_all_of_them() {
    let bench = Bench::new();
    let steps = "
correlation: [agent.said]
steps:
  - { step: first, flip: before, capture: { earlier: flipped } }
  - together:
      agent:
        - { wait_until: customer.chat_id, timeout: 10s }
        - { step: accepts, flip: '{{ customer.chat_id }}', capture: { said: flipped } }
        - { step: sees, flip: '{{ agent.said }}', expect: said == 'erofeb' and flipped == 'before' }
      customer:
        - think: 2s
        - { step: opens, flip: '{{ earlier | upper }}', capture: { chat_id: flipped | lower } }
        - think: 3s
        - { step: hears, flip: '{{ chat_id }}-{{ agent.said }}', expect: flipped == 'before-erofeb' }
  - { step: last, flip: '{{ customer.chat_id }}', expect: flipped == 'erofeb' }
always:
  - { step: ends, flip: '{{ agent.said }}', expect: passed and customer.chat_id is defined }
";
    let report = bench.run(steps, "{ chats: 2 }").await;
    assert_eq!(report.chats.passed, 2, "{report:#?}");
    for name in ["first", "accepts", "sees", "opens", "hears", "last", "ends"] {
        assert_eq!(step(&report, name), (2, vec![]), "{name}");
    }
    let at = |name: &str| {
        let ended = ended(&bench, steps);
        ended.iter().find(|(_, step, _)| step == name).unwrap().0
    };
    assert_eq!([at("accepts"), at("opens"), at("hears")], [2, 2, 5].map(s));
    assert_eq!(bench.heard.durations(), [s(5); 2]);
    let named = bench.heard.pick(|_, note| match note {
        heard::Note::Ended { correlation, .. } => Some(correlation.clone()),
        _ => None,
    });
    let name = vec![("agent.said".into(), "erofeb".to_owned())];
    assert_eq!(named, [name.clone(), name]);
}

const FAILS: &str = "
callbacks: { key: event.key }
steps:
  - together:
      customer:
        - { step: asks, flip: one, capture: { said: flipped }, claim: said }
        - { step: waits, wait_for: event.to == 'customer', timeout: 1h }
      thinker:
        - { think: 1h }
        - { step: late, flip: a }
      agent:
        - { think: 2s }
        - { step: fails, flip: '{{ customer.said }}', expect: flipped == 'two' }
  - { step: behind, flip: a }
always:
  - { step: ends, flip: '{{ customer.said }}', expect: not passed }
";

#[tokio::test(start_paused = true)]
async fn the_first_failure_ends_the_other_tracks_and_is_that_of_the_chat() {
    let mut bench = Bench::new();
    let explained = Arc::new(Explained::default());
    bench.hear_first(explained.clone());
    let report = bench.run(FAILS, "{ chats: 1 }").await;
    assert_eq!((report.chats.failed, report.chats.stopped), (1, 0));
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.ended_by, Some(EndedBy::Load));
    assert_eq!(&*failure(&bench).step, "fails");
    let ended = ended(&bench, FAILS);
    let stopped = (s(2), "waits".to_owned(), StepOutcome::Stopped);
    assert!(ended.contains(&stopped), "{ended:?}");
    assert_eq!(step(&report, "late"), (0, vec![]));
    assert_eq!(step(&report, "behind"), (0, vec![]));
    assert_eq!(step(&report, "ends"), (1, vec![]));
    assert_eq!(bench.heard.durations(), [s(2)]);
    // What it is explained with is in the order of time.
    let chats = explained.0.lock().unwrap();
    let steps = chats[0].trace.steps.iter();
    let shown: Vec<_> = steps
        .map(|step| (&*step.step, step.track.as_deref(), step.stopped))
        .collect();
    let expected = [
        ("asks", Some("customer"), false),
        ("waits", Some("customer"), true),
        ("fails", Some("agent"), false),
    ];
    assert_eq!(shown, expected);
    assert!(chats[0].trace.whole);
    drop(chats);
    drop(explained);
    assert_eq!(bench.engine.traces.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_and_the_deadline_of_a_chat_end_all_tracks() {
    let bench = Bench::new();
    let run = bench.start(FAILS, "{ chats: 1 }");
    sleep(s(1)).await;
    run.order(by_operator(Stop::AT_ONCE)).await.unwrap();
    let report = over(&run).await;
    assert_eq!((report.chats.failed, report.chats.stopped), (0, 1));
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!(stopped(&report, "waits"), 1);
    assert_eq!(bench.heard.durations(), [s(1)]);

    let bench = Bench::new();
    let report = bench
        .run(&format!("deadline: 1s{FAILS}"), "{ chats: 1 }")
        .await;
    assert_eq!(report.chats.failed_by_reason[&Reason::Timeout], 1);
    assert_eq!(bench.heard.durations(), [s(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_track_waits_for_in_vain_fails_it_in_time_or_as_soon_as_that_is_certain() {
    let other = "{ think: 5s }, { step: asks, flip: one, capture: { said: flipped } }";
    for (waits, other, after, why) in [
        (
            "{ wait_until: customer.said, timeout: 3s }",
            other,
            3,
            "did not hold within 3 s",
        ),
        (
            "{ wait_until: customer.said == 'two' }",
            other,
            5,
            "cannot hold any more",
        ),
        (
            "{ wait_until: customer.said == 'two' }",
            &format!("{other}, {{ wait_until: agent.never }}"),
            5,
            "cannot hold any more",
        ),
    ] {
        let bench = Bench::new();
        let steps = format!(
            "
steps:
  - together:
      agent: [ {waits}, {{ step: never, flip: a, capture: {{ never: flipped }} }} ]
      customer: [ {other} ]
"
        );
        let report = bench.run(&steps, "{ chats: 1 }").await;
        assert_eq!(
            report.chats.failed_by_reason[&Reason::Timeout],
            1,
            "{waits}"
        );
        assert_eq!(bench.heard.durations(), [s(after)], "{waits}");
        let failure = failure(&bench);
        assert_eq!(&*failure.step, "wait_until");
        assert!(failure.detail.contains(why), "{failure:?}");
        assert!(failure.detail.starts_with("test.yaml:5:"), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tracks_that_wait_for_each_other_in_turn_do_not_miss_a_capture() {
    let bench = Bench::new();
    let steps = "
steps:
  - together:
      one:
        - repeat: 50
          steps:
            - { step: ping, flip: '{{ repeat.index }}', capture: { sent: repeat.index } }
            - { wait_until: two.seen == repeat.index, timeout: 1s }
      two:
        - repeat: 50
          steps:
            - { wait_until: one.sent == repeat.index, timeout: 1s }
            - { step: pong, flip: a, capture: { seen: repeat.index } }
";
    let report = bench.run(steps, "{ chats: 20 }").await;
    assert_eq!(report.chats.passed, 20);
    assert_eq!(step(&report, "pong"), (1_000, vec![]));
    assert_eq!(bench.heard.durations(), [s(0); 20]);
}

#[tokio::test(start_paused = true)]
async fn a_track_goes_on_with_what_it_has_in_the_next_round() {
    let bench = Bench::new();
    let steps = "
steps:
  - repeat: 3
    steps:
      - { step: before, flip: a, capture: { round: repeat.index } }
      - together:
          customer:
            - step: counts
              flip: a
              capture: { seen: \"(seen | default('')) ~ round ~ repeat.index\" }
          agent:
            - { think: 1s }
            - { step: looks, flip: '{{ customer.seen }}', capture: { saw: customer.seen } }
        when: repeat.index != 2
  - { step: last, flip: '{{ agent.saw }}', expect: agent.saw == '1133' }
";
    let report = bench.run(steps, "{ chats: 2 }").await;
    assert_eq!(step(&report, "last"), (2, vec![]), "{:?}", report.failures);
    assert_eq!(bench.heard.durations(), [s(2); 2]);
}

#[tokio::test(start_paused = true)]
async fn tracks_of_a_chat_draw_sequences_of_their_own() {
    let steps = "
steps:
  - together:
      one: [ { think: { uniform: [0s, 1h] } }, { step: a, flip: a } ]
      two: [ { think: { uniform: [0s, 1h] } }, { step: b, flip: a } ]
";
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new();
        bench.run(steps, "{ chats: 1 }").await;
        let ended = ended(&bench, steps);
        assert_ne!(ended[0].0, ended[1].0);
        drawn.push(ended.into_iter().map(|step| step.0).collect::<Vec<_>>());
    }
    assert_eq!(drawn[0], drawn[1], "the same in each run with one seed");
}

#[tokio::test(start_paused = true)]
async fn a_wait_counts_from_a_step_of_another_track_once_that_has_passed() {
    let bench = Bench::new();
    let steps = "
callbacks: { key: event.key }
steps:
  - together:
      agent:
        - step: sees
          wait_for: event.to == 'agent'
          since: customer.hears
          timeout: 20s
          capture: { took: elapsed }
      customer:
        - { step: asks, flip: one, capture: { said: flipped }, claim: said }
        - { step: hears, wait_for: event.to == 'customer', timeout: 20s }
";
    let spec = bench.spec(steps, "{ chats: 1 }");
    let context = bench.context(spec);
    let scenario = context.chats.scenario.clone();
    let path = context.path.as_ref().unwrap().token().to_owned();
    let scope = context.scope().of_chat(1, "1");
    let chat = ChatState::of_chat(context, 1);
    let mut track = Track::new(&chat, scope, GracePeriod::None);
    let deliver = |to: &str, id: u64| {
        let headers = HeaderMap::new();
        let body = serde_json::json!({ "key": "eno", "to": to, "id": id }).to_string();
        let request = Request::post(&headers, body);
        let arrival = crate::arrival::Arrival::unstamped();
        let exchange = &bench.engine.exchange;
        exchange.deliver(&path, arrival, &request).unwrap();
    };
    let began = Instant::now();
    let events = async {
        sleep(s(1)).await;
        // Before the step that it would answer.
        deliver("agent", 1);
        sleep(s(3)).await;
        deliver("customer", 2);
        sleep(s(2)).await;
        deliver("agent", 3);
    };
    let (result, ()) = tokio::join!(track.perform_all(&scenario.steps), events);
    result.unwrap();
    assert_eq!(began.elapsed(), s(6));
    let took = track.scope().captured("agent.took");
    assert_eq!(took, Some(2.0.into()));
}
