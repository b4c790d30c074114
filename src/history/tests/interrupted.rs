use std::{collections::BTreeMap, time::Duration};

use rusqlite::params;

use super::{MOST, open, record, value};
use crate::{
    event::Fate,
    history::{figures::Figures, open_chats, rows::Rest, tidy},
    runner::{HealthReport, MachineSample, MeanAndMost, RunReport, Sample, StepSample},
    scenario::Reason,
};

#[test]
fn a_run_that_was_cut_off_knows_why_chats_failed_what_became_of_events_and_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = open(folder.path(), MOST).unwrap();
    let mut report = record(0, 0).report;
    report.precision = Some(0.5);
    report.clear_counts();
    assert_eq!(
        (report.precision, &report.machine),
        (None, &HealthReport::default())
    );
    let report = serde_json::to_string(&report).unwrap();
    let insert = "INSERT INTO runs VALUES ('r', 'burst', 'n', 'running', ?, NULL)";
    file.connection.execute(insert, [report]).unwrap();
    for number in 0..2 {
        let reasons = BTreeMap::from([(Reason::Timeout, 2), (Reason::Connect, number)]);
        let sample = Sample {
            failed: 2 + number,
            failed_by_reason: reasons.clone(),
            received: 5,
            by_fate: [(Fate::Consumed, 3), (Fate::Late, 1)].into(),
            steps: vec![StepSample {
                failed: 2 + number,
                failed_by_reason: reasons,
                ..StepSample::default()
            }],
            machine: Some(MachineSample {
                cpu_user: 1.0,
                host_busy: 0.5,
                files: 10 + number,
                ..MachineSample::default()
            }),
            ..Sample::default()
        };
        let sample = serde_json::to_string(&sample).unwrap();
        let insert = "INSERT INTO samples VALUES ('r', ?, ?, NULL)";
        file.connection
            .execute(insert, params![number, sample])
            .unwrap();
    }
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let report: String = value(&file.connection, "SELECT report FROM runs");
    let report: RunReport = serde_json::from_str(&report).unwrap();
    let reasons = BTreeMap::from([(Reason::Timeout, 4), (Reason::Connect, 1)]);
    assert_eq!(report.chats.failed_by_reason, reasons);
    assert_eq!(report.steps[0].failed_by_reason, reasons);
    let fates = BTreeMap::from([(Fate::Consumed, 6), (Fate::Late, 2)]);
    assert_eq!(report.books.by_fate, fates);
    assert_eq!(report.books.waiting, 2);
    assert_eq!(report.machine.cpus.mean, Some(1.0));
    assert_eq!(report.machine.files.most, Some(11.0));
    // No second has it.
    assert_eq!(report.machine.sockets, MeanAndMost::default());
}

#[test]
fn the_chats_that_were_open_are_all_kept_as_long_as_their_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 10 * MOST).unwrap();
    let mut report = record(0, 0).report;
    report.clear_counts();
    let report = serde_json::to_string(&report).unwrap();
    let filling = file.connection.transaction().unwrap();
    let insert = "INSERT INTO runs VALUES ('1', 'burst', 'n', 'running', ?, NULL)";
    filling.execute(insert, [report]).unwrap();
    let insert = "INSERT INTO open_chats VALUES (?, ?, '{\"key\":\"v\"}')";
    for chat in 1..=1_500 {
        filling.execute(insert, params!["1", chat]).unwrap();
    }
    filling.execute(insert, params!["of no run", 1]).unwrap();
    filling.commit().unwrap();
    drop(file);
    // Whoever opens it later finds them too.
    drop(open(folder.path(), 10 * MOST).unwrap());
    let mut file = open(folder.path(), 10 * MOST).unwrap();
    let report: String = value(&file.connection, "SELECT report FROM runs");
    let report: RunReport = serde_json::from_str(&report).unwrap();
    assert_eq!((report.orphans.len(), report.orphans_total), (1_000, 1_500));
    let page = |after, limit| {
        let page = open_chats::list(&file.connection, "1", after, limit, &Figures::default());
        let chats = page.unwrap().entries.into_iter();
        chats.map(|orphan| orphan.chat).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 2]);
    assert_eq!(page(Some(1_498), 10), [1_499, 1_500]);
    assert_eq!(page(Some(u64::MAX), 10), [0; 0]);
    assert_eq!(page(None, 10_000).len(), 1_500);
    let wall = Some(tidy::Reading::now().wall);
    tidy::tidy(&mut file.connection, wall, Duration::from_hours(1), MOST).unwrap();
    let left: u64 = value(&file.connection, "SELECT count(*) FROM open_chats");
    assert_eq!(left, 0, "they go with the run");
}

#[test]
fn a_file_that_is_full_is_opened_with_the_run_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 10 * MOST).unwrap();
    let mut report = record(0, 0).report;
    report.clear_counts();
    let report = serde_json::to_string(&report).unwrap();
    let sample = serde_json::to_string(&Sample::default()).unwrap();
    let filling = file.connection.transaction().unwrap();
    let insert = "INSERT INTO runs VALUES ('r', 'burst', 'n', 'running', ?, NULL)";
    filling.execute(insert, [report]).unwrap();
    for number in 0..4_000 {
        let insert = "INSERT INTO samples VALUES ('r', ?, ?, NULL)";
        filling.execute(insert, params![number, sample]).unwrap();
    }
    filling.commit().unwrap();
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let rest: String = value(
        &file.connection,
        "SELECT rest FROM runs WHERE state = 'interrupted'",
    );
    let rest: Rest = serde_json::from_str(&rest).unwrap();
    assert_eq!(rest.samples.len(), 4_000);
}
