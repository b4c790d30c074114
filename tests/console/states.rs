//! Pages of every kind and in every state, with names and texts as long as they may be.

use std::iter;

use serde_json::Value;

use crate::support::{Centre, Folder, QUICK, SCENARIO, Service, eventually, plain, shipped};

/// What a chat waits for that no agent comes to.
const WAITS: &str =
    "{ session_pause: 0s, first_message_delay: 0s, reply_delay: 0s, agent_join_timeout: 300ms }";
const WAITS_LONG: &str = "{ session_pause: 0s, agent_join_timeout: 1h }";

/// A service that has been through everything, and the paths of its pages and reports.
pub struct States {
    pub service: Service,
    pub pages: Vec<String>,
    _centres: [Centre; 3],
}

impl States {
    pub async fn start() -> Self {
        let centres = [
            Centre::start("{}").await,
            Centre::start("{ faults: { agents: { never_come: 0.5 } } }").await,
            Centre::start("{ join: 1h }").await,
        ];
        let configuration = configuration(&centres);
        let folder = Folder::new();
        folder.write("long.yaml", &long_scenario());

        let strict = configuration.replace("start_lateness_p99: 1m", "start_lateness_p99: 1us");
        let service = Service::start_in(folder, &strict, &[], &[]).await;
        let invalid = service.burst("{ chats: 2 }", QUICK, "").await;
        ended(&service, &invalid).await;
        let interrupted = burst(&service, "stuck", "{ chats: 3 }", WAITS_LONG, "").await;
        let database = rusqlite::Connection::open(service.folder.path("data/history.sqlite"));
        let database = database.unwrap();
        eventually("open chats in the file", async || {
            let count = "SELECT count(*) FROM open_chats WHERE run = ? AND chat > 0";
            let count = database.query_row(count, [&interrupted], |row| row.get::<_, u64>(0));
            let count = count.ok()?;
            (count == 3).then_some(())
        })
        .await;
        drop(database);
        // Killed, not asked to end.
        let Service {
            process, folder, ..
        } = service;
        drop(process);

        let service = Service::start_in(folder, &configuration, &[], &[]).await;
        let runs = every_run(&service).await;
        let mut pages = plain_pages();
        let runs = [runs, vec![invalid, interrupted]].concat();
        pages.push(format!("/runs?with={}", runs[0]));
        for run in &runs {
            pages.push(format!("/runs/{run}"));
            pages.push(format!("/api/v1/runs/{run}/report.html"));
        }
        pages.push(format!(
            "/api/v1/runs/{}/compare/{}/report.html",
            runs[1], runs[0]
        ));
        pages.extend(failures(&service, &runs).await);
        Self {
            service,
            pages,
            _centres: centres,
        }
    }
}

fn configuration(centres: &[Centre; 3]) -> String {
    let [usual, half, stuck] = centres.each_ref().map(|centre| centre.url.as_str());
    let variables = "variables: { tenant_id: t, channel_provider_id: p }";
    let path = "path/".repeat(40);
    let targets = format!(
        "targets: {{ half: {{ url: '{half}', {variables} }}, stuck: {{ url: '{stuck}', {variables} }}, \
         {}: {{ url: 'http://127.0.0.1:1/{path}', {variables} }}, ",
        long('t')
    );
    let probe = |name: char, target: &str| {
        format!(
            "{}: {{ scenario: {SCENARIO}, target: {target}, every: 1s, inputs: {WAITS} }}",
            long(name)
        )
    };
    let stages: Vec<_> = (1..20)
        .map(|rate| format!("{{ for: 1m, rate: {rate}/s }}"))
        .collect();
    let more = format!(
        "data: {{ directory: data }}\n\
         probes: {{ {}, {}, {} }}\n\
         bursts: {{ {}: {{ scenario: {}, target: {}, load: {{ stages: [ {} ] }} }} }}",
        probe('p', "centre"),
        probe('q', "half"),
        probe('r', "stuck"),
        long('b'),
        long('s'),
        long('t'),
        stages.join(", ")
    );
    plain(usual, &more)
        .replace("targets: { ", &targets)
        .replace("scenarios: ['", "scenarios: ['long.yaml', '")
}

/// A name as long as one may be.
pub fn long(letter: char) -> String {
    iter::repeat_n(letter, 64).collect()
}

/// The shipped scenario with a long name of its own, of a step, of an input and in its description.
fn long_scenario() -> String {
    let text = std::fs::read_to_string(shipped("scenarios").join(format!("{SCENARIO}.yaml")));
    let (step, input) = (long('z').repeat(2), long('i'));
    text.unwrap()
        .replace(
            &format!("scenario: {SCENARIO}"),
            &format!("scenario: {}", long('s')),
        )
        .replace("session_create", &step)
        .replace(
            "description: A customer",
            &format!("description: {} A customer", long('w').repeat(4)),
        )
        .replace(
            "  language:",
            &format!(
                "  {input}: {{ type: text, default: {} }}\n  language:",
                long('d').repeat(3)
            ),
        )
}

fn plain_pages() -> Vec<String> {
    let pages = [
        "/",
        "/runs",
        "/runs?verdict=interrupted",
        "/runs?name=nobody-is-called-so",
        "/bursts/new",
        "/configuration",
        "/sign-in",
        "/probes/nobody-knows-it",
        "/nothing-is-here",
    ];
    let mut pages: Vec<_> = pages.map(str::to_owned).into();
    pages.push(format!("/bursts/new?burst={}", long('b')));
    pages.push(format!("/bursts/new?scenario={}", long('s')));
    pages.push(format!("/runs?verdict={}", long('v').repeat(4)));
    pages.push(format!("/probes/{}", long('q')));
    pages
}

/// Starts a burst of the shipped scenario against a target; its id.
async fn burst(service: &Service, target: &str, load: &str, inputs: &str, more: &str) -> String {
    burst_of(service, SCENARIO, target, load, inputs, more).await
}

async fn burst_of(
    service: &Service,
    scenario: &str,
    target: &str,
    load: &str,
    inputs: &str,
    more: &str,
) -> String {
    let body = format!(
        "{{ scenario: {scenario}, target: {target}, load: {load}, inputs: {inputs}, seed: 1{more} }}"
    );
    let answer = service.order("POST", "/api/v1/bursts", &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.text("id")
}

/// The report of a run once it has ended.
pub async fn ended(service: &Service, run: &str) -> Value {
    let path = format!("/api/v1/runs/{run}");
    eventually("the end of the run", async || {
        let report = service.read(&path).await.body;
        (report["state"] == "ended").then_some(report)
    })
    .await
}

/// A run in each state; the first two have passed and failed.
async fn every_run(service: &Service) -> Vec<String> {
    let thresholds = |p95: &str| {
        format!(", thresholds: [ {{ step: agent_join, p95: {p95} }}, {{ failed: 1% }} ]")
    };
    let (held, broken) = (thresholds("10s"), thresholds("1ms"));
    // More than a page of the list has.
    for _ in 0..55 {
        burst(service, "centre", "{ chats: 1 }", WAITS, "").await;
    }
    let long_input = format!("{}: {}", long('i'), long('v').repeat(4));
    let inputs = WAITS.replacen("{ ", &format!("{{ {long_input}, "), 1);
    let search = "{ search: { from: 5/s, to: 10/s, hold: 2s }, max_active: 100 }";
    let started = [
        burst(service, "centre", "{ chats: 9, ramp: 3s }", WAITS, &held).await,
        burst(service, "half", "{ chats: 9, ramp: 3s }", WAITS, &broken).await,
        burst(service, "centre", search, WAITS, &held).await,
        burst(service, &long('t'), "{ chats: 1 }", WAITS, "").await,
        burst_of(service, &long('s'), "half", "{ chats: 9 }", &inputs, &held).await,
    ];
    let endless = "{ rate: 5/s, for: 10m, max_active: 50 }";
    let going_on = [
        burst(service, "half", endless, WAITS, &broken).await,
        burst(service, "stuck", endless, WAITS_LONG, "").await,
        burst(service, "half", endless, WAITS, &held).await,
    ];
    for run in &started {
        ended(service, run).await;
    }
    let [_, paused, stopped] = &going_on;
    for (run, order, body) in [(paused, "pause", ""), (stopped, "stop", "{ now: true }")] {
        let path = format!("/api/v1/runs/{run}/{order}");
        let answer = service.order("POST", &path, body).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    ended(service, stopped).await;
    let body = format!("{{ run: {} }}", started[0]);
    let path = format!("/api/v1/baselines/{}", long('n'));
    let answer = service.order("PUT", &path, &body).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    [started.to_vec(), going_on.to_vec()].concat()
}

/// The page of the last failure of each run.
async fn failures(service: &Service, runs: &[String]) -> Vec<String> {
    let mut pages = Vec::new();
    for run in runs {
        let answer = service.read(&format!("/api/v1/runs/{run}")).await;
        let failures = answer.body["failures"].as_array();
        let last = failures.unwrap_or_else(|| panic!("{answer:?}")).last();
        pages.extend(last.map(|last| format!("/failures/{}", last["id"].as_str().unwrap())));
    }
    assert!(pages.len() >= 3, "{pages:?}");
    pages
}
