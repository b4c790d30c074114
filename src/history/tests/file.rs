use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use rusqlite::params;
use serde_json::json;

use super::{MOST, begun, earlier, open};
use crate::{
    history::{HistoryError, directory::path_in, rows::Rest, schema::MIGRATIONS},
    runner::{MachineSample, Quantiles, RunReport, RunState, Sample, StepSample},
    testing::TemporaryFolder,
};

#[test]
fn a_folder_has_one_owner_at_a_time() {
    let folder = TemporaryFolder::new();
    let first = open(folder.path(), MOST).unwrap();
    let second = open(folder.path(), MOST);
    assert!(matches!(second, Err(HistoryError::Taken(_))));
    drop(first);
    assert!(open(folder.path(), MOST).is_ok());
}

#[test]
fn what_is_kept_is_for_its_owner_alone_and_a_folder_that_was_there_stays_as_it_is() {
    let folder = TemporaryFolder::new();
    let mode = |name: &str| {
        let file = std::fs::metadata(folder.path().join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let file = open(folder.path(), MOST).unwrap();
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
    let folder = TemporaryFolder::new();
    let data = folder.path().join("data");
    let file = open(&data, MOST).unwrap();
    assert!(!file.is_missing());
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&data, &elsewhere).unwrap();
    assert!(file.is_missing());
    let other = open(&data, MOST).unwrap();
    assert!(file.is_missing() && !other.is_missing());
    drop(other);
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&elsewhere, &data).unwrap();
    assert!(!file.is_missing(), "it is back");
}

#[test]
fn a_file_of_a_later_chatprobe_is_left_alone() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    file.connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(file);
    let error = open(folder.path(), MOST).err().unwrap();
    assert!(matches!(error, HistoryError::TooNew { version: 99, .. }) && !error.is_damage());
    assert!(path_in(folder.path()).exists());
}

#[test]
fn a_file_of_an_earlier_chatprobe_is_opened_with_the_run_that_it_had_in_progress() {
    let folder = TemporaryFolder::new();
    let earlier = earlier(folder.path(), 1);
    let report = serde_json::to_string(&begun()).unwrap();
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

    let file = open(folder.path(), MOST).unwrap();
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
    assert_eq!((report.events.received, report.events.waiting), (10, 0));
    // It has kept no histograms, so that nothing is said about them.
    assert_eq!(report.steps[0].latency, Quantiles::default());
    let rest: Rest = serde_json::from_str(&rest).unwrap();
    assert_eq!((rest.samples.len(), rest.batches.len()), (2, 0));
}

#[test]
fn a_report_is_read_with_the_names_that_earlier_versions_gave_its_fields() {
    let report = begun();
    let mut earlier = serde_json::to_value(&report).unwrap();
    let machine = earlier["machine"].as_object_mut().unwrap();
    let cpu_wait = machine.remove("cpu_wait").unwrap();
    machine.insert("cpus_missing".to_owned(), cpu_wait);
    let fields = earlier.as_object_mut().unwrap();
    for (name, before) in [("events", "books"), ("warnings", "doubts")] {
        let value = fields.remove(name).unwrap();
        fields.insert(before.to_owned(), value);
    }
    let read: RunReport = serde_json::from_value(earlier).unwrap();
    let [read, report] = [read, report].map(|report| serde_json::to_value(report).unwrap());
    assert_eq!(read, report);
    let sample = json!({ "cpu_user": 1.0, "cpu_system": 0.5, "cpus_missing": 0.25 });
    let sample: MachineSample = serde_json::from_value(sample).unwrap();
    assert_eq!(sample.cpu_wait, Some(0.25));
}
