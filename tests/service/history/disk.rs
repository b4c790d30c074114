//! A disk that is full, hangs, or has something else in place of what was kept.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{DATA, assert_sound, database, ended, ids, read, rows, serve_in, sum};
use crate::support::{Centre, Folder, PROBE, Process, QUICK, Service, eventually, plain};

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_begins() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    folder.write("data/history.sqlite", &"this is no database ".repeat(1_000));
    let mut service = serve_in(folder, &plain(&centre.url, DATA)).await;
    let told = service.process.line("the history is damaged").await;
    assert!(told.contains("history.sqlite.damaged"), "{told}");
    let run = service.burst("{ chats: 2 }", QUICK, "").await;
    ended(&service, &run).await;
    service
        .when("the file that was set aside", |metrics| {
            metrics.count("chatprobe_history_files_set_aside_total", &[]) == 1
        })
        .await;
    service.process.finish().await;
    assert!(
        service
            .folder
            .read("data/history.sqlite.damaged")
            .starts_with("this is no")
    );
    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    let report = read(&service, &format!("/api/v1/runs/{run}")).await;
    assert_eq!(report["chats"]["passed"], 2);
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_makes_the_file_leaves_nothing_that_looks_cut() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain(&centre.url, DATA));
    // The write that makes a file larger than so many blocks of 512 bytes ends the process (SIGXFSZ).
    for blocks in [0, 1, 2, 8, 16, 32, 64] {
        let limits = format!("-c 0; ulimit -f {blocks}");
        let mut process = Process::start_limited(&limits, &["serve", "--config", &file]);
        let killed = eventually("the end of the process", async || {
            (!process.is_running()).then_some(())
        });
        killed.await;
        let empty = std::fs::metadata(folder.path("data/history.sqlite"));
        assert!(empty.is_err() || empty.unwrap().len() > 0, "{blocks}");
    }
    let mut service = serve_in(folder, &plain(&centre.url, DATA)).await;
    let log = service.process.log();
    assert!(!log.contains("cut") && !log.contains("damaged"), "{log}");
    let metrics = service.metrics().await;
    assert_eq!(
        metrics.count("chatprobe_history_files_set_aside_total", &[]),
        0
    );
    let run = service.burst("{ chats: 2 }", QUICK, "").await;
    ended(&service, &run).await;
    service.process.finish().await;
    assert_eq!(rows(&database(&service.folder), "runs"), 1);
}

#[tokio::test]
async fn a_file_that_is_overwritten_by_another_one_in_use_is_set_aside() {
    let centre = Centre::start("{}").await;
    let mut other = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    let foreign = other.burst("{ chats: 200 }", QUICK, "").await;
    ended(&other, &foreign).await;
    other.process.finish().await;

    let mut service = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    // Told behind the first round of tidying, which begins with the service; nothing writes from then on.
    service
        .when("the size of the file", |metrics| {
            let size = metrics.find("chatprobe_history_size_bytes", &[]);
            size.is_some_and(|bytes| bytes > 0.0)
        })
        .await;
    let path = service.folder.path("data/history.sqlite");
    let size = std::fs::metadata(&path).unwrap().len();
    // The same file, as `cp` does it.
    let foreign = other.folder.path("data/history.sqlite");
    assert!(std::fs::copy(foreign, &path).unwrap() >= size);
    let run = service.burst("{ chats: 2 }", QUICK, "").await;
    ended(&service, &run).await;
    let told = service.process.line("the history is damaged").await;
    assert!(told.contains("in its place"), "{told}");
    service
        .when("the file that was set aside", |metrics| {
            metrics.count("chatprobe_history_files_set_aside_total", &[]) == 1
        })
        .await;
    service.process.finish().await;
    let kept = database(&service.folder);
    assert_eq!(rows(&kept, "runs"), 1);
    assert_sound(&kept);
}

#[tokio::test]
async fn a_folder_that_is_moved_away_is_told_and_a_new_one_begins() {
    let centre = Centre::start("{}").await;
    let mut service = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    let first = service.burst("{ chats: 2 }", QUICK, "").await;
    ended(&service, &first).await;
    // Whole: what is written of it later would be in the new file.
    let whole = "runs WHERE rest IS NOT NULL";
    let first_kept = async || (rows(&database(&service.folder), whole) == 1).then_some(());
    eventually("its record", first_kept).await;
    std::fs::rename(service.folder.path("data"), service.folder.path("away")).unwrap();
    let second = service.burst("{ chats: 2 }", QUICK, "").await;
    let report = ended(&service, &second).await;
    assert_eq!(report["verdict"], "passed", "{report}");
    let told = service.process.line("the history is missing").await;
    assert!(told.contains("deleted, moved or replaced"), "{told}");
    eventually("a new file with the second run", async || {
        let path = service.folder.path("data/history.sqlite");
        let kept = std::path::Path::new(&path).exists();
        // Until it is made there may be no such table.
        let count = "SELECT count(*) FROM runs";
        let runs = || database(&service.folder).query_row(count, [], |row| row.get(0));
        (kept && runs() == Ok(1)).then_some(())
    })
    .await;
    service
        .when("rows that can be written again", |metrics| {
            metrics.count("chatprobe_history_broken", &[]) == 0
        })
        .await;
    service.process.finish().await;
    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    let kept = ids(&read(&service, "/api/v1/runs?mode=burst").await);
    assert_eq!(kept, [second]);
}

#[tokio::test]
async fn a_full_disk_costs_history_and_no_measurement() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain(&centre.url, DATA));
    // No file may grow beyond so many blocks of 512 bytes, as on a disk that is full.
    let limits = "-f 200; trap '' XFSZ; true";
    let process = Process::start_limited(limits, &["serve", "--config", &file]);
    let mut service = Service::of(process, folder).await;
    let mut lost = 0;
    for _ in 0..20 {
        let run = service.burst("{ chats: 20 }", QUICK, "").await;
        let report = ended(&service, &run).await;
        assert_eq!(report["verdict"], "passed", "{report}");
        assert_eq!(report["chats"]["passed"], 20);
        sleep(Duration::from_millis(300)).await;
        let metrics = service.metrics().await;
        lost = metrics.count("chatprobe_history_rows_lost_total", &[]);
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "{}", service.process.log());
    let told = service.process.line("rows are lost").await;
    assert!(
        told.contains("cannot be written") && told.contains("data"),
        "{told}"
    );
    let metrics = service.metrics().await;
    assert_eq!(
        metrics.count(
            "chatprobe_bursts_total",
            &[("burst", "ad-hoc"), ("verdict", "failed")]
        ),
        0
    );
    service.process.finish().await;
    assert_sound(&database(&service.folder));
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_run_and_costs_nothing_once_it_is_back() {
    let centre = Centre::start("{}").await;
    let service = serve_in(Folder::new(), &plain(&centre.url, DATA)).await;
    let connection = database(&service.folder);
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let run = service.burst("{ chats: 20, ramp: 2s }", QUICK, "").await;
    let report = ended(&service, &run).await;
    assert_eq!(report["verdict"], "passed", "{report}");
    assert_eq!(
        rows(&connection, "runs"),
        0,
        "the thread that writes still waits"
    );
    connection.execute_batch("COMMIT").unwrap();
    eventually("its row", async || {
        (rows(&connection, "runs") == 1).then_some(())
    })
    .await;
    let record = eventually("its record", async || {
        let kept = "SELECT rest FROM runs WHERE rest IS NOT NULL";
        connection
            .query_row(kept, [], |row| row.get::<_, String>(0))
            .ok()
    });
    let record: Value = serde_json::from_str(&record.await).unwrap();
    assert_eq!(sum(&record["samples"], "passed"), 20);
    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_history_rows_lost_total", &[]), 0);
}

#[tokio::test]
async fn the_file_stays_below_its_size_and_the_oldest_runs_go() {
    const MOST: u64 = 1_000_000;
    let centre = Centre::start("{}").await;
    let data = format!("data: {{ directory: data, max_bytes: {MOST} }}");
    let mut service = serve_in(Folder::new(), &plain(&centre.url, &data)).await;
    let first = service.burst("{ chats: 3 }", QUICK, "").await;
    ended(&service, &first).await;
    service.process.finish().await;
    let path = service.folder.path("data/history.sqlite");
    let size = || std::fs::metadata(&path).unwrap().len();
    {
        let connection = database(&service.folder);
        connection
            .execute_batch(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                 INSERT INTO runs SELECT substr(id, 1, 5) || printf('000-0000-7000-8000-%012x', i), \
                 mode, name, state, report, rest FROM runs, n WHERE runs.id = (SELECT max(id) FROM runs)",
            )
            .unwrap();
    }
    assert!(size() > MOST, "{}", size());
    let service = serve_in(service.folder, &plain(&centre.url, &data)).await;
    let second = service.burst("{ chats: 3 }", QUICK, "").await;
    ended(&service, &second).await;
    eventually("a smaller file", async || (size() <= MOST).then_some(())).await;
    let kept = ids(&read(&service, "/api/v1/runs?mode=burst&limit=1000").await);
    assert_eq!(kept[..2], [second, first], "the latest stay");
    let kept = rows(&database(&service.folder), "runs");
    assert!((20..480).contains(&kept), "{kept}");
    let metrics = service.metrics().await;
    assert_eq!(metrics.count("chatprobe_history_rows_lost_total", &[]), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_told_and_stops_nothing() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    folder.write("data", "a file where a folder should be");
    let mut service = serve_in(folder, &plain(&centre.url, DATA)).await;
    let told = service.process.line("cannot use the folder").await;
    assert!(told.contains("change `data.directory`"), "{told}");
    let run = service.burst("{ chats: 2 }", QUICK, "").await;
    let report = ended(&service, &run).await;
    assert_eq!(report["verdict"], "passed");
    service
        .when("the loss", |metrics| {
            metrics.count("chatprobe_history_broken", &[]) == 1
                && metrics.count("chatprobe_history_rows_lost_total", &[]) > 0
        })
        .await;
    assert_eq!(
        json!(ids(&read(&service, "/api/v1/runs").await)),
        json!([run])
    );
    let probes = service.metrics().await;
    assert_eq!(probes.find("chatprobe_chats_failed_total", &PROBE), None);
}
