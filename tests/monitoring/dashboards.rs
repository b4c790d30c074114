//! The Grafana boards: their structure, and that every query returns data on a real Prometheus that
//! scrapes a real chatprobe.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{
    Centre, Folder, NodeExporter, Prometheus, QUICK, SCENARIO, Service, Signal, plain,
};

const BOARDS: [&str; 6] = [
    "overview", "scenario", "bursts", "pushed", "sockets", "service",
];
/// Those that tell of every scenario.
const OF_ALL: [&str; 4] = ["overview", "scenario", "bursts", "service"];

fn file(path: &str) -> String {
    format!("{}/grafana/{path}", env!("CARGO_MANIFEST_DIR"))
}

pub fn check(arguments: &[&str]) -> Output {
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
pub fn passes(output: &Output) {
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
    let changes: [(Change, &str); 11] = [
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
            |board| {
                let defaults = &mut board["panels"][0]["fieldConfig"]["defaults"];
                defaults["thresholds"]["steps"][0]["color"] = "dark-green".into();
            },
            "is green when there is no data",
        ),
        (
            |board| board["panels"][0]["targets"][0]["expr"] = "sum(up) or vector(0)".into(),
            "makes a number of no data",
        ),
        (
            |board| board["panels"][0]["targets"][0]["expr"] = "up".into(),
            "does not select by `namespace`: up",
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
    let nobody = format!("http://{}", crate::support::free_address());
    complains(&check(&[&nobody]), &["no answer from", &nobody]);
}

/// What no test can make happen in a minute.
const EMPTY: [&str; 4] = [
    "bursts 22 A: this machine may have no disk of its own",
    "scenario 20 B: this Prometheus is younger than a week",
    "scenario 21 B: this Prometheus is younger than a week",
    "scenario 22 B: this Prometheus is younger than a week",
];

#[test]
fn an_exception_wants_a_reason() {
    let output = check(&["--nothing-empty", "--except=scenario 20 B", "http://nobody"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// From now on this goes wrong at the contact centre.
pub async fn fail(centre: &Centre, faults: &Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.put(format!("{}/faults", centre.url)).json(faults);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

/// A chatprobe that has seen good times and bad ones, and who watches it.
struct Watched {
    prometheus: Prometheus,
    _service: Service,
    _centre: Centre,
    _host: NodeExporter,
}

impl Watched {
    /// Probes that pass, fail in one way and in another, and a burst of which some chats fail, while
    /// alerts fire.
    async fn through_thick_and_thin() -> Self {
        let centre = Centre::start("{}").await;
        let inputs = QUICK.replace('}', ", agent_join_timeout: 1s }");
        let service = Service::start(&plain(
            &centre.url,
            &format!(
                "probes: {{ one: {{ scenario: {SCENARIO}, target: centre, every: 1s, inputs: {inputs} }} }}\n\
                 bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, inputs: {inputs}, \
                 load: {{ rate: 10/s, for: 4s, max_active: 50 }} }} }}\n"
            ),
        ))
        .await;
        let address = service.web.strip_prefix("http://").unwrap();
        let host = NodeExporter::start().await;
        let prometheus = Prometheus::shared_beside(address, Some(&host.address)).await;
        // Rates need two samples, the first of them from before what they are to count.
        let passed = "sum(chatprobe_chats_passed_total{mode='probe'})";
        prometheus.when(passed, |count| count > 1.5).await;

        let failed = |reason: &str| {
            format!("sum(chatprobe_chats_failed_total{{mode='probe', reason='{reason}'}})")
        };
        fail(&centre, &json!({ "agents": { "never_come": 1 } })).await;
        let nobody_came = failed("agent_join_timeout");
        prometheus.when(&nobody_came, |count| count > 0.5).await;
        let refused = |share: f64| json!([{ "probability": share, "status": 503, "only": ["session_create"] }]);
        fail(&centre, &json!({ "errors": refused(1.0) })).await;
        let status = failed("status");
        prometheus.when(&status, |count| count > 2.5).await;

        fail(&centre, &json!({ "errors": refused(0.5) })).await;
        let burst = service
            .order("POST", "/api/v1/bursts", "{ burst: rush }")
            .await;
        assert_eq!(burst.status, 202, "{burst:?}");
        // The rules have seen what the scrapes have.
        for query in [
            "sum(chatprobe_bursts_total)",
            "sum(rate(chatprobe_chats_passed_total{mode='burst'}[1m]))",
            "sum(rate(chatprobe_chats_failed_total{mode='burst'}[1m]))",
            "count(ALERTS{alertstate='firing', alertname!='ChatprobeWatchdog'})",
            "sum(scenario_target:chatprobe_chats_failed:increase30m)",
            "scenario_target:chatprobe_agent_join_seconds:p95_rate30m",
            "sum(rate(node_cpu_seconds_total{target='centre'}[1m]))",
        ] {
            prometheus.when(query, |number| number > 0.0).await;
        }
        Self {
            prometheus,
            _service: service,
            _centre: centre,
            _host: host,
        }
    }

    /// Every query of these boards has to return data, but [`EMPTY`].
    fn check(&self, boards: Option<&Folder>) -> Output {
        let excepted = EMPTY.map(|query| format!("--except={query}"));
        let mut arguments: Vec<&str> = excepted.iter().map(String::as_str).collect();
        arguments.extend(OF_ALL.iter().flat_map(|board| ["--board", board]));
        arguments.extend(["--nothing-empty", &self.prometheus.url]);
        match boards {
            Some(folder) => check_in(folder, &arguments),
            None => check(&arguments),
        }
    }
}

#[tokio::test]
async fn every_query_returns_data_where_everything_happens() {
    let watched = Watched::through_thick_and_thin().await;
    passes(&watched.check(None));

    // And what returns nothing, names what is not there, or is no query, is found.
    let service = changed("service", |board| {
        let gone = r#"process_gone_seconds{cluster=~"$cluster",namespace=~"$namespace"}"#;
        board["panels"][1]["targets"][0]["expr"] = gone.into();
        board["panels"][2]["targets"][0]["expr"] = "sum(".into();
    });
    complains(
        &watched.check(Some(&service)),
        &["returns no data: process_gone_seconds", "fails: "],
    );
    let alerts = misspelt("alertstate=", "alertstat=");
    complains(
        &watched.check(Some(&alerts)),
        &[
            "\"Alerts firing\": query A names a series that is not there: ALERTS{cluster=~\"$cluster\",namespace=~\"$namespace\",alertstat=\"firing\",alertname=~",
        ],
    );
    // These return 0 all the same, and the state of those that are not paused.
    let paused = misspelt("chatprobe_probe_paused", "chatprobe_probe_pausd");
    complains(
        &watched.check(Some(&paused)),
        &[
            "\"Probes failing\": query A names a series that is not there: chatprobe_probe_pausd{",
            "\"State of the probes\": query A names a series that is not there: chatprobe_probe_pausd{",
        ],
    );
    let exception = "--except=scenario 99 A: there is none";
    complains(
        &check(&["--nothing-empty", exception, &watched.prometheus.url]),
        &["there is no query scenario 99 A to except"],
    );
}

/// The overview with another word.
fn misspelt(word: &str, other: &str) -> Folder {
    changed("overview", |board| {
        let text = board.to_string();
        assert!(text.contains(word), "{word}");
        *board = serde_json::from_str(&text.replace(word, other)).unwrap();
    })
}

/// A query of the overview, for all scenarios and targets.
fn query_of_overview(panel: u64) -> String {
    let text = std::fs::read_to_string(file("dashboards/overview.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let panel = panels.iter().find(|one| one["id"] == panel).unwrap();
    let query = panel["targets"][0]["expr"].as_str().unwrap();
    ["$scenario", "$target", "$cluster", "$namespace"]
        .iter()
        .fold(query.to_owned(), |query, variable| {
            query.replace(variable, ".*")
        })
}

#[tokio::test]
async fn a_paused_probe_neither_fails_nor_is_stale_and_one_that_nobody_sees_is_not_well() {
    let centre = Centre::start("{}").await;
    let probe = format!("scenario: {SCENARIO}, target: centre, every: 1s, inputs: {QUICK}");
    let service = Service::start(&plain(
        &centre.url,
        &format!("probes: {{ one: {{ {probe} }} }}"),
    ))
    .await;
    let address = service.web.strip_prefix("http://").unwrap();
    let prometheus = Prometheus::start(address).await;
    let [failing, late, state] = [1, 2, 9].map(query_of_overview);
    let is = |number: f64| move |seen: f64| (seen - number).abs() < 0.1;
    prometheus.when(&state, is(3.0)).await;
    prometheus.when(&failing, is(0.0)).await;

    let faults = json!({ "errors": [{ "probability": 1, "status": 503 }] });
    fail(&centre, &faults).await;
    prometheus.when(&state, is(0.0)).await;
    prometheus.when(&failing, is(1.0)).await;

    let pause = service.order("POST", "/api/v1/probes/one/pause", "").await;
    assert_eq!(pause.status, 200, "{pause:?}");
    prometheus.when(&state, is(4.0)).await;
    prometheus.when(&failing, is(0.0)).await;
    prometheus.when(&late, is(0.0)).await;

    service.process.signal(Signal::SIGKILL);
    prometheus
        .when("absent(chatprobe_probe_paused)", |_| true)
        .await;
    let table = query_of_overview(7);
    prometheus.when(&table, is(-1.0)).await;
    let output = check(&[&prometheus.url]);
    let nothing = [
        "Probes failing",
        "Probes stale",
        "Chats that failed, last hour",
        "Longest wait for an agent",
        "Bursts in progress",
    ]
    .map(|title| format!("\"{title}\": query A returns no data"));
    complains(&output, &nothing.each_ref().map(String::as_str));
}
