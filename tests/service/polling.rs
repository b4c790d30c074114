//! A step that asks again until the answer says what it waits for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::support::{Folder, Script, Service, answer, eventually};

/// A chat that polls for an agent, with these keys of the step and in its request.
fn chat(keys: &str, address: &str) -> String {
    format!(
        "
scenario: polling
steps:
  - step: open
    http: {{ post: '{{{{ target.url }}}}/open' }}
  - step: agent_join
    http: {{ get: '{{{{ target.url }}}}{address}' }}
    observe: agent_join
    capture: {{ agent: body.agent }}
    {keys}
  - step: greet
    http: {{ post: '{{{{ target.url }}}}/greet', json: {{ to: '{{{{ agent }}}}' }} }}
"
    )
}

struct Polled {
    service: Service,
    server: Script,
    report: Value,
}

impl Polled {
    /// One chat with a server that says so with every answer to a poll, the last one again and again.
    async fn run(chat: &str, answers: &'static [(u16, &'static str)]) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = Script::answering(move |path| {
            if path.starts_with("/open") || path.starts_with("/greet") {
                return answer(200, "", "{}");
            }
            let number = asked.fetch_add(1, Ordering::Relaxed);
            let (status, body) = answers[number.min(answers.len() - 1)];
            answer(status, "content-type: application/json\r\n", body)
        })
        .await;
        let folder = Folder::new();
        folder.write("scenarios/polling.yaml", chat);
        let configuration = format!(
            "targets: {{ desk: {{ url: '{}' }} }}\nscenarios: [scenarios]\n\
             listen: {{ web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }}\ndata: {{ directory: data }}\n",
            server.url
        );
        let service = Service::start_in(folder, &configuration, &[], &[]).await;
        let body = "{ scenario: polling, target: desk, load: { chats: 1 } }";
        let started = service.order("POST", "/api/v1/bursts", body).await;
        let path = format!("/api/v1/runs/{}", started.text("id"));
        let report = eventually("the end of the run", async || {
            let report = service.read(&path).await.body;
            Some(report).filter(|report| report["state"] == "ended")
        })
        .await;
        Self {
            service,
            server,
            report,
        }
    }

    fn step(&self) -> &Value {
        &self.report["steps"][1]
    }

    /// What is told of the step that failed.
    async fn failure(&self) -> Value {
        let id = self.report["failures"][0]["id"].as_str().unwrap();
        let path = format!("/api/v1/failures/{id}");
        self.service.read(&path).await.body
    }
}

const NOBODY: (u16, &str) = (200, r#"{"agent":null}"#);
const SOMEBODY: (u16, &str) = (200, r#"{"agent":"Ann"}"#);

#[tokio::test]
async fn a_poll_is_one_step_that_lasts_until_its_answer_says_so() {
    let chat = chat("poll: { until: body.agent, every: 60ms }", "/chats/7");
    let polled = Polled::run(&chat, &[NOBODY, NOBODY, NOBODY, SOMEBODY]).await;
    assert_eq!(polled.report["verdict"], "passed", "{:#}", polled.report);
    assert_eq!(polled.step()["passed"], 1);
    assert_eq!(polled.step()["polled"], 4);
    assert_eq!(polled.server.requests("/chats/7").len(), 4);
    let latency = polled.step()["latency"]["max"].as_f64().unwrap();
    assert!(latency >= 0.18, "three times 60 ms: {latency}");
    let greeting = &polled.server.requests("/greet")[0];
    assert!(greeting.ends_with(r#"{"to":"Ann"}"#), "{greeting}");

    let metrics = polled.service.metrics().await;
    let of_step = [("step", "agent_join"), ("mode", "burst")];
    let count = |name: &str| metrics.count(name, &of_step);
    assert_eq!(count("chatprobe_poll_requests_total"), 4);
    assert_eq!(count("chatprobe_steps_passed_total"), 1);
    let joins = "chatprobe_agent_join_seconds_count";
    assert_eq!(metrics.count(joins, &[("mode", "burst")]), 1);
}

#[tokio::test]
async fn a_poll_that_does_not_hold_in_its_time_is_an_agent_who_did_not_join() {
    let keys = "poll: { until: body.agent, every: 50ms }\n    timeout: 300ms";
    let polled = Polled::run(&chat(keys, "/chats/7"), &[NOBODY]).await;
    assert_eq!(polled.report["verdict"], "failed");
    let reasons = &polled.step()["failed_by_reason"];
    assert_eq!(*reasons, json!({ "agent_join_timeout": 1 }));
    let asked = polled.server.requests("/chats/7").len();
    assert_eq!(polled.step()["polled"], asked);
    assert!((2..=6).contains(&asked), "{asked}");
    let told = polled.failure().await;
    assert_eq!(told["steps"][1]["polled"], asked, "{told:#}");
    assert_eq!(told["steps"][1]["answer"]["status"], 200);
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("`body.agent`") && detail.contains("300 ms") && detail.contains(NOBODY.1),
        "{detail}"
    );
}

#[tokio::test]
async fn a_status_that_the_poll_does_not_look_at_ends_it() {
    const GONE: (u16, &str) = (404, "{}");
    let blind = chat("poll: { until: body.agent, every: 50ms }", "/chats/7");
    let polled = Polled::run(&blind, &[NOBODY, GONE]).await;
    assert_eq!(polled.step()["failed_by_reason"], json!({ "status": 1 }));
    assert_eq!(polled.step()["polled"], 2);

    let keys = "poll: { until: status == 200 and body.agent, every: 20ms }";
    let polled = Polled::run(&chat(keys, "/chats/7"), &[GONE, GONE, SOMEBODY]).await;
    assert_eq!(polled.step()["passed"], 1, "{:#}", polled.report);
    assert_eq!(polled.step()["polled"], 3);
}

#[tokio::test]
async fn each_request_of_a_poll_is_computed_anew() {
    let address = r#"/chats?at={{ now("milliseconds") }}"#;
    let keys = "poll: { until: body.agent, every: 20ms }";
    let polled = Polled::run(&chat(keys, address), &[NOBODY, NOBODY, SOMEBODY]).await;
    assert_eq!(polled.step()["polled"], 3, "{:#}", polled.report);
    let mut paths = polled.server.paths();
    paths.retain(|path| path.starts_with("/chats"));
    paths.dedup();
    assert_eq!(paths.len(), 3, "{paths:?}");
}
