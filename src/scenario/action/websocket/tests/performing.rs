//! Steps about sockets against a server.

mod publishing;
mod rooms;

use std::{
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use minijinja::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::read;
use crate::{
    driver::Endpoint,
    scenario::{
        Clients, Drivers, NewConnection, Performed, Reason, Reuse, RunScope, Scenario, Scope,
        SessionEvent, SessionValues, Sessions, SocketEvent, Task, Unperformed, Until, WaitSources,
    },
};

/// What no test should come near.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chat whose steps are performed one by one, with what its sessions told.
struct Chat {
    scenario: Scenario,
    clients: Clients,
    sessions: Sessions,
    scope: Arc<Scope>,
    connections: AtomicU32,
    told: Arc<Mutex<Vec<SessionEvent>>>,
    changed: Arc<tokio::sync::Notify>,
}

/// A server that does this with every connection; its address.
async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(WebSocketStream<TcpStream>) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // What is no opening is answered by the library.
            if let Ok(socket) = accept_async(stream).await {
                tokio::spawn(serve(socket));
            }
        }
    });
    format!("http://{address}")
}

/// Sends back what comes.
async fn echo(mut socket: WebSocketStream<TcpStream>) {
    while let Some(Ok(message)) = socket.next().await {
        if !message.is_text() && !message.is_binary() {
            continue;
        }
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

impl Chat {
    fn new(url: &str, parts: &[&str]) -> Self {
        let scenario = read(parts).unwrap();
        let run = RunScope {
            target: Value::from_pairs([("url", url)]),
            ..RunScope::default()
        };
        let scope = Scope::of_run(Arc::new(run)).of_chat(1, "run-1");
        // Another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clients = Drivers::direct().clients(&Endpoint::default(), Reuse::Own);
        Self {
            scenario,
            sessions: clients.sessions(&SessionValues::default()),
            clients,
            scope: Arc::new(scope),
            connections: AtomicU32::new(0),
            told: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// Performs the step with this name.
    async fn perform(&mut self, name: &str) -> Performed {
        self.perform_until(name, pending()).await
    }

    /// The same, in a run that stops then.
    async fn perform_until(
        &mut self,
        name: &str,
        stopped: impl Future<Output = ()> + Send,
    ) -> Performed {
        let steps = self.scenario.all_steps();
        let step = steps.into_iter().find(|step| *step.name == *name).unwrap();
        let (told, changed) = (self.told.clone(), self.changed.clone());
        let new_connection = |_: &Arc<str>| {
            let (told, changed) = (told.clone(), changed.clone());
            NewConnection {
                number: 1 + self.connections.fetch_add(1, Ordering::Relaxed),
                sink: Arc::new(move |event| {
                    told.lock().unwrap().push(event);
                    changed.notify_waiters();
                }),
            }
        };
        let task = Task {
            scope: &self.scope,
            timeout: PATIENCE,
            is_traced: false,
            clients: &self.clients,
            new_connection: &new_connection,
            until: Until {
                stopped: pin!(stopped),
                give_up: pin!(pending()),
            },
        };
        let performing = step.action.perform(&mut self.sessions, task);
        let performed = timeout(PATIENCE, performing).await;
        performed.expect("in time").expect("rendered")
    }

    async fn pass(&mut self, name: &str) -> Performed {
        let performed = self.perform(name).await;
        assert!(performed.result.is_ok(), "{name}: {:?}", performed.result);
        performed
    }

    async fn fail(&mut self, name: &str) -> (Reason, String) {
        match self.perform(name).await.result {
            Err(Unperformed::Failed(failed)) => (failed.reason, failed.detail),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Waits until so many events were told of which this makes something, and returns that.
    async fn told<T>(&self, count: usize, of: impl Fn(&SessionEvent) -> Option<T>) -> Vec<T> {
        let found = || -> Vec<T> { self.told.lock().unwrap().iter().filter_map(&of).collect() };
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if found().len() >= count {
                    return found();
                }
                changed.await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("in time")
    }

    /// The texts of frames that were handed to the chat.
    async fn arrived(&self, count: usize) -> Vec<String> {
        let text = |event: &SessionEvent| match event {
            SessionEvent::Arrived(arrived) => {
                Some(arrived.frame.get_attr("text").unwrap().to_string())
            }
            _ => None,
        };
        self.told(count, text).await
    }

    /// The ids of deliveries.
    async fn delivered(&self, count: usize) -> Vec<String> {
        let id = |event: &SessionEvent| match event {
            SessionEvent::Delivered { id, .. } => Some(id.to_string()),
            _ => None,
        };
        self.told(count, id).await
    }

    async fn closed(&self) -> (Option<u16>, &'static str) {
        let end = |event: &SessionEvent| match event {
            SessionEvent::Socket(SocketEvent::Closed { by, code }) => Some((*code, by.as_str())),
            _ => None,
        };
        self.told(1, end).await[0]
    }

    /// What was told, without what only counts.
    fn words(&self) -> Vec<&'static str> {
        let told = self.told.lock().unwrap();
        let words = told.iter().filter_map(|event| {
            Some(match event {
                SessionEvent::Socket(SocketEvent::Opened) => "opened",
                SessionEvent::Socket(SocketEvent::Closed { .. }) => "closed",
                SessionEvent::Joined { .. } => "joined",
                SessionEvent::Left { .. } => "left",
                SessionEvent::Published { .. } => "published",
                SessionEvent::Delivered { .. } => "delivered",
                SessionEvent::Arrived(_) => "arrived",
                SessionEvent::Ended { .. } => "ended",
                SessionEvent::Socket(_) | SessionEvent::Passed(_) => return None,
            })
        });
        words.collect()
    }
}

const OPEN: &str = "- { step: open, connect: '{{ target.url }}/socket' }";
const HEAR: &str = "- { step: hear, receive: true }";
const CLOSE: &str = "- { step: end, close: { code: 4001, reason: done } }";

#[tokio::test]
async fn frames_go_out_and_come_back_until_the_socket_is_closed() {
    let url = server(echo).await;
    let say = "- { step: say, send: { json: { id: '{{ chat.id }}' } } }";
    let blob = "- { step: blob, send: { binary: { hex: 00ff } } }";
    let mut chat = Chat::new(&url, &["steps:", OPEN, say, blob, HEAR, CLOSE]);
    let opened = chat.pass("open").await;
    let view = opened.view.unwrap();
    assert_eq!(view.value_of("status"), Some(101.into()));
    assert!(opened.sent.is_some() && opened.mark.is_some() && opened.known_at.is_some());
    chat.pass("say").await;
    assert_eq!(chat.arrived(1).await, [r#"{"id":"run-1"}"#]);
    chat.pass("blob").await;
    chat.arrived(2).await;
    let closed = chat.pass("end").await.view.unwrap();
    let closed = closed.value_of("closed").unwrap();
    assert_eq!(closed.get_attr("code").unwrap(), 4001.into());
    assert_eq!(closed.get_attr("by").unwrap(), "us".into());
    assert_eq!(chat.closed().await, (Some(4001), "us"));
    assert_eq!(
        chat.words(),
        ["opened", "arrived", "arrived", "ended", "closed"]
    );
    let (reason, detail) = chat.fail("say").await;
    assert_eq!(reason, Reason::Closed, "{detail}");
}

#[tokio::test]
async fn an_answer_that_opens_no_socket_is_one_for_whoever_expects_its_status() {
    let url = server(echo).await;
    // It is answered with 400, because the version of the protocol is not known there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await;
                let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\n\r\nno!";
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
            });
        }
    });
    let expecting = format!("- {{ step: open, connect: '{refusing}', expect: status == 401 }}");
    let mut chat = Chat::new(&url, &["steps:", &expecting, "- { step: say, send: a }"]);
    let view = chat.pass("open").await.view.unwrap();
    assert_eq!(view.value_of("status"), Some(401.into()));
    assert_eq!(chat.fail("say").await.0, Reason::Closed);
    let mut chat = Chat::new(&refusing, &["steps:", OPEN, HEAR]);
    assert_eq!(chat.fail("open").await.0, Reason::Status);
    assert!(chat.words().is_empty(), "no socket was opened");
    let hear = chat.scenario.all_steps()[1].action.as_wait().unwrap();
    assert!(chat.sessions.wait_sources(&hear.source).is_err());
}

#[tokio::test]
async fn a_step_that_needs_a_socket_which_the_target_closed_says_so() {
    let url = server(async |mut socket: WebSocketStream<TcpStream>| {
        let frame = CloseFrame {
            code: 4321.into(),
            reason: "maintenance".into(),
        };
        let _ = socket.send(Message::text("bye")).await;
        let _ = socket.close(Some(frame)).await;
        while socket.next().await.is_some() {}
    })
    .await;
    let say = "- { step: say, send: a }";
    let mut chat = Chat::new(&url, &["steps:", OPEN, say, HEAR, CLOSE]);
    chat.pass("open").await;
    assert_eq!(chat.closed().await, (Some(4321), "target"));
    assert_eq!(chat.words(), ["opened", "arrived", "ended", "closed"]);
    for step in ["say", "end"] {
        let (reason, detail) = chat.fail(step).await;
        assert_eq!(reason, Reason::Closed);
        assert!(
            detail.contains("4321") && detail.contains("maintenance"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_second_connect_takes_the_place_of_the_first_with_a_number_of_its_own() {
    let url = server(echo).await;
    let other = "- { step: other, connect: { url: '{{ target.url }}', as: other } }";
    let hear = "- { step: hear_other, receive: true, socket: other }";
    let mut chat = Chat::new(&url, &["steps:", OPEN, HEAR, other, hear]);
    chat.pass("open").await;
    chat.pass("other").await;
    let sources = |chat: &Chat| {
        let waits = chat.scenario.all_steps();
        let waits = waits.iter().filter_map(|step| step.action.as_wait());
        let sources = waits.map(|wait| chat.sessions.wait_sources(&wait.source).unwrap());
        sources.collect::<Vec<_>>()
    };
    let all = |numbers: [u32; 2]| WaitSources::Connections(numbers.into());
    assert_eq!(sources(&chat), [all([1, 2]), WaitSources::Connection(2)]);
    chat.pass("open").await;
    assert_eq!(chat.closed().await, (Some(1001), "us"));
    assert_eq!(sources(&chat), [all([2, 3]), WaitSources::Connection(2)]);
    chat.sessions.close(PATIENCE).await;
    let ends = |event: &SessionEvent| match event {
        SessionEvent::Ended { connection, .. } => Some(*connection),
        _ => None,
    };
    let mut ended = chat.told(3, ends).await;
    ended.sort_unstable();
    assert_eq!(ended, [1, 2, 3]);
}

#[tokio::test]
async fn replies_and_heartbeats_go_out_while_no_step_does_anything() {
    let (heard, mut all) = tokio::sync::mpsc::unbounded_channel();
    let url = server(move |mut socket: WebSocketStream<TcpStream>| {
        let heard = heard.clone();
        async move {
            for text in ["2", "what?", "{\"ask\":7}"] {
                let _ = socket.send(Message::text(text)).await;
            }
            while let Some(Ok(message)) = socket.next().await {
                let _ = heard.send(message.to_string());
            }
        }
    })
    .await;
    let mut chat = Chat::new(
        &url,
        &[
            "replies:",
            "- { when: frame.text == '2', send: '3' }",
            "- { when: frame.json.ask is defined, send: { json: { answer: '{{ frame.json.ask }}', by: '{{ chat.id }}' } } }",
            "- { when: true, send: elsewhere, socket: other }",
            "every:",
            "- { interval: 1h, send: never }",
            "- { interval: 10ms, send: beat, socket: socket }",
            "steps:",
            OPEN,
            "- { step: other, connect: { url: '{{ target.url }}', as: other } }",
        ],
    );
    chat.pass("open").await;
    let mut said = Vec::new();
    while said.len() < 4 {
        said.push(timeout(PATIENCE, all.recv()).await.unwrap().unwrap());
    }
    said.retain(|text| text != "beat");
    assert_eq!(said, ["3", r#"{"answer":7,"by":"run-1"}"#]);
}

#[tokio::test]
async fn what_cannot_be_answered_fails_the_next_step_that_needs_the_socket() {
    let url = server(echo).await;
    let replies = "replies: [{ when: frame.text == 'a', send: '{{ frame.json.gone }}' }]";
    let say = "- { step: say, send: a }";
    let mut chat = Chat::new(&url, &[replies, "steps:", OPEN, say, HEAR]);
    chat.pass("open").await;
    chat.pass("say").await;
    let reason = |event: &SessionEvent| match event {
        SessionEvent::Ended { reason, how, .. } => Some((*reason, how.clone())),
        _ => None,
    };
    let (reason, how) = chat.told(1, reason).await.remove(0);
    assert_eq!(reason, Reason::Template);
    assert!(how.starts_with("s.yaml:2:"), "{how}");
    assert_eq!(chat.fail("say").await, (Reason::Template, how));
}

#[tokio::test]
async fn a_member_joins_before_what_it_hears_and_leaves_before_its_socket_ends() {
    let url = server(async |mut socket: WebSocketStream<TcpStream>| {
        for text in [
            r#"{"id":"m-1"}"#,
            r#"{"id":7}"#,
            r#"{"no":"m"}"#,
            "m-2",
            r#"{"id":""}"#,
        ] {
            let _ = socket.send(Message::text(text)).await;
        }
        echo(socket).await;
    })
    .await;
    let mut chat = Chat::new(
        &url,
        &[
            "deliveries: { id: frame.json.id, containing: '\"id\"', within: 5s }",
            "steps:",
            "- { step: open, connect: '{{ target.url }}', member_of: 'room {{ chat.number }}' }",
            "- { step: say, send: { json: { id: own } }, publish: { id: own, to: 'room {{ chat.number }}' } }",
            "- { step: hear, when: chat.number > 1, receive: true }",
            CLOSE,
        ],
    );
    chat.pass("open").await;
    assert_eq!(chat.delivered(2).await, ["m-1", "7"]);
    chat.pass("say").await;
    assert_eq!(chat.delivered(3).await[2], "own");
    chat.pass("end").await;
    chat.closed().await;
    assert_eq!(
        chat.words(),
        [
            "opened",
            "joined",
            "delivered",
            "delivered",
            "published",
            "delivered",
            "left",
            "ended",
            "closed"
        ],
        "no frame is kept for a chat that receives none"
    );
    let rooms = |event: &SessionEvent| match event {
        SessionEvent::Joined { room, .. } | SessionEvent::Published { room, .. } => {
            Some(room.to_string())
        }
        _ => None,
    };
    assert_eq!(chat.told(2, rooms).await, ["room 1", "room 1"]);
}

#[tokio::test]
async fn a_socket_that_the_target_ends_leaves_its_room() {
    let url = server(async |socket: WebSocketStream<TcpStream>| drop(socket)).await;
    let mut chat = Chat::new(
        &url,
        &[
            "deliveries: { id: frame.text, within: 5s }",
            "steps:",
            "- { step: open, connect: '{{ target.url }}', member_of: lobby }",
        ],
    );
    chat.pass("open").await;
    assert_eq!(chat.closed().await, (None, "network"));
    assert_eq!(
        chat.words(),
        ["opened", "joined", "left", "ended", "closed"]
    );
}
