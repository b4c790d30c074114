//! Runs with names: given, held against, kept, taken away.

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Centre, Folder, QUICK, Service, Signal, eventually, plain};

const MOST: u64 = 1_000_000;

async fn serve_in(folder: Folder, centre: &Centre, data: &str) -> Service {
    Service::start_in(folder, &plain(&centre.url, data), &[], &[]).await
}

async fn ended(service: &Service, load: &str) -> String {
    let run = service.burst(load, QUICK, "").await;
    let path = format!("/api/v1/runs/{run}");
    eventually("the end of the run", async || {
        (service.read(&path).await.text("state") == "ended").then_some(())
    })
    .await;
    run
}

async fn read(service: &Service, path: &str) -> Value {
    let answer = service.read(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

async fn put(service: &Service, name: &str, run: &str) -> (u16, Value) {
    let path = format!("/api/v1/baselines/{name}");
    let answer = service
        .order("PUT", &path, &format!("{{ run: {run} }}"))
        .await;
    (answer.status, answer.body)
}

async fn names(service: &Service) -> Vec<(String, String)> {
    let list = read(service, "/api/v1/baselines").await;
    assert_eq!(list["kept"], true);
    let list = list["baselines"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.map(|one| (text(&one["name"]), text(&one["run"]["id"])))
        .collect()
}

#[tokio::test]
async fn a_run_with_a_name_outlives_restarts_and_tidying_and_others_are_held_against_it() {
    let centre = Centre::start("{}").await;
    let data = format!("data: {{ directory: data, max_bytes: {MOST} }}");
    let mut service = serve_in(Folder::new(), &centre, &data).await;
    let first = ended(&service, "{ chats: 3 }").await;
    // The moment it has ended.
    let (status, set) = put(&service, "release-4", &first).await;
    assert_eq!((status, &set["name"]), (200, &"release-4".into()), "{set}");
    assert_eq!(set["run"]["id"], first.as_str());
    let told = service.process.line("a baseline was set").await;
    assert!(
        told.contains("release-4") && told.contains(&first),
        "{told}"
    );
    let second = ended(&service, "{ chats: 2 }").await;
    let compared = format!("/api/v1/runs/{second}/compare/release-4");
    let before = read(&service, &compared).await;
    assert_eq!(before["baselines"][0]["id"], first.as_str());
    assert_eq!(before["run"]["id"], second.as_str());
    let page = service.read(&format!("{compared}/report.html")).await;
    assert_eq!(page.status, 200);
    let kept = "SELECT count(*) FROM runs WHERE rest IS NOT NULL";
    eventually("the records of both", async || {
        let connection = Connection::open(service.folder.path("data/history.sqlite")).unwrap();
        let kept: u64 = connection.query_row(kept, [], |row| row.get(0)).unwrap();
        (kept == 2).then_some(())
    })
    .await;
    service.process.signal(Signal::SIGKILL);
    eventually("its end", async || {
        (!service.process.is_running()).then_some(())
    })
    .await;

    let database = || Connection::open(service.folder.path("data/history.sqlite")).unwrap();
    let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                  INSERT INTO runs SELECT substr(id, 1, 5) || printf('000-0000-7000-8000-%012x', i), \
                  mode, name, state, report, rest FROM runs, n WHERE runs.id = (SELECT max(id) FROM runs)";
    database().execute_batch(copies).unwrap();
    // It is the oldest of all, as if it were of the last year.
    let oldest = "00000000000-00000000";
    let older = format!(
        "UPDATE runs SET id = '{oldest}', report = replace(report, '{first}', '{oldest}') WHERE id = '{first}'; \
         UPDATE baselines SET run = '{oldest}'"
    );
    database().execute_batch(&older).unwrap();
    let count = |query: &str| -> u64 { database().query_row(query, [], |row| row.get(0)).unwrap() };
    let all = count("SELECT count(*) FROM runs");
    let mut service = serve_in(service.folder, &centre, &data).await;
    let path = service.folder.path("data/history.sqlite");
    let runs = || -> u64 {
        let connection = Connection::open(&path).unwrap();
        connection
            .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
            .unwrap()
    };
    eventually("fewer runs", async || (runs() < all).then_some(())).await;
    assert_eq!(
        names(&service).await,
        [("release-4".to_owned(), oldest.to_owned())]
    );
    let after = read(&service, &compared).await;
    assert_eq!(after["baselines"][0]["id"], oldest);
    assert_eq!(after["run"], before["run"]);

    let (status, set) = put(&service, "release-4", &second).await;
    assert_eq!(status, 200, "{set}");
    let held = read(&service, &compared).await;
    assert_eq!(held["baselines"][0]["id"], second.as_str());
    let deleted = service
        .order("DELETE", "/api/v1/baselines/release-4", "")
        .await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert_eq!(deleted.body["run"]["id"], second.as_str());
    service.process.line("a baseline was deleted").await;
    assert_eq!(names(&service).await, []);
    let gone = service.read(&compared).await;
    assert_eq!(gone.status, 404, "{gone:?}");
    assert!(
        gone.text("error").contains("`/api/v1/baselines`"),
        "{gone:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_a_baseline_is_told_why() {
    let centre = Centre::start("{}").await;
    let data = "data: { directory: data }\nshutdown: { grace: 0s }";
    let mut service = serve_in(Folder::new(), &centre, data).await;
    let run = ended(&service, "{ chats: 1 }").await;
    let running = service
        .burst("{ rate: 1/s, for: 1h, max_active: 20 }", QUICK, "")
        .await;
    for (name, of, status, told) in [
        ("previous", &*run, 422, "is the run before"),
        (&*run, &*run, 422, "reads like the id of a run"),
        ("a%20b", &*run, 422, "cannot be a name"),
        ("good", "''", 422, "which run?"),
        ("good", "00000000000-00000000", 404, "there is no run"),
        ("good", &*running, 409, "is in progress"),
    ] {
        let (refused, body) = put(&service, name, of).await;
        assert_eq!(refused, status, "{name} {body}");
        assert!(body.to_string().contains(told), "{body}");
    }
    let nothing = service.order("DELETE", "/api/v1/baselines/good", "").await;
    assert_eq!(nothing.status, 404, "{nothing:?}");
    assert_eq!(names(&service).await, []);

    eventually("its row", async || {
        let connection = Connection::open(service.folder.path("data/history.sqlite")).unwrap();
        let noted = "SELECT EXISTS (SELECT * FROM runs WHERE id = ?)";
        let noted: bool = connection
            .query_row(noted, [&running], |row| row.get(0))
            .unwrap();
        noted.then_some(())
    })
    .await;
    service.process.signal(Signal::SIGKILL);
    eventually("its end", async || {
        (!service.process.is_running()).then_some(())
    })
    .await;
    let service = serve_in(service.folder, &centre, data).await;
    let (status, body) = put(&service, "good", &running).await;
    assert_eq!(status, 409, "{body}");
    assert!(body.to_string().contains("was cut off"), "{body}");
}

#[tokio::test]
async fn without_a_data_directory_there_are_no_baselines_and_the_answer_says_so() {
    let centre = Centre::start("{}").await;
    let service = serve_in(Folder::new(), &centre, "").await;
    let run = ended(&service, "{ chats: 1 }").await;
    let (status, body) = put(&service, "release-4", &run).await;
    assert_eq!(status, 409, "{body}");
    assert!(body.to_string().contains("set `data.directory`"), "{body}");
    let list = read(&service, "/api/v1/baselines").await;
    assert_eq!(list["kept"], false);
}

#[tokio::test]
async fn a_name_is_given_and_taken_with_the_token_only() {
    let centre = Centre::start("{}").await;
    let data = "data: { directory: data }\nadmin: { token_file: token }";
    let folder = Folder::new();
    folder.write("token", "a-long-secret-of-the-admin");
    let mut service = serve_in(folder, &centre, data).await;
    for method in ["PUT", "DELETE"] {
        let path = "/api/v1/baselines/release-4";
        let refused = service.order(method, path, "{ run: x }").await;
        assert_eq!(refused.status, 401, "{method} {refused:?}");
    }
    service.token = Some("a-long-secret-of-the-admin".to_owned());
    let (status, body) = put(&service, "release-4", "x").await;
    assert_eq!(status, 404, "{body}");
}
