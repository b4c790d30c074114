//! The database: kept, bounded, somebody else's.

use std::path::Path;

use serde_json::{Value, json};

use super::{Behaviours, ids};
use crate::support::{Folder, Process, Signal, get};

const NOON: &str = "2026-01-01T12:00:00Z";

async fn start(database: &str, temporary: &Path) -> (Process, String) {
    let mut arguments = vec!["simulate", "behaviour", "--listen", "127.0.0.1:0"];
    if !database.is_empty() {
        arguments.extend(["--database", database]);
    }
    let mut process = Process::start_in(&arguments, &[("TMPDIR", temporary.to_str().unwrap())]);
    let line = process.line("the simulated behaviour service is at").await;
    let mut words = line.split_whitespace();
    let url = words.find(|word| word.starts_with("http://")).unwrap();
    let url = url.trim_end_matches(';').to_owned();
    (process, url)
}

async fn store(url: &str, user: &str) -> i64 {
    let body = json!({ "user": user, "article": "a", "status": "like", "at": NOON });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{url}/user/status")).json(&body);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["id"].as_i64().unwrap()
}

async fn count(url: &str, user: &str) -> Value {
    let text = get(&format!("{url}/{user}/query")).await.unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["count"].clone()
}

#[tokio::test]
async fn a_file_keeps_the_records_and_belongs_to_one_process() {
    let folder = Folder::new();
    let database = folder.path("kept.sqlite");
    let database = database.to_str().unwrap();
    let (mut process, url) = start(database, &folder.path("")).await;
    assert_eq!([store(&url, "ann").await, store(&url, "bob").await], [1, 2]);
    let mut second = Process::start(&[
        "simulate",
        "behaviour",
        "--listen",
        "127.0.0.1:0",
        "--database",
        database,
    ]);
    assert_eq!(second.ended().await, 2);
    assert!(
        second.log().contains("another process uses"),
        "{}",
        second.log()
    );
    process.signal(Signal::SIGTERM);
    assert_eq!(process.ended().await, 0);
    let (mut process, url) = start(database, &folder.path("")).await;
    assert_eq!(count(&url, "ann").await, 1);
    assert_eq!(store(&url, "ann").await, 3);
    assert_eq!(count(&url, "ann").await, 2);
    process.finish().await;
    let foreign = folder.path("foreign.sqlite");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE other (id INTEGER)")
        .unwrap();
    let no_database = folder.write("text", &"no database\n".repeat(100));
    for (file, says) in [
        (foreign.to_str().unwrap(), "something else"),
        (&no_database, "no database"),
        ("/nowhere/kept.sqlite", "/nowhere/kept.sqlite"),
    ] {
        let mut process = Process::start(&[
            "simulate",
            "behaviour",
            "--listen",
            "127.0.0.1:0",
            "--database",
            file,
        ]);
        assert_eq!(process.ended().await, 2, "{file}");
        assert!(process.log().contains(says), "{file}: {}", process.log());
    }
}

#[tokio::test]
async fn without_a_file_nothing_stays_however_it_ends() {
    let folder = Folder::new();
    let left = || std::fs::read_dir(folder.path("")).unwrap().count();
    let (process, url) = start("", &folder.path("")).await;
    assert_eq!(store(&url, "ann").await, 1);
    assert_eq!((count(&url, "ann").await, left()), (json!(1), 0));
    // Which kills it.
    drop(process);
    assert_eq!(left(), 0);
    let mut process = Process::start_in(
        &["simulate", "behaviour", "--listen", "127.0.0.1:0"],
        &[("TMPDIR", "/nowhere")],
    );
    assert_eq!(process.ended().await, 2);
    assert!(process.log().contains("TMPDIR"), "{}", process.log());
}

#[tokio::test]
async fn the_oldest_records_are_deleted_when_there_are_too_many() {
    let behaviours = Behaviours::start("limits: { records: 200 }").await;
    for second in 0..250 {
        // The oldest are those that were stored first, whenever they happened.
        let at = format!(
            "2026-01-01T00:{:02}:{:02}Z",
            59 - second / 60,
            59 - second % 60
        );
        behaviours.store("ann", "like", &at).await;
    }
    let stats = behaviours
        .stats_when("some are deleted", |stats| {
            stats["now"]["records"].as_u64() <= Some(200)
        })
        .await;
    let deleted = stats["deleted"].as_i64().unwrap();
    assert!((50..=54).contains(&deleted), "{stats}");
    let found = behaviours.query("ann", "?status=like").await;
    assert_eq!(found["count"], stats["now"]["records"]);
    assert_eq!(ids(&found).into_iter().min(), Some(deleted + 1));
    behaviours.finish().await;
}
