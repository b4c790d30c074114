//! The web side over a scheduler whose chats only think, so that no network is needed.

mod changes;
mod configuration;
mod console;
mod frozen;
mod health;
mod hosts;
mod live;
mod looks;
mod openapi;
mod orders;
mod probes;
mod reports;
mod requests;
mod runs;
mod sign_in;
mod sockets;
mod stream;
mod tokens;
mod toy;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream, to_bytes},
    extract::{ConnectInfo, Request},
    http::{HeaderMap, request},
};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Access, App, Readiness, Web};
use crate::{
    callbacks::{CallbackLimits, Exchange},
    config::{Admin, Plan},
    event::Observers,
    history::History,
    listener::Listeners,
    record::{Boundaries, Metrics},
    runner::{Engine, HealthBudget, RunHandle, TraceBudget},
    scenario::Drivers,
    scheduler::{RunEntry, Scheduler},
    service::SECTIONS,
    testing::TemporaryFolder,
    vitals::Vitals,
};

const TOKEN: &str = "correct-horse-battery";
const SECRET: &str = "hunter2-secret-value";
/// Nothing in these tests takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

const PLAN: &str = r#"
targets:
  contact-center:
    url: http://127.0.0.1:9
    variables: { tenant_id: tenant-1 }
    secrets: { api_key: { file: key.txt } }
scenarios: [scenarios]
probes:
  morning-check:
    scenario: contact-center-chat
    target: contact-center
    every: 1h
    inputs: { reply_delay: 1ms }
bursts:
  lunch-rush:
    scenario: contact-center-chat
    target: contact-center
    load: { rate: 2/s, for: 30s, max_active: 20 }
    inputs: { reply_delay: 100ms }
    thresholds: [ { p95: 15s } ]
  nightly:
    scenario: contact-center-chat
    target: contact-center
    schedule: { cron: "0 3 * * *", time_zone: Europe/Berlin }
    load: { chats: 100, ramp: 1m }
limits: { max_active_chats: 100, max_rate: 50/s }
"#;

const CHAT: &str = r#"
scenario: contact-center-chat
description: A customer who only thinks.
inputs:
  reply_delay: { type: duration, default: 10ms, description: Before a reply. }
  name: Ada
steps:
  - think: "{{ inputs.reply_delay }}"
"#;

const REQUESTS: &str = r#"
scenario: requests
inputs:
  count: { type: integer }
setup:
  - step: open
    http: { get: "{{ target.url }}/open" }
steps:
  - repeat: 2
    steps:
      - step: say
        http: { get: "{{ target.url }}/say" }
teardown:
  - step: close
    http: { get: "{{ target.url }}/close" }
"#;

/// The service without a socket.
struct Service {
    web: Web,
    app: Arc<App>,
    router: Router,
    folder: TemporaryFolder,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Service {
    /// Without an admin token.
    async fn start() -> Self {
        Self::with(Access::local()).await
    }

    async fn with_token() -> Self {
        let folder = TemporaryFolder::new();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let admin = Admin {
            token_file: Some(PathBuf::from("token")),
            ..Admin::default()
        };
        Self::with(Access::from_environment(&admin, folder.path()).unwrap()).await
    }

    async fn with(access: Access) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let folder = TemporaryFolder::new();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("scenarios")).unwrap();
        write("key.txt", SECRET);
        write("scenarios/contact-center-chat.yaml", CHAT);
        write("scenarios/requests.yaml", REQUESTS);
        write("chatprobe.yaml", PLAN);
        let plan = Arc::new(Plan::load(&folder.path().join("chatprobe.yaml"), SECTIONS).unwrap());
        let metrics = Arc::new(Metrics::new(&Boundaries::default()).unwrap());
        let history = History::default();
        let observers = Observers::default()
            .and(metrics.clone())
            .and_of_runs(history.failures());
        let engine = Engine {
            drivers: Drivers::direct(),
            exchange: Exchange::new(CallbackLimits::default(), observers.clone()),
            callback_url: "http://127.0.0.1:9".into(),
            observers: observers.clone(),
            budget: HealthBudget::default(),
            vitals: Vitals::start().unwrap(),
            traces: TraceBudget::default(),
        };
        let scheduler = Scheduler::new(engine, plan.clone());
        scheduler.install(plan).await;
        let web = Web {
            scheduler,
            history,
            metrics,
            access,
            ready: Readiness::default(),
            observers,
            listeners: Listeners::default(),
        };
        let app = App::new(&web, CancellationToken::new());
        let router = app.clone().router();
        web.ready.ready();
        Self {
            web,
            app,
            router,
            folder,
        }
    }

    async fn send(&self, request: Request) -> Answer {
        let answering = self.router.clone().oneshot(request);
        let response = timeout(PATIENCE, answering).await.unwrap().unwrap();
        let (parts, body) = response.into_parts();
        let body = timeout(PATIENCE, to_bytes(body, usize::MAX)).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.unwrap().into()).unwrap(),
        }
    }

    /// Follows a page.
    async fn follow(&self, path: &str) -> Events {
        let request = local("GET", path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events {
            stream: response.into_body().into_data_stream(),
            rest: String::new(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(local("GET", path).body(Body::empty()).unwrap())
            .await
    }

    /// From this machine.
    async fn order(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = local(method, path).body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    /// Starts a burst and returns it.
    async fn burst(&self, body: &str) -> RunHandle {
        // On a busy machine a burst of milliseconds would be over before it is looked at.
        tokio::time::pause();
        let answer = self.order("POST", "/api/v1/bursts", body).await;
        tokio::time::resume();
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.active(answer.json()["id"].as_str().unwrap())
    }

    fn active(&self, id: &str) -> RunHandle {
        match self.web.scheduler.run(id) {
            Some(RunEntry::Active(run)) => run,
            other => panic!("{id} is not in progress: {other:?}"),
        }
    }

    /// Waits for the end of a run and until it stands with the ended ones.
    async fn ended(&self, run: &RunHandle) {
        timeout(PATIENCE, run.ended()).await.unwrap();
        until(|| matches!(self.web.scheduler.run(run.id()), Some(RunEntry::Ended(_)))).await;
    }
}

/// A stream of server-sent events that is read as they come.
struct Events {
    stream: BodyDataStream,
    rest: String,
}

impl Events {
    /// Without what it says to keep the connection.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
                };
                let event = Event {
                    kind: field("event:"),
                    data: field("data:"),
                };
                self.rest = rest.to_owned();
                if !event.kind.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let more = timeout(PATIENCE, self.stream.next()).await.unwrap()?;
            self.rest
                .push_str(std::str::from_utf8(&more.unwrap()).unwrap());
        }
    }

    /// All up to and including the first one of this kind.
    async fn up_to(&mut self, kind: &str) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            let found = event.kind == kind;
            events.push(event);
            if found {
                return events;
            }
        }
        panic!("no `{kind}` among {events:?}");
    }
}

#[derive(Debug)]
struct Event {
    kind: String,
    data: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The status, the error and the problems of a refused request.
    fn refusal(&self) -> (u16, String, Vec<String>) {
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        let problems = body["problems"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            self.status,
            text(&body["error"]),
            problems.map(text).collect(),
        )
    }

    fn error(&self) -> (u16, String) {
        let (status, error, _) = self.refusal();
        (status, error)
    }
}

fn request(method: &str, path: &str, peer: &str) -> request::Builder {
    let peer: SocketAddr = peer.parse().unwrap();
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost:8080")
        .extension(ConnectInfo(peer))
}

fn local(method: &str, path: &str) -> request::Builder {
    request(method, path, "127.0.0.1:50000")
}

async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .expect("it never came true");
}
