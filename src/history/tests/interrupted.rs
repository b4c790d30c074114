use std::{collections::BTreeMap, time::Duration};

use rusqlite::{Connection, params};
use serde_json::json;

use super::{MOST, begun, earlier, open, value};
use crate::{
    event::{EndedBy, Fate},
    history::{figures::HistoryCounters, open_chats, rows::Rest, tidy},
    runner::{
        ChatCounts, MachineSample, MeanAndMost, RunReport, Sample, StepSample, ThresholdState,
    },
    scenario::{Observation, Reason},
    testing::TemporaryFolder,
};

const IN_PROGRESS: &str = "INSERT INTO runs VALUES (?, 'burst', 'n', 'running', ?, NULL)";

fn report_of(connection: &Connection) -> RunReport {
    let report: String = value(connection, "SELECT report FROM runs");
    serde_json::from_str(&report).unwrap()
}

/// Forty chats began until the last second ended: 25 of them are in progress, and one that has ended is still open.
fn half_way() -> RunReport {
    let mut report = begun();
    report.chats = ChatCounts {
        started: 40,
        passed: 10,
        failed: 4,
        stopped: 1,
        in_progress: 25,
        most_in_progress: 25,
        ..ChatCounts::default()
    };
    report.steps[0].observes = Some(Observation::AgentJoin);
    report.steps[0].resent = 3;
    report.load_changed_to = Some("rate: 9/s".to_owned());
    report.precision = Some(0.5);
    report.elapsed_seconds = 12.0;
    report.thresholds = ["held", "broken", "pending"]
        .map(|state| json!({ "threshold": "t", "state": state, "measured": "m" }))
        .map(|threshold| serde_json::from_value(threshold).unwrap())
        .into();
    report
}

#[test]
fn a_run_that_was_cut_off_is_as_it_was_at_its_last_second_and_every_open_chat_was_in_progress() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let before = half_way();
    let text = serde_json::to_string(&before).unwrap();
    file.connection
        .execute(IN_PROGRESS, params!["r", text])
        .unwrap();
    let insert = "INSERT INTO open_chats VALUES ('r', ?, '{}', ?)";
    let open_chat = |chat: u64, why: Option<&str>| {
        file.connection.execute(insert, params![chat, why]).unwrap();
    };
    open_chat(0, None);
    open_chat(3, Some("no step closed it"));
    // One in progress has no name yet, and three began after the last second.
    (17..=40)
        .chain(41..=43)
        .for_each(|chat| open_chat(chat, None));
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let report = report_of(&file.connection);
    let chats = &report.chats;
    assert_eq!((chats.started, chats.in_progress), (43, 28));
    assert_eq!(chats.most_in_progress, 28);
    assert_eq!((chats.passed, chats.failed, chats.stopped), (10, 4, 1));
    assert_eq!(report.orphans_total, 29);
    let why = |chat| {
        let orphan = report.orphans.iter().find(|orphan| orphan.chat == chat);
        orphan.unwrap().why.as_deref()
    };
    assert_eq!(
        why(0),
        Some("the process ended before the teardown was over")
    );
    assert_eq!((why(3), why(41)), (Some("no step closed it"), None));
    let [by, numbers] = &report.verdict_reasons[..] else {
        panic!("{:?}", report.verdict_reasons);
    };
    assert_eq!(by, "the process ended under it");
    assert!(
        numbers.contains("28 chats in progress, 27 with"),
        "{numbers}"
    );
    // The total explains itself.
    let total = "with ended chats and what the setup made, 29 may be open";
    assert!(numbers.contains(total), "{numbers}");
    assert!(
        numbers.contains("its last second that was kept"),
        "{numbers}"
    );
    assert_eq!(report.ended_by, Some(EndedBy::Crash));
    let states = report.thresholds.iter().map(|threshold| threshold.state);
    let (held, broken) = (ThresholdState::Held, ThresholdState::Broken);
    assert!(states.eq([held, broken, ThresholdState::NotJudged]));
    assert_eq!(report.steps, before.steps);
    assert_eq!(report.load_changed_to, before.load_changed_to);
    assert_eq!(report.precision, before.precision);
    assert!((report.elapsed_seconds - 12.0).abs() < f64::EPSILON);
}

#[test]
fn counts_at_the_end_of_their_range_are_kept_and_leave_the_file_usable() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let mut report = half_way();
    report.chats = ChatCounts {
        started: u64::MAX,
        passed: u64::MAX,
        in_progress: u64::MAX,
        dropped: 1,
        ..ChatCounts::default()
    };
    let report = serde_json::to_string(&report).unwrap();
    file.connection
        .execute(IN_PROGRESS, params!["r", report])
        .unwrap();
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let chats = report_of(&file.connection).chats;
    assert_eq!((chats.started, chats.in_progress), (u64::MAX, u64::MAX));
}

#[test]
fn a_run_of_which_no_second_was_kept_says_so() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let text = serde_json::to_string(&begun()).unwrap();
    let insert = |query: &str, text: &str| file.connection.execute(query, ["r", text]).unwrap();
    insert(IN_PROGRESS, &text);
    insert("INSERT INTO open_chats VALUES (?, 1, ?, NULL)", "{}");
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let report = report_of(&file.connection);
    let numbers = &report.verdict_reasons[1];
    assert!(numbers.contains("no second of it was kept"), "{numbers}");
    assert!(!numbers.contains("last second"), "{numbers}");
    assert!(numbers.contains("1 chat in progress, 1 with"), "{numbers}");
    assert!(!numbers.contains("the setup made"), "{numbers}");
}

#[test]
fn a_run_that_was_told_to_end_before_the_process_did_says_by_whom() {
    for (by, says) in [
        (EndedBy::Shutdown, "the service was shut down"),
        (EndedBy::Operator, "an operator"),
    ] {
        let folder = TemporaryFolder::new();
        let file = open(folder.path(), MOST).unwrap();
        let mut report = half_way();
        report.ended_by = Some(by);
        let report = serde_json::to_string(&report).unwrap();
        file.connection
            .execute(IN_PROGRESS, params!["r", report])
            .unwrap();
        drop(file);
        let file = open(folder.path(), MOST).unwrap();
        let report = report_of(&file.connection);
        assert_eq!(report.ended_by, Some(by));
        let why = &report.verdict_reasons[0];
        assert!(why.contains(says), "{why}");
        assert!(
            why.contains("the process ended before the run did"),
            "{why}"
        );
    }
}

#[test]
fn a_run_of_an_earlier_chatprobe_is_what_its_seconds_add_up_to() {
    let folder = TemporaryFolder::new();
    let file = earlier(folder.path(), 4);
    let report = serde_json::to_string(&begun()).unwrap();
    file.execute(IN_PROGRESS, params!["r", report]).unwrap();
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
                host_busy: Some(0.5),
                memory_bytes: Some(1_000 + number),
                files: Some(10 + number),
                ..MachineSample::default()
            }),
            ..Sample::default()
        };
        let sample = serde_json::to_string(&sample).unwrap();
        let insert = "INSERT INTO samples VALUES ('r', ?, ?, NULL)";
        file.execute(insert, params![number, sample]).unwrap();
    }
    drop(file);
    let file = open(folder.path(), MOST).unwrap();
    let report = report_of(&file.connection);
    let reasons = BTreeMap::from([(Reason::Timeout, 4), (Reason::Connect, 1)]);
    assert_eq!(report.chats.failed_by_reason, reasons);
    assert_eq!(report.steps[0].failed_by_reason, reasons);
    let fates = BTreeMap::from([(Fate::Consumed, 6), (Fate::Late, 2)]);
    assert_eq!(report.events.by_fate, fates);
    assert_eq!(report.events.waiting, 2);
    assert_eq!(report.machine.cpus.mean, Some(1.0));
    assert_eq!(report.machine.files.most, Some(11.0));
    assert_eq!(report.machine.memory_bytes.mean, Some(1_000.5));
    // No second has it.
    assert_eq!(report.machine.sockets, MeanAndMost::default());
}

#[test]
fn the_chats_that_were_open_are_all_kept_as_long_as_their_run() {
    let folder = TemporaryFolder::new();
    let mut file = open(folder.path(), 10 * MOST).unwrap();
    let report = serde_json::to_string(&begun()).unwrap();
    let filling = file.connection.transaction().unwrap();
    let insert = "INSERT INTO runs VALUES ('0', 'burst', 'n', 'running', ?, NULL)";
    filling.execute(insert, [report]).unwrap();
    let insert = "INSERT INTO open_chats (run, chat, correlation) VALUES (?, ?, '{\"key\":\"v\"}')";
    for chat in 1..=1_500 {
        filling.execute(insert, params!["0", chat]).unwrap();
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
        let page = open_chats::list(
            &file.connection,
            "0",
            after,
            limit,
            &HistoryCounters::default(),
        );
        let chats = page.unwrap().entries.into_iter();
        chats.map(|orphan| orphan.chat).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 2]);
    assert_eq!(page(Some(1_498), 10), [1_499, 1_500]);
    assert_eq!(page(Some(u64::MAX), 10), [0; 0]);
    assert_eq!(page(None, 10_000).len(), 1_500);
    let wall = Some(tidy::ClockReading::now().wall);
    tidy::tidy(&mut file.connection, wall, Duration::from_hours(1), MOST).unwrap();
    let left: u64 = value(&file.connection, "SELECT count(*) FROM open_chats");
    assert_eq!(left, 0, "they go with the run");
}

#[test]
fn a_file_that_is_full_is_opened_with_the_run_that_was_cut_off() {
    let folder = TemporaryFolder::new();
    let mut file = open(folder.path(), 10 * MOST).unwrap();
    let report = serde_json::to_string(&begun()).unwrap();
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
