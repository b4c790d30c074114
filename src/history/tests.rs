use std::{
    collections::BTreeMap, fs::Permissions, os::unix::fs::PermissionsExt as _, sync::Arc,
    time::Duration,
};

use proptest::prelude::*;
use rusqlite::{Connection, params};

use super::{
    baselines,
    excerpt::Excerpt,
    figures::Figures,
    file::{HistoryError, HistoryFile, MIGRATIONS, path_in},
    hours::ProbeHour,
    open_chats::{self, OpenChats},
    rows::Rest,
    tidy,
    writer::{Write, Writer},
};
use crate::{
    config::{Data, Target},
    event::{Beginning, Ending, Event, Fate, Mode, Observer, RunIdentity, Subject, Trigger},
    runner::{
        HealthReport, MachineSample, MeanAndMost, Quantiles, RunRecord, RunReport, RunState,
        Sample, StepSample,
    },
    scenario::Reason,
};

const MOST: u64 = 1_000_000;

fn run() -> Arc<RunIdentity> {
    let subject = Subject {
        scenario: "chat".into(),
        target: "eu".into(),
        mode: Mode::Burst,
    };
    Arc::new(RunIdentity::new("burst".into(), subject, Trigger::Api))
}

#[test]
fn a_folder_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = HistoryFile::open(folder.path(), MOST).unwrap();
    let second = HistoryFile::open(folder.path(), MOST);
    assert!(matches!(second, Err(HistoryError::Taken(_))));
    drop(first);
    assert!(HistoryFile::open(folder.path(), MOST).is_ok());
}

#[test]
fn what_is_kept_is_for_its_owner_alone_and_a_folder_that_was_there_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let file = std::fs::metadata(folder.path().join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    assert_eq!(mode(""), 0o755);
    for name in [
        "lock",
        "history.sqlite",
        "history.sqlite-wal",
        "history.sqlite-shm",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    drop(file);
}

#[test]
fn a_file_that_was_moved_or_replaced_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = HistoryFile::open(&data, MOST).unwrap();
    assert!(!file.is_missing());
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&data, &elsewhere).unwrap();
    assert!(file.is_missing());
    let other = HistoryFile::open(&data, MOST).unwrap();
    assert!(file.is_missing() && !other.is_missing());
    drop(other);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&elsewhere, &data).unwrap();
    assert!(!file.is_missing(), "it is back");
}

#[test]
fn a_file_of_a_later_chatprobe_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    file.connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(file);
    let error = HistoryFile::open(folder.path(), MOST).err().unwrap();
    assert!(matches!(error, HistoryError::TooNew { version: 99, .. }) && !error.is_damage());
    assert!(path_in(folder.path()).exists());
}

#[test]
fn a_file_of_an_earlier_chatprobe_is_opened_with_the_run_that_it_had_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Connection::open(path_in(folder.path())).unwrap();
    earlier.execute_batch(MIGRATIONS[0]).unwrap();
    earlier.pragma_update(None, "user_version", 1).unwrap();
    let mut report = record(0, 0).report;
    report.clear_counts();
    let report = serde_json::to_string(&report).unwrap();
    let insert = "INSERT INTO runs VALUES ('r', 'burst', 'n', 'running', ?, NULL)";
    earlier.execute(insert, [report]).unwrap();
    for number in 0..2 {
        let step = StepSample {
            passed: 3,
            ..StepSample::default()
        };
        let sample = Sample {
            started: 3,
            passed: 3,
            received: 5,
            steps: vec![step],
            ..Sample::default()
        };
        let sample = serde_json::to_string(&sample).unwrap();
        let insert = "INSERT INTO samples VALUES ('r', ?, ?)";
        earlier.execute(insert, params![number, sample]).unwrap();
    }
    drop(earlier);

    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    let version: usize = file
        .connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, MIGRATIONS.len());
    let row = file
        .connection
        .query_row("SELECT report, rest FROM runs", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
    let (report, rest) = row.unwrap();
    let report: RunReport = serde_json::from_str(&report).unwrap();
    assert_eq!(report.state, RunState::Interrupted);
    assert_eq!((report.chats.passed, report.steps[0].passed), (6, 6));
    // Nobody knows whether any of them waits.
    assert_eq!((report.books.received, report.books.waiting), (10, 0));
    // It has kept no histograms, so that nothing is said about them.
    assert_eq!(report.steps[0].latency, Quantiles::default());
    let rest: Rest = serde_json::from_str(&rest).unwrap();
    assert_eq!((rest.samples.len(), rest.batches.len()), (2, 0));
}

#[test]
fn a_run_that_was_cut_off_knows_why_chats_failed_what_became_of_events_and_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
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
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    let report = "SELECT report FROM runs";
    let report: String = file
        .connection
        .query_row(report, [], |row| row.get(0))
        .unwrap();
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
    let mut file = HistoryFile::open(folder.path(), 10 * MOST).unwrap();
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
    drop(HistoryFile::open(folder.path(), 10 * MOST).unwrap());
    let mut file = HistoryFile::open(folder.path(), 10 * MOST).unwrap();
    let report = "SELECT report FROM runs";
    let report: String = file
        .connection
        .query_row(report, [], |row| row.get(0))
        .unwrap();
    let report: RunReport = serde_json::from_str(&report).unwrap();
    assert_eq!((report.orphans.len(), report.orphans_total), (1_000, 1_500));
    let page = |after, limit| {
        let page = open_chats::list(&file.connection, "1", after, limit).unwrap();
        let chats = page.iter().map(|orphan| orphan.chat);
        chats.collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), [1, 2]);
    assert_eq!(page(Some(1_498), 10), [1_499, 1_500]);
    assert_eq!(page(Some(u64::MAX), 10), [0; 0]);
    assert_eq!(page(None, 10_000).len(), 1_500);
    let wall = Some(tidy::Reading::now().wall);
    tidy::tidy(&mut file.connection, wall, Duration::from_hours(1), MOST).unwrap();
    let left = "SELECT count(*) FROM open_chats";
    let left: u64 = file
        .connection
        .query_row(left, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0, "they go with the run");
}

#[test]
fn a_file_that_is_full_is_opened_with_the_run_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = HistoryFile::open(folder.path(), 10 * MOST).unwrap();
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
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    let rest = "SELECT rest FROM runs WHERE state = 'interrupted'";
    let rest: String = file
        .connection
        .query_row(rest, [], |row| row.get(0))
        .unwrap();
    let rest: Rest = serde_json::from_str(&rest).unwrap();
    assert_eq!(rest.samples.len(), 4_000);
}

#[test]
fn what_is_too_old_goes_and_what_is_in_progress_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = HistoryFile::open(folder.path(), MOST).unwrap();
    let now = run().id.clone();
    for (id, rest) in [
        ("00000000001-a", Some("{}")),
        ("00000000001-b", None),
        (&*now, Some("{}")),
    ] {
        let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', '{}', ?)";
        file.connection.execute(insert, params![id, rest]).unwrap();
    }
    let named = "INSERT INTO runs VALUES ('00000000000-a', 'burst', 'n', 'ended', '{}', '{}')";
    file.connection.execute(named, []).unwrap();
    let name = baselines::Change::Set {
        name: "release".to_owned(),
        run: "00000000000-a".to_owned(),
    };
    baselines::apply(&mut file.connection, &name, MOST).unwrap();
    let hour = "INSERT INTO probe_hours VALUES ('n', 's', 't', ?, '{}')";
    file.connection.execute(hour, [0]).unwrap();
    file.connection.execute(hour, [i64::MAX]).unwrap();
    let wall = Some(tidy::Reading::now().wall);
    tidy::tidy(&mut file.connection, wall, Duration::from_hours(1), MOST).unwrap();
    let mut query = file
        .connection
        .prepare("SELECT id FROM runs ORDER BY id")
        .unwrap();
    let left = query.query_map([], |row| row.get(0)).unwrap();
    let left: Vec<String> = left.map(Result::unwrap).collect();
    assert_eq!(left, ["00000000000-a", "00000000001-b", &now]);
    let hours: u64 = file
        .connection
        .query_row("SELECT count(*) FROM probe_hours", [], |row| row.get(0))
        .unwrap();
    assert_eq!(hours, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_leaps_forward_is_doubted_for_a_day() {
    const MINUTE: Duration = Duration::from_mins(1);
    const MONTH: Duration = Duration::from_hours(30 * 24);
    let folder = tempfile::tempdir().unwrap();
    let mut clock = HistoryFile::open(folder.path(), MOST).unwrap().clock;
    let mut now = tidy::Reading::now();
    assert_eq!(clock.believe(now), Some(now.wall), "the file is new");
    let mut pass = |steady: Duration, wall: Duration| {
        now.steady += steady;
        now.wall += wall;
        now
    };
    // It is set right by a little, or the service was busy for long.
    for (steady, wall) in [
        (MINUTE, 59 * MINUTE),
        (600 * MINUTE, 600 * MINUTE),
        (MINUTE, Duration::ZERO),
    ] {
        let reading = pass(steady, wall);
        assert_eq!(clock.believe(reading), Some(reading.wall));
    }
    let before = pass(MINUTE, MINUTE);
    assert!(clock.believe(before).is_some());
    assert_eq!(clock.believe(pass(MINUTE, MONTH)), None);
    for _ in 1..24 * 60 {
        assert_eq!(clock.believe(pass(MINUTE, MINUTE)), None);
    }
    // It leaps again, and what it was between does not count.
    assert_eq!(clock.believe(pass(MINUTE, MONTH)), None);
    for _ in 1..24 * 60 {
        assert_eq!(clock.believe(pass(MINUTE, MINUTE)), None);
    }
    let reading = pass(MINUTE, MINUTE);
    assert_eq!(clock.believe(reading), Some(reading.wall));
}

#[test]
fn a_clock_that_is_far_beyond_the_newest_row_at_the_start_empties_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    let hour = "INSERT INTO probe_hours VALUES ('n', 's', 't', 7200, '{}')";
    file.connection.execute(hour, []).unwrap();
    drop(file);
    let settings = Data {
        keep: Duration::from_hours(1),
        ..Data::default()
    };
    let figures = Arc::<Figures>::default();
    let mut writer = Writer::new(folder.path().to_owned(), &settings, figures);
    writer.keep(vec![Write::Tidy]);
    let connection = Connection::open(path_in(folder.path())).unwrap();
    let left = "SELECT count(*) FROM probe_hours";
    let left: u64 = connection.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[test]
fn half_of_a_value_at_the_end_of_what_was_kept_is_not_shown() {
    let target = Target::new("t", "http://127.0.0.1:9");
    let values = ["confidential-value".to_owned()];
    let redaction = target.redaction_besides(&values);
    let excerpt = |text: &str, length| {
        let text = text.to_owned().into();
        Excerpt::of(&Beginning { text, length }, &redaction).text
    };
    assert_eq!(excerpt("it is confidential-val", 1_000), "it is ");
    assert_eq!(excerpt("it is confidential-value", 24), "it is ***");
    assert_eq!(excerpt("it is public", 12), "it is public");
}

proptest! {
    #[test]
    fn what_is_shown_has_no_part_of_a_value(
        before in "[xyz]{0,3000}", value in "[a-w]{30,3000}", kept in 0_usize..4_096,
    ) {
        let target = Target::new("t", "http://127.0.0.1:9");
        let whole = format!("{before}{value}");
        let text = whole.as_bytes()[..kept.min(whole.len())].to_vec();
        let values = [value.clone()];
        let beginning = Beginning { text: text.into(), length: whole.len() };
        let shown = Excerpt::of(&beginning, &target.redaction_besides(&values));
        prop_assert!(shown.text.len() <= 2_048 + '…'.len_utf8());
        prop_assert!(!shown.text.contains(|c: char| c.is_ascii_lowercase() && c < 'x'), "{}", shown.text);
    }
}

/// The chats that are open after these changes, by their number.
fn apply(open: &mut BTreeMap<u64, String>, write: Write) {
    let Write::Chats { opened, closed } = write else {
        panic!("other changes");
    };
    for opened in opened {
        open.insert(opened.chat, opened.correlation[0].1.clone());
    }
    for (_, chat) in closed {
        open.remove(&chat);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Name(u64, String),
    End(u64),
    Offer { taken: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u64, "[ab]").prop_map(|(chat, name)| Step::Name(chat, name)),
        (0..5_u64).prop_map(Step::End),
        any::<bool>().prop_map(|taken| Step::Offer { taken }),
    ]
}

proptest! {
    #[test]
    fn open_chats_are_those_that_have_a_name_and_no_end(steps in prop::collection::vec(step(), 0..40)) {
        let chats = OpenChats::new(Arc::<Figures>::default());
        let run = run();
        let (mut written, mut real, mut over) = (BTreeMap::new(), BTreeMap::new(), [false; 5]);
        for step in steps.into_iter().chain([Step::Offer { taken: true }]) {
            match step {
                // A chat that has ended does nothing any more.
                Step::Name(chat, _) | Step::End(chat) if over[usize::try_from(chat).unwrap()] => {}
                Step::Name(chat, name) => {
                    real.insert(chat, name.clone());
                    let correlation = vec![("key".into(), name)];
                    chats.observe(&Event::ChatNamed { run: run.clone(), chat, correlation });
                }
                Step::End(chat) => {
                    real.remove(&chat);
                    over[usize::try_from(chat).unwrap()] = true;
                    chats.observe(&Event::ChatEnded {
                        run: run.clone(),
                        chat,
                        ending: Ending::Passed,
                        duration: Duration::ZERO,
                        correlation: vec![("key".into(), "a".to_owned())],
                    });
                }
                Step::Offer { taken: true } => chats.offer(|write| {
                    apply(&mut written, write);
                    Ok(())
                }),
                Step::Offer { taken: false } => chats.offer(Err),
            }
        }
        prop_assert_eq!(written, real);
    }
}

/// Of a probe whose chat passed or failed.
fn record(passed: u64, micros: u64) -> RunRecord {
    let mut record: serde_json::Value = serde_json::from_str(RECORD).unwrap();
    let readings = serde_json::json!({ "mean": 0.0, "most": 0.0 });
    let names = [
        "cpus",
        "host_busy",
        "cpus_missing",
        "files",
        "sockets",
        "run_queue",
    ];
    let mut machine: serde_json::Map<_, _> = names
        .map(|name| (name.to_owned(), readings.clone()))
        .into_iter()
        .collect();
    machine.insert("thread_lag".to_owned(), serde_json::json!({ "count": 0 }));
    record["report"]["machine"] = machine.into();
    record["report"]["chats"]["passed"] = passed.into();
    record["report"]["chats"]["failed"] = (1 - passed).into();
    if passed == 0 {
        record["report"]["chats"]["failed_by_reason"] = serde_json::json!({ "timeout": 1 });
    } else {
        record["chat_duration"] = serde_json::json!([[micros, 1]]);
        record["steps"]["say"] = serde_json::json!([[micros, 1]]);
    }
    serde_json::from_value(record).unwrap()
}

#[test]
fn a_probe_is_counted_once_even_if_its_history_cannot_be_tidied() {
    let folder = tempfile::tempdir().unwrap();
    let file = HistoryFile::open(folder.path(), MOST).unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE DELETE ON probe_hours \
                   BEGIN SELECT raise(ABORT, 'not today'); END";
    file.connection.execute_batch(refusal).unwrap();
    // The clock is right, as the newest run says.
    let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', '{}', '{}')";
    file.connection.execute(insert, [&run().id]).unwrap();
    drop(file);
    let figures = Arc::<Figures>::default();
    let settings = Data {
        directory: None,
        keep: Duration::from_hours(1),
        max_bytes: MOST,
    };
    let mut writer = Writer::new(folder.path().to_owned(), &settings, figures.clone());
    writer.keep(vec![Write::Ended(Box::new(record(1, 1_000))), Write::Tidy]);
    let now = figures.now();
    assert_eq!((now.written, now.lost, now.tidy_failed), (1, 0, 1));
    let connection = Connection::open(path_in(folder.path())).unwrap();
    let hour = "SELECT sums FROM probe_hours";
    let hour: String = connection.query_row(hour, [], |row| row.get(0)).unwrap();
    let hour: ProbeHour = serde_json::from_str(&hour).unwrap();
    assert_eq!(hour.runs, 1);
}

#[test]
fn an_hour_of_a_probe_is_the_sum_of_its_runs() {
    let mut hour = ProbeHour::default();
    for record in [
        record(1, 1_000),
        record(0, 0),
        record(1, 1_000),
        record(1, 5_000),
    ] {
        hour.add(&record);
    }
    assert_eq!((hour.runs, hour.passed, hour.failed), (4, 3, 1));
    assert_eq!(
        hour.failed_by_reason
            .into_iter()
            .map(|(reason, count)| (reason.as_str(), count))
            .collect::<Vec<_>>(),
        [("timeout", 1)]
    );
    let buckets: Vec<_> = hour.chat_duration.buckets().collect();
    let of = |micros, count| (Duration::from_micros(micros), count);
    assert_eq!(buckets, [of(1_000, 2), of(5_000, 1)]);
    assert_eq!(hour.steps["say"].latency, hour.chat_duration);
}

/// Of a probe that did nothing.
const RECORD: &str = r#"{
    "report": {
        "id": "r", "name": "p", "scenario": "s", "target": "t", "mode": "probe", "trigger": "interval",
        "state": "ended", "verdict": "passed", "verdict_reasons": [], "load": "", "load_changed_to": null,
        "search": null, "doubts": [], "inputs": {}, "seed": 1, "started_at": "2026-05-04T10:59:59Z",
        "elapsed_seconds": 1.0,
        "chats": { "started": 1, "passed": 0, "failed": 0, "failed_by_reason": {}, "stopped": 0,
            "in_progress": 0, "most_in_progress": 1, "dropped": 0 },
        "chat_duration": { "count": 0 },
        "steps": [{ "step": "say", "passed": 1, "failed": 0, "failed_by_reason": {}, "latency": { "count": 0 } }],
        "thresholds": [],
        "books": { "received": 0, "by_fate": {}, "waiting": 0, "differences": [] },
        "start_lateness": { "count": 0 }, "send_lateness": { "count": 0 }, "connection_wait": { "count": 0 }, "scheduler_lag": { "count": 0 },
        "machine": null,
        "failures": []
    },
    "samples": [], "chat_duration": [], "steps": { "say": [] }
}"#;
