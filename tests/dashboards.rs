//! The Grafana boards: their structure, and that every query returns data on a real Prometheus that
//! scrapes a real chatprobe.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::{Centre, Folder, Prometheus, QUICK, SCENARIO, Service, plain};

const BOARDS: [&str; 4] = ["overview", "scenario", "bursts", "service"];

fn file(path: &str) -> String {
    format!("{}/grafana/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn check(arguments: &[&str]) -> Output {
    Command::new("python3")
        .arg(file("check"))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start python3: {error}; apt-get install -y --no-install-recommends python3"
            )
        })
}

#[track_caller]
fn passes(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The exit code is 1 and all these are said.
#[track_caller]
fn complains(output: &Output, of: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in of {
        assert!(said.contains(words), "`{words}` in:\n{said}");
    }
}

/// Copies of the boards, one of them changed.
fn changed(name: &str, change: impl Fn(&mut Value)) -> Folder {
    let folder = Folder::new();
    for board in BOARDS {
        let text = std::fs::read_to_string(file(&format!("dashboards/{board}.json"))).unwrap();
        let mut value = serde_json::from_str(&text).unwrap();
        if board == name {
            change(&mut value);
        }
        folder.write(&format!("{board}.json"), &value.to_string());
    }
    folder
}

fn check_in(folder: &Folder, arguments: &[&str]) -> Output {
    let boards = folder.argument("");
    check(&[arguments, &["--dashboards", &boards]].concat())
}

#[test]
fn the_boards_are_complete_and_their_links_lead_to_each_other() {
    passes(&check(&[]));
}

#[test]
fn a_board_that_lacks_something_is_told_by_what_it_lacks() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 8] = [
        (
            |board| board["panels"][1]["id"] = board["panels"][0]["id"].clone(),
            "2 panels have the id 1",
        ),
        (
            |board| board["uid"] = "chatprobe-service".into(),
            "another board has the uid chatprobe-service too",
        ),
        (
            |board| board["panels"][0]["description"] = "".into(),
            "has no description",
        ),
        (
            |board| board["panels"][0]["fieldConfig"]["defaults"]["unit"] = "".into(),
            "has no unit",
        ),
        (
            |board| board["panels"][0]["targets"][0]["datasource"]["uid"] = "P123".into(),
            "does not take its data from the variable",
        ),
        (
            |board| board["links"][0]["url"] = "/d/chatprobe-gone/gone".into(),
            "no board has this uid",
        ),
        (
            |board| board["links"][0]["keepTime"] = false.into(),
            "no link to chatprobe-scenario that keeps time and variables",
        ),
        (
            |board| board["annotations"]["list"] = serde_json::json!([]),
            "the spans of bursts are not annotated",
        ),
    ];
    for (change, complaint) in changes {
        complains(
            &check_in(&changed("overview", change), &[]),
            &["overview: ", complaint],
        );
    }
}

#[test]
fn a_prometheus_that_does_not_answer_is_a_failure() {
    let nobody = format!("http://{}", support::free_address());
    complains(&check(&[&nobody]), &["no answer from", &nobody]);
}

#[tokio::test]
async fn every_query_returns_data_on_a_prometheus_that_scrapes_a_chatprobe() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(
        &centre.url,
        &format!(
            "probes: {{ one: {{ scenario: {SCENARIO}, target: centre, every: 1s, inputs: {QUICK} }} }}\n\
             bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, inputs: {QUICK}, \
             load: {{ rate: 10/s, for: 4s, max_active: 50 }} }} }}\n"
        ),
    ))
    .await;
    let address = service.web.strip_prefix("http://").unwrap();
    let prometheus = Prometheus::start(address).await;
    // Rates need two samples, the first of them from before the burst.
    prometheus
        .when("sum(chatprobe_chats_passed_total{mode='probe'})", |n| {
            n > 1.5
        })
        .await;
    let burst = service
        .order("POST", "/api/v1/bursts", "{ burst: rush }")
        .await;
    assert_eq!(burst.status, 202, "{burst:?}");
    prometheus
        .when("sum(chatprobe_bursts_total)", |n| n > 0.5)
        .await;
    // The rules have seen what the scrapes have.
    prometheus
        .when(
            "sum(rate(chatprobe_chats_passed_total{mode='burst'}[1m]))",
            |n| n > 0.0,
        )
        .await;
    prometheus
        .when("chatprobe:agent_join_seconds:p95_rate30m", f64::is_finite)
        .await;
    passes(&check(&[&prometheus.url]));
    // And what returns nothing, or is no query, is found.
    let wrong = changed("service", |board| {
        board["panels"][1]["targets"][0]["expr"] = "process_gone_seconds".into();
        board["panels"][2]["targets"][0]["expr"] = "sum(".into();
    });
    complains(
        &check_in(&wrong, &[&prometheus.url]),
        &["returns no data: process_gone_seconds", "fails: "],
    );
}
