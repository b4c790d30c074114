//! Files that somebody else cut, overwrote or replaced.

use std::{
    cmp::Ordering,
    fs::{self, File},
    path::Path,
};

use rusqlite::Connection;

use super::{MOST, database, kept, open, value, writer};
use crate::history::{
    directory::{log_of, path_in},
    figures::HistoryCounters,
    file::HistoryFile,
    write::Write,
};
use crate::testing::TemporaryFolder;

/// Damages the file of a writer that has written one run, and lets it write another one.
fn damaged(damage: impl FnOnce(&Path)) {
    let folder = TemporaryFolder::new();
    let path = path_in(folder.path());
    let (mut writer, figures) = writer(folder.path());
    let mut first = kept("first");
    // More than a file without any run has.
    first.report.load = "x".repeat(100_000);
    writer.keep(vec![Write::Ended(Box::new(first))]);
    // What is written last is in the log, and then in the file.
    let to_the_file = "PRAGMA wal_checkpoint(TRUNCATE)";
    let _: i64 = value(&database(folder.path()), to_the_file);
    writer.keep(vec![Write::Tidy]);
    assert!(fs::metadata(&path).unwrap().len() > 4_096);
    writer.keep(vec![Write::Ended(Box::new(kept("first")))]);
    let before = figures.now();
    assert_eq!((before.set_aside, before.lost), (0, 0));

    damage(&path);
    writer.keep(vec![Write::Ended(Box::new(kept("second")))]);
    let now = figures.now();
    assert_eq!(now.set_aside, 1);
    // The hour and the run that were written since the last look.
    assert_eq!(now.lost, 2);
    assert!(!now.broken, "what comes later is written again");
    let ids: String = value(
        &database(folder.path()),
        "SELECT group_concat(id) FROM runs",
    );
    assert_eq!(ids, "second");
    assert!(path.with_file_name("history.sqlite.damaged").exists());
}

fn cut_to(bytes: u64) {
    damaged(|path| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(bytes).unwrap();
    });
}

/// The bytes of a history with one run of this size.
fn another(bytes: usize) -> Vec<u8> {
    let folder = TemporaryFolder::new();
    let (mut writer, _) = writer(folder.path());
    let mut run = kept("foreign");
    run.report.load = "x".repeat(bytes);
    writer.keep(vec![Write::Ended(Box::new(run))]);
    drop(writer);
    fs::read(path_in(folder.path())).unwrap()
}

#[test]
fn a_file_that_is_overwritten_with_as_many_bytes_in_use_is_set_aside_and_counted() {
    damaged(|path| {
        let bytes = fs::metadata(path).unwrap().len();
        fs::write(path, vec![b'x'; usize::try_from(bytes).unwrap()]).unwrap();
    });
}

#[test]
fn a_file_that_is_overwritten_with_another_whole_one_in_use_is_set_aside_and_counted() {
    // A smaller one, one of the same size, a larger one.
    for (bytes, order) in [
        (10, Ordering::Less),
        (100_000, Ordering::Equal),
        (200_000, Ordering::Greater),
    ] {
        damaged(|path| {
            let other = another(bytes);
            let before = fs::metadata(path).unwrap().len();
            assert_eq!((other.len() as u64).cmp(&before), order);
            fs::write(path, other).unwrap();
        });
    }
}

#[test]
fn another_file_that_comes_between_a_look_and_the_note_is_found_with_the_next_look() {
    for bytes in [10, 100_000, 200_000] {
        let folder = TemporaryFolder::new();
        let mut file = open(folder.path(), MOST).unwrap();
        file.note();
        assert_eq!(file.damage(), None, "{bytes}");
        fs::write(path_in(folder.path()), another(bytes)).unwrap();
        // Behind the look with which the write began.
        file.note();
        assert!(file.damage().is_some(), "{bytes}");
    }
}

/// The files that a process leaves that was killed: the last of its runs are in the log alone.
fn killed(folder: &Path) {
    let killed = TemporaryFolder::new();
    let (mut writer, _) = writer(killed.path());
    for number in 0..6 {
        writer.keep(vec![Write::Ended(Box::new(kept(&format!("run-{number}"))))]);
        if number == 2 {
            let to_the_file = "PRAGMA wal_checkpoint(TRUNCATE)";
            let _: i64 = value(&database(killed.path()), to_the_file);
        }
    }
    let path = path_in(killed.path());
    for path in [log_of(&path), path] {
        assert!(fs::metadata(&path).unwrap().len() > 4_096);
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn what_a_killed_process_left_in_the_log_may_come_to_the_file_at_any_time() {
    // With the next write, or before it, when nothing but the log is written to the file.
    for first in [false, true] {
        let folder = TemporaryFolder::new();
        killed(folder.path());
        let mut file = open(folder.path(), MOST).unwrap();
        for _ in 0..2 {
            assert_eq!(file.damage(), None);
            if first {
                let change = file.connection.transaction().unwrap();
                file.generation.write_next(&change).unwrap();
                change.commit().unwrap();
                file.generation.advance();
            }
            let to_the_file = "PRAGMA wal_checkpoint(TRUNCATE)";
            let _: i64 = value(&file.connection, to_the_file);
            file.note();
            assert_eq!(file.damage(), None);
        }
        // Another one is found nevertheless.
        fs::write(path_in(folder.path()), another(100_000)).unwrap();
        file.note();
        assert!(file.damage().is_some());
    }
}

#[test]
fn another_file_is_found_where_somebody_wrote_over_sqlite_too() {
    damaged(|path| {
        let administrator = Connection::open(path).unwrap();
        administrator
            .execute_batch("PRAGMA user_version = 4")
            .unwrap();
        fs::write(path, another(10)).unwrap();
    });
}

#[test]
fn an_earlier_copy_that_is_put_back_in_use_is_set_aside_and_counted() {
    let folder = TemporaryFolder::new();
    let path = path_in(folder.path());
    let (mut writer, figures) = writer(folder.path());
    let mut copies = Vec::new();
    for _ in 0..2 {
        writer.keep(vec![Write::Ended(Box::new(kept("first")))]);
        let _: i64 = value(&database(folder.path()), "PRAGMA wal_checkpoint(TRUNCATE)");
        writer.keep(vec![Write::Tidy]);
        copies.push(fs::read(&path).unwrap());
    }
    assert_eq!(copies[0].len(), copies[1].len());
    assert_eq!(figures.now().set_aside, 0);
    fs::write(&path, &copies[0]).unwrap();
    writer.keep(vec![Write::Ended(Box::new(kept("second")))]);
    assert_eq!(figures.now().set_aside, 1);
    let ids: String = value(
        &database(folder.path()),
        "SELECT group_concat(id) FROM runs",
    );
    assert_eq!(ids, "second");
}

#[test]
fn another_file_that_is_moved_in_its_place_is_taken_over_without_the_log_of_the_one_before() {
    let folder = TemporaryFolder::new();
    let path = path_in(folder.path());
    let (mut writer, figures) = writer(folder.path());
    writer.keep(vec![Write::Ended(Box::new(kept("first")))]);
    assert!(fs::metadata(log_of(&path)).unwrap().len() > 0);
    let other = folder.path().join("other");
    fs::write(&other, another(200_000)).unwrap();
    fs::rename(other, &path).unwrap();
    writer.keep(vec![Write::Ended(Box::new(kept("second")))]);
    drop(writer);
    let found = database(folder.path());
    let ids = "SELECT group_concat(id, ' ') FROM (SELECT id FROM runs ORDER BY id)";
    assert_eq!(value::<String>(&found, ids), "foreign second");
    assert_eq!(value::<String>(&found, "PRAGMA integrity_check"), "ok");
    assert_eq!(figures.now().lost, 2, "the first run and its hour");
    assert!(folder.path().join("history.sqlite.damaged-wal").exists());
}

#[test]
fn a_file_that_is_cut_to_nothing_in_use_is_set_aside_and_counted() {
    cut_to(0);
}

#[test]
fn a_file_that_is_cut_to_its_first_page_in_use_is_set_aside_and_counted() {
    cut_to(4_096);
}

#[test]
fn a_file_that_an_administrator_made_smaller_is_whole() {
    let folder = TemporaryFolder::new();
    let (mut writer, figures) = writer(folder.path());
    writer.keep(vec![Write::Ended(Box::new(kept("first")))]);
    let administrator = database(folder.path());
    administrator
        .execute_batch(
            "CREATE TABLE more (text); INSERT INTO more VALUES (hex(randomblob(50000)));
             PRAGMA wal_checkpoint(TRUNCATE);",
        )
        .unwrap_or_default();
    writer.keep(vec![Write::Tidy]);
    let large = fs::metadata(path_in(folder.path())).unwrap().len();
    for statement in [
        "DROP TABLE more",
        "VACUUM",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        let mut statement = administrator.prepare(statement).unwrap();
        let mut rows = statement.query([]).unwrap();
        while rows.next().unwrap().is_some() {}
    }
    drop(administrator);
    assert!(fs::metadata(path_in(folder.path())).unwrap().len() < large);
    writer.keep(vec![Write::Tidy]);
    assert_eq!(figures.now().set_aside, 0);
    let runs: u64 = value(&database(folder.path()), "SELECT count(*) FROM runs");
    assert_eq!(runs, 1);
}

#[test]
fn a_log_that_was_deleted_in_use_makes_the_file_missing() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    assert!(!file.is_missing());
    fs::remove_file(folder.path().join("history.sqlite-wal")).unwrap();
    assert!(file.is_missing());
}

#[test]
fn where_0_or_1_bytes_are_left_a_new_file_begins_which_is_counted() {
    for left in ["", "S"] {
        let folder = TemporaryFolder::new();
        fs::write(path_in(folder.path()), left).unwrap();
        let figures = HistoryCounters::default();
        let file = HistoryFile::open(folder.path(), MOST, &figures).unwrap();
        assert_eq!(figures.now().set_aside, 1);
        let runs: u64 = value(&file.connection, "SELECT count(*) FROM runs");
        assert_eq!(runs, 0);
        let aside = folder.path().join("history.sqlite.damaged");
        assert!(!aside.exists(), "there is nothing in it to look at");
    }
    let folder = TemporaryFolder::new();
    let figures = HistoryCounters::default();
    drop(HistoryFile::open(folder.path(), MOST, &figures).unwrap());
    assert_eq!(figures.now().set_aside, 0, "the first file of a folder");
}

#[test]
fn the_log_of_a_file_of_which_nothing_is_left_is_kept_for_somebody_to_look_at() {
    let folder = TemporaryFolder::new();
    let log = folder.path().join("history.sqlite-wal");
    fs::write(path_in(folder.path()), "").unwrap();
    fs::write(log, "frames").unwrap();
    drop(open(folder.path(), MOST).unwrap());
    let aside = folder.path().join("history.sqlite.damaged-wal");
    assert_eq!(fs::read_to_string(aside).unwrap(), "frames");
}

#[test]
fn a_file_that_could_not_be_finished_is_not_taken_for_one_that_was_cut() {
    let folder = TemporaryFolder::new();
    // SQLite cannot write a page without its journal, like on a full disk.
    let obstacle = folder.path().join("history.sqlite.new-journal");
    fs::create_dir(&obstacle).unwrap();
    let figures = HistoryCounters::default();
    for _ in 0..2 {
        let opened = HistoryFile::open(folder.path(), MOST, &figures);
        assert!(opened.is_err());
        assert!(!path_in(folder.path()).exists());
    }
    fs::remove_dir(obstacle).unwrap();
    // What a process that was killed may have left.
    for left in ["history.sqlite.new", "history.sqlite.new-journal"] {
        fs::write(folder.path().join(left), "some bytes").unwrap();
    }
    HistoryFile::open(folder.path(), MOST, &figures).unwrap();
    assert_eq!(figures.now().set_aside, 0);
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["history.sqlite", "lock"]);
}

#[test]
fn a_log_whose_file_was_deleted_is_kept_and_not_written_to_the_new_file() {
    let folder = TemporaryFolder::new();
    let path = path_in(folder.path());
    let (mut writer, _) = writer(folder.path());
    writer.keep(vec![Write::Ended(Box::new(kept("first")))]);
    let log = fs::read(log_of(&path)).unwrap();
    drop(writer);
    fs::remove_file(&path).unwrap();
    fs::write(log_of(&path), &log).unwrap();
    let figures = HistoryCounters::default();
    let file = HistoryFile::open(folder.path(), MOST, &figures).unwrap();
    assert_eq!(figures.now().set_aside, 1);
    let runs: u64 = value(&file.connection, "SELECT count(*) FROM runs");
    assert_eq!(runs, 0);
    let aside = folder.path().join("history.sqlite.damaged-wal");
    assert_eq!(fs::read(aside).unwrap(), log);
}
