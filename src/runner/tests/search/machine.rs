//! A step of a search tells a saturated machine from a saturated target.

use super::*;
use crate::vitals::{Beat, Load, Vitals};

/// A search with the usual budget, of which a machine of the test's own tells how it was.
fn bench_on_a_machine() -> (Bench, Vitals) {
    let mut bench = bench("[ { p95: 10s } ]");
    let machine = Vitals::silent();
    bench.engine.vitals = machine.clone();
    bench.engine.budget = HealthBudget::default();
    (bench, machine)
}

fn beat(late: Duration, cpus: f64, cpu_wait: f64) -> Beat {
    let load = Load {
        user: cpus,
        cpu_wait: Some(cpu_wait),
        ..Load::default()
    };
    Beat {
        late,
        load: Some(load),
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stood_still_during_a_step_is_to_blame_for_it() {
    let (bench, machine) = bench_on_a_machine();
    // Steps that do not end with a heartbeat of the run.
    let load = "{ search: { from: 10/s, to: 100/s, hold: 3020ms } }";
    let run = bench.start(QUICK, load);
    // In the second step, and a moment before it is judged.
    sleep(ms(6_030)).await;
    machine.note(beat(ms(1_200), 1.0, 0.0));
    let report = over(&run).await;
    assert_eq!(steps(&report), [(10.0, true), (15.0, false)]);
    assert_eq!(broken(&report).broken_by, Some(BrokenBy::Generator));
    let says = "the generator stood still for 1.20 s (the budget is 1 s)";
    assert_eq!(broken(&report).reasons, [says]);
    assert_eq!(search(&report).outcome, Some(SearchOutcome::Generator));
    assert_eq!(report.verdict, Some(Verdict::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_kept_its_cpus_during_a_step_is_to_blame_for_it() {
    let (bench, machine) = bench_on_a_machine();
    let run = bench.start(QUICK, RATES);
    // Over the whole run it had most of what it wanted, over the third step it had not.
    for (cpus, cpu_wait) in [(5.0, 0.0), (5.0, 0.0), (0.5, 1.5)] {
        sleep(ms(2_900)).await;
        machine.note(beat(ms(1), cpus, cpu_wait));
    }
    let report = over(&run).await;
    assert_eq!(steps(&report), [(10.0, true), (15.0, true), (22.5, false)]);
    let says = "the load generator was saturated: it wanted 2.0 CPUs and got 0.5 (the budget for CPU wait is 60%)";
    assert!(broken(&report).reasons[0].contains(says), "{report:?}");
    assert_eq!(broken(&report).broken_by, Some(BrokenBy::Generator));
    assert_eq!(search(&report).held.as_ref().unwrap().text, "15/s");
}

#[tokio::test(start_paused = true)]
async fn how_the_machine_was_before_a_step_is_not_held_against_it() {
    let (bench, machine) = bench_on_a_machine();
    // Before the run, and within the budget later.
    machine.note(beat(s(30), 0.0, 9.0));
    let run = bench.start(QUICK, RATES);
    sleep(ms(4_000)).await;
    machine.note(beat(ms(900), 1.0, 1.0));
    let report = over(&run).await;
    assert_eq!(search(&report).outcome, Some(SearchOutcome::HeldToTheEnd));
    assert_eq!(report.verdict, Some(Verdict::Passed));
}
