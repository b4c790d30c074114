//! Rows that chats take.

use super::*;
use crate::scenario::Table;

/// The specification of a run over these rows, with the second step of each chat failing on purpose.
fn spec(bench: &Bench, take: &str, csv: &str, load: &str) -> RunSpec {
    let scenario = format!(
        "
rows: {{ accounts: {{ file: a.csv, take: {take} }} }}
steps:
  - {{ step: uses, flip: '{{{{ rows.accounts.password | reverse }}}}', expect: chat.number != 3, capture: {{ said: flipped }} }}
  - {{ step: number, flip: a, expect: rows.accounts.n | int == (chat.number - 1) % 4 }}
  - {{ think: 1s }}
"
    );
    let mut spec = bench.spec(&scenario, load);
    let mut chats = spec.mix.members()[0].chats.clone();
    // Nobody else holds the scenario any more.
    spec.mix = bench.spec("steps: [ { think: 1s } ]", load).mix;
    let scenario = Arc::get_mut(&mut chats.scenario).unwrap();
    let problems = Problems::default();
    for source in scenario.rows.iter_mut() {
        source.fill(Table::read(csv.as_bytes(), 0).unwrap(), &problems);
    }
    assert_eq!(problems.into_result(), Ok(()));
    spec.mix = Mix::of_one(chats);
    spec
}

const FOUR: &str = "n,password\n0,S-zero-0\n1,S-one-1\n2,S-two-2\n3,S-three-3\n";

#[tokio::test(start_paused = true)]
async fn a_run_whose_rows_run_out_ends_as_invalid_once_its_chats_have_ended() {
    let bench = Bench::new();
    for load in [
        "{ rate: 4/s, for: 10s }",
        "{ chats: 5 }",
        "{ customers: 2, for: 10s }",
    ] {
        let run = bench.engine.start(spec(&bench, "once", FOUR, load));
        let report = over(&run).await;
        assert_eq!(report.chats.started, 4, "{load}");
        assert_eq!((report.chats.passed, report.chats.failed), (3, 1), "{load}");
        assert_eq!(step(&report, "number"), (3, vec![]), "{load}");
        assert_eq!(report.verdict, Some(Verdict::Invalid), "{load}");
        let why = report.verdict_reasons.join(" ");
        assert!(
            why.contains("rows ran out: `accounts` has 4 rows"),
            "{load}: {why}"
        );
    }
    let run = bench
        .engine
        .start(spec(&bench, "once", FOUR, "{ chats: 4 }"));
    assert_eq!(over(&run).await.verdict, Some(Verdict::Failed));
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_taken_in_turn_do_not_run_out_and_secrets_in_them_are_hidden() {
    let bench = Bench::new();
    let run = bench
        .engine
        .start(spec(&bench, "cycle", FOUR, "{ chats: 9 }"));
    let report = over(&run).await;
    assert_eq!((report.chats.passed, report.chats.failed), (8, 1));
    let failure = &report.failures[0];
    assert_eq!((&*failure.step, failure.chat), ("uses", 3));
    let shown = format!("{failure:?}");
    assert!(shown.contains("flipped to ***"), "{shown}");
    assert!(!shown.contains("S-two-2"), "{shown}");
}
