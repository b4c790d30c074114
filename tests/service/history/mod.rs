//! What outlives the process: runs, their seconds, failures, whatever becomes of the process and the disk.

mod disk;
mod killed;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Answer, Centre, Folder, QUICK, SCENARIO, Service, eventually, plain};

const DATA: &str = "data: { directory: data }";

async fn serve_in(folder: Folder, configuration: &str) -> Service {
    Service::start_in(folder, configuration, &[], &[]).await
}

async fn read(service: &Service, path: &str) -> Value {
    let answer: Answer = service.read(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

async fn ended(service: &Service, run: &str) -> Value {
    eventually("the end of the run", async || {
        let report = read(service, &format!("/api/v1/runs/{run}")).await;
        Some(report).filter(|report| report["state"] == "ended")
    })
    .await
}

fn ids(list: &Value) -> Vec<String> {
    let list = list.as_object().unwrap().values().next().unwrap();
    let ids = list.as_array().unwrap().iter();
    ids.map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

fn sum(samples: &Value, count: &str) -> u64 {
    let samples = samples.as_array().unwrap().iter();
    samples.map(|sample| sample[count].as_u64().unwrap()).sum()
}

fn database(folder: &Folder) -> Connection {
    Connection::open(folder.path("data/history.sqlite")).unwrap()
}

fn rows(connection: &Connection, table: &str) -> u64 {
    let query = format!("SELECT count(*) FROM {table}");
    connection.query_row(&query, [], |row| row.get(0)).unwrap()
}

fn assert_sound(connection: &Connection) {
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}

#[tokio::test]
async fn a_restart_keeps_runs_with_their_seconds_and_probes_by_the_hour() {
    let centre = Centre::start("{}").await;
    let probe = format!(
        "{DATA}\nprobes: {{ watch: {{ scenario: {SCENARIO}, target: centre, every: 200ms, inputs: {QUICK} }} }}"
    );
    let configuration = plain(&centre.url, &probe);
    let mut service = serve_in(Folder::new(), &configuration).await;
    let first = service
        .burst("{ chats: 5, ramp: 1500ms }", QUICK, ", by: Ada")
        .await;
    let before = ended(&service, &first).await;
    let second = service.burst("{ chats: 2 }", QUICK, "").await;
    ended(&service, &second).await;
    service.passed(3).await;
    service.process.finish().await;
    let counted = {
        let connection = database(&service.folder);
        assert_sound(&connection);
        assert_eq!(rows(&connection, "samples"), 0, "they are in the record");
        assert_eq!(rows(&connection, "open_chats"), 0, "every chat has ended");
        rows(&connection, "probe_hours")
    };
    assert!(counted >= 1);

    let service = serve_in(service.folder, &plain(&centre.url, DATA)).await;
    assert_eq!(
        read(&service, &format!("/api/v1/runs/{first}")).await,
        before
    );
    assert_eq!(before["asked_by"], "Ada");
    assert_eq!(before["configuration"].as_str().unwrap().len(), 16);
    let record = read(&service, &format!("/api/v1/runs/{first}/report.json")).await;
    assert_eq!(record["report"], before);
    assert_eq!(sum(&record["samples"], "started"), 5);
    assert_eq!(sum(&record["samples"], "passed"), 5);
    let joins = record["steps"]["agent_join"].as_array().unwrap().iter();
    assert_eq!(
        joins.map(|bucket| bucket[1].as_u64().unwrap()).sum::<u64>(),
        5
    );

    let list = async |query: &str| ids(&read(&service, &format!("/api/v1/runs?{query}")).await);
    assert_eq!(list("mode=burst").await, [&*second, &*first]);
    assert_eq!(list("mode=burst&limit=1").await, [&*second]);
    assert_eq!(
        list(&format!("mode=burst&before={second}")).await,
        [&*first]
    );
    assert_eq!(list("state=interrupted").await, Vec::<String>::new());
    assert_eq!(list("name=ad-hoc&state=ended").await, [&*second, &*first]);
    assert_eq!(list("mode=burst&verdict=passed").await, [&*second, &*first]);
    assert_eq!(list("verdict=failed").await, Vec::<String>::new());

    let hours = read(&service, "/api/v1/probes/watch/hours").await;
    let hours = hours["hours"].as_array().unwrap().clone();
    let runs: u64 = hours
        .iter()
        .map(|hour| hour["runs"].as_u64().unwrap())
        .sum();
    let passed: u64 = hours
        .iter()
        .map(|hour| hour["passed"].as_u64().unwrap())
        .sum();
    // One more may have passed than was waited for, and one may have been stopped.
    assert!(
        passed >= 3 && runs >= passed && runs <= passed + 1,
        "{hours:?}"
    );
    let stopped = service
        .order("POST", &format!("/api/v1/runs/{first}/stop"), "")
        .await;
    assert_eq!(stopped.status, 409, "{stopped:?}");
}
