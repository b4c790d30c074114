//! Ends of runs for which the disk has no space at first.

use std::{fs, sync::Arc, time::Duration};

use tokio::time::advance;

use super::{MOST, database, kept, value, writer};
use crate::{history::write::Write, testing::TemporaryFolder};

fn end(id: &str) -> Write {
    let mut record = kept(id);
    // More than is left on the pages that the file has already.
    record.report.load = "x".repeat(100_000);
    Write::Ended(Box::new(record))
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_is_written_once_the_disk_has_room_again() {
    let folder = TemporaryFolder::new();
    let (mut writer, figures) = writer(folder.path());
    writer.keep(vec![Write::Tidy]);
    // In progress, so that nothing can be deleted for others.
    let other = database(folder.path());
    let fill = "INSERT INTO runs VALUES ('0', 'burst', 'n', 'running', zeroblob(?), NULL)";
    other.execute(fill, [2 * MOST]).unwrap();
    writer.keep(vec![end("1"), end("2")]);
    let now = figures.now();
    assert_eq!((now.written, now.lost, now.broken), (0, 0, true));
    other.execute("DELETE FROM runs", []).unwrap();
    writer.keep(Vec::new());
    assert_eq!(figures.now().written, 4, "two runs, and an hour twice");
    assert!(!figures.now().broken);
    let ids: String = value(&other, "SELECT group_concat(id) FROM runs");
    assert_eq!(ids, "1,2");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_is_written_once_there_is_a_folder_for_it_and_other_rows_are_lost() {
    let folder = TemporaryFolder::new();
    let data = folder.path().join("data");
    fs::write(&data, "a file where a folder should be").unwrap();
    let (mut writer, figures) = writer(&data);
    let begun = Write::Begun(Arc::new(kept("0").report));
    writer.keep(vec![begun, end("1")]);
    assert_eq!(figures.now().lost, 1, "its begin alone");
    fs::remove_file(&data).unwrap();
    advance(Duration::from_secs(31)).await;
    writer.keep(Vec::new());
    assert_eq!((figures.now().lost, figures.now().broken), (1, false));
    let runs: u64 = value(
        &database(&data),
        "SELECT count(*) FROM runs WHERE rest IS NOT NULL",
    );
    assert_eq!(runs, 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_run_is_tried_once_more_at_shutdown_however_short_ago_the_folder_was_missing()
{
    let folder = TemporaryFolder::new();
    let data = folder.path().join("data");
    fs::write(&data, "a file where a folder should be").unwrap();
    let (mut writer, figures) = writer(&data);
    writer.keep(vec![end("1")]);
    fs::remove_file(&data).unwrap();
    writer.give_up();
    let now = figures.now();
    assert_eq!((now.written, now.lost, now.broken), (2, 0, false));
    let runs: u64 = value(&database(&data), "SELECT count(*) FROM runs");
    assert_eq!(runs, 1);
}
