mod machine;

use std::fmt::Write as _;

use super::*;
use crate::{
    event::{RunEvent, RunObserver},
    load::Bracket,
    runner::{BrokenBy, OrderError, SearchOutcome, SearchReport, SearchStep},
    units::Rate,
};

const RATES: &str = "{ search: { from: 10/s, to: 100/s, hold: 3s } }";

/// Chats of a target that is done with each within 100 ms in the steps of this search in which it
/// is asked for no more than `capacity`, and takes `slow` for each of the others.
fn target(load: &str, capacity: f64, slow: &str) -> String {
    let bench = Bench::new();
    let search = *bench.spec(QUICK, load).load.search().unwrap();
    let mut bracket = Bracket::default();
    let (mut last, mut beyond) = (0, "false".to_owned());
    while let Some(level) = search.next(bracket) {
        let first = last;
        let crate::load::Shape::Arrivals(arrivals) = search.shape_at(level) else {
            panic!("{load}");
        };
        last += arrivals.total();
        if level.amount() <= capacity {
            bracket.held = Some(level);
        } else {
            bracket.broke = Some(level);
            let chats = format!(" or (chat.number > {first} and chat.number <= {last})");
            write!(beyond, "{chats}").unwrap();
        }
    }
    format!("steps: [ {{ think: '{{{{ \"{slow}\" if {beyond} else \"100ms\" }}}}' }} ]")
}

const QUICK: &str = "steps: [ { think: 100ms } ]";

fn bench(thresholds: &'static str) -> Bench {
    let mut bench = Bench::new();
    bench.thresholds = thresholds;
    bench
}

fn search(report: &RunReport) -> &SearchReport {
    report.search.as_ref().unwrap()
}

/// What each step asked for, and whether it held.
fn steps(report: &RunReport) -> Vec<(f64, bool)> {
    let steps = search(report).steps.iter();
    steps.map(|step| (step.load.amount, step.held)).collect()
}

fn broken(report: &RunReport) -> &SearchStep {
    let broken = search(report).steps.iter().find(|step| !step.held);
    broken.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_target_breaks_where_its_capacity_is_and_the_narrowing_ends() {
    let bench = bench("[ { p95: 500ms } ]");
    let report = bench.run(&target(RATES, 40.0, "900ms"), RATES).await;
    let expected = [
        (10.0, true),
        (15.0, true),
        (22.5, true),
        (33.8, true),
        (50.7, false),
        (41.4, false),
        (37.4, true),
        (39.3, true),
    ];
    assert_eq!(steps(&report), expected);
    let found = search(&report);
    assert_eq!(found.outcome, Some(SearchOutcome::Limit));
    let says = "39.3/s held, 41.4/s broke: broken: p95 <= 500 ms (measured: 90";
    assert!(found.summary.starts_with(says), "{}", found.summary);
    assert_eq!(found.held.as_ref().unwrap().text, "39.3/s");
    assert_eq!(found.broke.as_ref().unwrap().text, "41.4/s");
    assert_eq!(found.now, None);
    for step in &found.steps {
        let latency = &step.chat_duration;
        let p95 = latency.p95.unwrap();
        assert_eq!((p95 <= 0.5, step.failed), (step.held, 0), "{step:?}");
        #[expect(clippy::cast_precision_loss, reason = "some hundred chats")]
        let ended = latency.count as f64;
        // A step takes 3 s, of which 2 s are judged.
        assert!(
            (ended / 2.0 - step.ended_per_second).abs() < 1.0,
            "{step:?}"
        );
    }
    assert_eq!(report.verdict, Some(Verdict::Passed));
    assert_eq!(report.verdict_reasons, Vec::<String>::new());
    // Over the whole run the threshold is broken, which is what a search is for.
    assert_eq!(report.thresholds[0].state, ThresholdState::NotJudged);
}

#[tokio::test(start_paused = true)]
async fn each_step_starts_chats_at_its_rate_without_a_gap() {
    let bench = bench("[ { p95: 500ms } ]");
    bench
        .run(QUICK, "{ search: { from: 1/s, to: 2/s, hold: 3s } }")
        .await;
    let expected = [0, 1_000, 2_000, 3_000, 3_667, 4_333, 5_000, 5_667].map(ms);
    let starts = bench.heard.starts();
    for (start, expected) in starts.iter().zip(expected) {
        assert!(start.abs_diff(expected) < ms(2), "{starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn figures_of_a_step_forget_what_was_before_and_while_it_settled() {
    // The first ten chats take long, and the last of them ends before the first second is over.
    let slow_first = "steps: [ { think: '{{ \"400ms\" if chat.number <= 5 else \"10ms\" }}' } ]";
    let bench = bench("[ { max: 100ms }, { failed: 0% } ]");
    let report = bench.run(slow_first, RATES).await;
    assert_eq!(search(&report).outcome, Some(SearchOutcome::HeldToTheEnd));
    let first = &search(&report).steps[0];
    assert_eq!(first.thresholds[0].measured, "10 ms over 20");
    assert_eq!(first.thresholds[1].measured, "0 of 20");
    assert!((first.started_per_second - 10.0).abs() < 0.01, "{first:?}");
    assert!((first.ended_per_second - 10.0).abs() < 0.01, "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_chat_counts_in_the_step_in_which_it_ends() {
    // Chats of the first step end after 3.5 s, in the second's warm-up, or in its judged part.
    let long = "steps: [ { think: '{{ \"3500ms\" if chat.number <= 30 else \"10ms\" }}' } ]";
    let bench = bench("[ { max: 1s } ]");
    let report = bench.run(long, RATES).await;
    let nothing = "broken: max <= 1 s (measured: nothing)";
    assert_eq!(
        broken(&report).reasons,
        [nothing],
        "failures are never fast"
    );
    assert_eq!(
        search(&report).outcome,
        Some(SearchOutcome::NotEvenTheFirst)
    );
}

#[tokio::test(start_paused = true)]
async fn thresholds_of_steps_are_judged_by_those_that_ended_in_the_step() {
    let scenario = "
steps:
  - step: open
    http: { get: '{{ target.url }}/{{ 1 / 0 }}' }
";
    let bench = bench("[ { step: open, failed: 50% } ]");
    let report = bench.run(scenario, RATES).await;
    let reason = "broken: open failed <= 50% (measured: 20 of 20)";
    assert_eq!(broken(&report).reasons, [reason]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_step_is_drained_before_the_next_one_begins() {
    let bench = bench("[ { p95: 500ms } ]");
    let run = bench.start(&target(RATES, 16.0, "2s"), RATES);
    // 10/s and 15/s held, 22.5/s is asked for from second 6 to 9 and leaves 45 chats behind.
    sleep(ms(9_500)).await;
    let report = run.report();
    let found = report.search.as_ref().unwrap();
    assert_eq!(report.chats.in_progress, 34);
    assert_eq!(
        found.summary,
        "waiting for chats to end before 18.4/s; 15/s held, 22.5/s broke"
    );
    assert_eq!(found.now, None);
    let report = over(&run).await;
    assert_eq!(search(&report).steps[1].in_progress, 1);
    let starts = bench.heard.starts();
    let after: Vec<_> = starts.iter().filter(|start| **start > s(9)).collect();
    // The last one started at 8.96 and ends two seconds later, the one before as the rate says.
    assert!((ms(10_860)..ms(11_000)).contains(after[0]), "{after:?}");
    assert_eq!(search(&report).held.as_ref().unwrap().text, "15.8/s");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_does_not_drain_is_waited_for_no_longer_than_a_step() {
    let bench = bench("[ { p95: 500ms } ]");
    let report = bench.run(&target(RATES, 16.0, "30s"), RATES).await;
    let step = &search(&report).steps[2];
    assert_eq!(step.broken_by, Some(BrokenBy::Target));
    let left = "left 68 chats behind that did not end in time, with which the next step began";
    assert_eq!(step.reasons[1], left);
    let starts = bench.heard.starts();
    let next = starts.iter().find(|start| **start > s(9)).unwrap();
    assert_eq!(*next, s(12));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_breaks_is_found_to_hold_up_to_the_end() {
    let bench = bench("[ { p95: 500ms } ]");
    let report = bench.run(QUICK, RATES).await;
    assert_eq!(steps(&report).last(), Some(&(100.0, true)));
    assert_eq!(search(&report).outcome, Some(SearchOutcome::HeldToTheEnd));
    assert_eq!(search(&report).summary, "100/s held, up to the end");
    assert_eq!(search(&report).broke, None);
    assert_eq!(report.verdict, Some(Verdict::Passed));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_do_even_the_first_step_has_failed() {
    let bench = bench("[ { p95: 50ms } ]");
    let report = bench.run(QUICK, RATES).await;
    assert_eq!(steps(&report), [(10.0, false)]);
    let why = "not even the first step held; 10/s broke: \
               broken: p95 <= 50 ms (measured: 100 ms over 20)";
    assert_eq!(report.verdict_reasons, [why]);
    assert_eq!(
        search(&report).outcome,
        Some(SearchOutcome::NotEvenTheFirst)
    );
    assert_eq!(report.verdict, Some(Verdict::Failed));
    assert_eq!(report.chats.started, 30, "and the run has ended");
}

#[tokio::test(start_paused = true)]
async fn a_saturated_generator_ends_the_search_and_blames_nobody_else() {
    let bench = bench("[ { p95: 10s } ]");
    let run = bench.start(QUICK, RATES);
    // In the warm-up of the second step.
    sleep(ms(3_250)).await;
    tokio::time::advance(ms(700)).await;
    let report = over(&run).await;
    assert_eq!(steps(&report), [(10.0, true), (15.0, false)]);
    assert_eq!(broken(&report).broken_by, Some(BrokenBy::Generator));
    assert_eq!(search(&report).outcome, Some(SearchOutcome::Generator));
    assert_eq!(search(&report).held.as_ref().unwrap().text, "10/s");
    assert_eq!(search(&report).broke, None, "nobody knows");
    assert_eq!(report.verdict, Some(Verdict::Invalid));
    let why = report.verdict_reasons.join("\n");
    let says = "the load generator was saturated at 15/s, which says nothing about the target; 10/s held: \
                the load generator was saturated: chats started up to ";
    assert!(why.contains(says), "{why}");
}

#[tokio::test(start_paused = true)]
async fn chats_without_room_break_a_step_by_the_generator() {
    let bench = bench("[ { p95: 500ms } ]");
    let load = "{ search: { from: 10/s, to: 100/s, hold: 3s }, max_active: 2 }";
    let report = bench.run("steps: [ { think: 95ms } ]", load).await;
    let (last, held) = *steps(&report).last().unwrap();
    assert!(!held && last > 20.0, "{last}");
    let step = broken(&report);
    assert_eq!(step.broken_by, Some(BrokenBy::Generator));
    assert!(
        step.reasons[0].contains("due beyond `max_active` did not start"),
        "{step:?}"
    );
    assert!(report.chats.dropped > 0);
    assert_eq!(report.verdict, Some(Verdict::Invalid));
}

/// Breaks the task of the first chat that ends a step.
struct Saboteur(std::sync::Once);

impl RunObserver for Saboteur {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if matches!(event, RunEvent::StepEnded { .. }) {
            let mut first = false;
            self.0.call_once(|| first = true);
            assert!(!first, "a bug inside a chat");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_that_failed_on_this_machine_breaks_its_step_even_while_it_settles() {
    let mut bench = bench("[ { failed: 100% } ]");
    bench.hear_first(Arc::new(Saboteur(std::sync::Once::new())));
    let scenario = "
steps:
  - step: breaks
    http: { get: 'http://no address' }
";
    let report = bench.run(scenario, RATES).await;
    assert_eq!(steps(&report), [(10.0, false)]);
    let step = broken(&report);
    assert_eq!(step.broken_by, Some(BrokenBy::Generator));
    let why = "1 chat failed because chatprobe could not go on (reason `internal`)";
    assert_eq!(step.reasons, [why]);
    assert_eq!(report.verdict, Some(Verdict::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_threshold_with_abort_breaks_the_step_at_once_and_not_the_run() {
    let bench = bench("[ { p95: 500ms, abort: true } ]");
    let report = bench.run(&target(RATES, 16.0, "900ms"), RATES).await;
    assert_eq!(search(&report).outcome, Some(SearchOutcome::Limit));
    assert_eq!(report.verdict, Some(Verdict::Passed));
    // Twenty measurements are enough: 22.5/s is judged from second 7 on.
    let starts = bench.heard.starts();
    let asked = starts.iter().filter(|start| (s(6)..s(9)).contains(*start));
    assert!(
        (44..50).contains(&asked.clone().count()),
        "{:?}",
        asked.count()
    );
}

#[tokio::test(start_paused = true)]
async fn customers_are_searched_for_likewise() {
    // As many at once as there are, so the rest is slow.
    let bench = bench("[ { p95: 500ms } ]");
    let load = "{ search: { customers: { from: 2, to: 4 }, hold: 3s } }";
    let run = bench.start("steps: [ { think: 300ms } ]", load);
    sleep(ms(2_900)).await;
    assert_eq!(run.report().chats.in_progress, 2);
    sleep(ms(200)).await;
    assert_eq!(run.report().chats.in_progress, 3, "the third came at once");
    let report = over(&run).await;
    assert_eq!(steps(&report), [(2.0, true), (3.0, true), (4.0, true)]);
    let rate = search(&report).steps[1].started_per_second;
    assert!((8.9..10.6).contains(&rate), "{rate}");
    assert_eq!(search(&report).summary, "4 customers held, up to the end");
    assert_eq!(report.chats.most_in_progress, 4);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_search_without_an_outcome() {
    let bench = bench("[ { p95: 500ms } ]");
    let run = bench.start(QUICK, RATES);
    sleep(ms(4_050)).await;
    assert_eq!(run.search().unwrap(), "15/s, measuring; 10/s held");
    let over_all = &run.report().thresholds[0];
    assert_eq!(over_all.state, ThresholdState::NotJudged);
    run.order(by_operator(Stop::Finish)).await.unwrap();
    let report = over(&run).await;
    assert_eq!(report.verdict, Some(Verdict::Stopped));
    assert_eq!(search(&report).outcome, None);
    assert_eq!(
        search(&report).summary,
        "ended before it was through; 10/s held"
    );
    assert_eq!(steps(&report), [(10.0, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_begins_the_step_anew() {
    let bench = bench("[ { p95: 500ms } ]");
    let run = bench.start(QUICK, RATES);
    sleep(ms(4_450)).await;
    run.order(Order::Pause).await.unwrap();
    sleep(s(60)).await;
    assert_eq!(steps(&run.report()), [(10.0, true)]);
    run.order(Order::Resume).await.unwrap();
    sleep(ms(500)).await;
    assert_eq!(run.search().unwrap(), "15/s, warming up; 10/s held");
    let report = over(&run).await;
    let second = &search(&report).steps[1];
    assert_eq!(second.load.text, "15/s");
    let measured = &second.thresholds[0].measured;
    assert!(measured.ends_with(" over 30"), "{measured}");
    let resumed = ms(64_450);
    let starts = bench.heard.starts();
    let after: Vec<_> = starts.iter().filter(|start| **start >= resumed).collect();
    assert_eq!(*after[0], resumed);
    let step = after.iter().filter(|start| ***start < resumed + s(3));
    assert_eq!(step.count(), 45);
}

#[tokio::test(start_paused = true)]
async fn nobody_changes_the_load_of_a_search() {
    let bench = bench("[ { p95: 500ms } ]");
    let run = bench.start(QUICK, RATES);
    sleep(s(1)).await;
    let rate = Order::Rate(Rate::per_second(5.0).unwrap());
    for order in [rate, Order::Customers(5)] {
        assert_eq!(run.order(order).await, Err(OrderError::Searching));
    }
    run.order(by_operator(Stop::Finish)).await.unwrap();
    over(&run).await;
}

#[tokio::test(start_paused = true)]
async fn a_search_begins_after_the_setup() {
    let bench = bench("[ { p95: 500ms } ]");
    let scenario = "setup: [ { think: 5s } ]\nsteps: [ { think: 100ms } ]";
    let run = bench.start(scenario, RATES);
    sleep(ms(5_500)).await;
    assert_eq!(
        run.search().unwrap(),
        "10/s, warming up; nothing has held so far"
    );
    assert_eq!(search(&run.report()).now.as_ref().unwrap().text, "10/s");
    let report = over(&run).await;
    let first = &search(&report).steps[0];
    assert_eq!(first.thresholds[0].measured, "100 ms over 20");
}

#[tokio::test(start_paused = true)]
async fn other_loads_have_no_search() {
    let bench = Bench::new();
    let report = bench.run(QUICK, "{ chats: 1 }").await;
    assert_eq!(report.search, None);
}
