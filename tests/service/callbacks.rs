//! Events over real sockets: whatever targets send, it is answered at once and accounted for.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chatprobe::{
    callbacks::{CallbackLimits, Claims, Exchange, Path, receiver},
    document::{Problems, parse},
    event::{
        Fate, Mode, Observer, Observers, RunEvent, RunIdentity, RunObserver, ServiceEvent, Subject,
        Trigger,
    },
    inbox::{Inbound, Inbox, WaitError},
    scenario::{Match, RunScope, Scenario, Scope, WaitSources},
    target::Target,
};
use reqwest::{Client, Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(10);
const SCENARIO: &str = "scenario: s\ncallbacks: { key: event.key }\nsteps: [{ think: 0s }]\n";

/// Counts what is received and what becomes of it.
#[derive(Default)]
struct Ledger(Mutex<(u64, BTreeMap<Fate, u64>)>);

impl RunObserver for Ledger {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        let mut ledger = self.0.lock().unwrap();
        match event {
            RunEvent::CallbackReceived { .. } => ledger.0 += 1,
            RunEvent::CallbackSettled(fate) => *ledger.1.entry(*fate).or_default() += 1,
            _ => {}
        }
    }
}

impl Observer for Ledger {
    fn observe_service(&self, event: &ServiceEvent) {
        if let ServiceEvent::StrayCallback(fate) = event {
            *self.0.lock().unwrap().1.entry(*fate).or_default() += 1;
        }
    }
}

/// A chat that has claimed a key.
struct Chat {
    inbox: Inbox,
    _claims: Claims,
}

/// A listener for the events of one run.
struct Listener {
    address: String,
    url: String,
    client: Client,
    path: Option<Path>,
    of_run: Arc<Ledger>,
    of_nobody: Arc<Ledger>,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Listener {
    async fn start() -> Self {
        Self::of(SCENARIO).await
    }

    /// For the events of this scenario.
    async fn of(scenario: &str) -> Self {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let problems = Problems::default();
        let scenario = Scenario::read(&parse("s.yaml", scenario).unwrap(), &problems).unwrap();
        let subject = Subject {
            scenario: "s".into(),
            target: "t".into(),
            mode: Mode::Burst,
        };
        let run = Arc::new(RunIdentity::new("run".into(), subject, Trigger::Api));
        let (of_run, of_nobody) = (Arc::<Ledger>::default(), Arc::<Ledger>::default());
        let exchange = Exchange::new(
            CallbackLimits::default(),
            Observers::default().and(of_nobody.clone()),
        );
        let scenario = Arc::new(scenario);
        let observers = Observers::default().of_run(&run, &scenario);
        let path = exchange.open(
            scenario,
            Arc::new(Target::new("t", "http://127.0.0.1")),
            Scope::of_run(Arc::new(RunScope::default())),
            observers.with_counters(of_run.clone()),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stop = CancellationToken::new();
        Self {
            url: format!("http://{address}/{}", path.token()),
            address,
            client: Client::new(),
            path: Some(path),
            of_run,
            of_nobody,
            served: tokio::spawn(receiver::serve(listener, exchange, stop.clone())),
            stop,
        }
    }

    fn chat(&self, key: &str) -> Chat {
        let path = self.path.as_ref().unwrap();
        let inbox = path.inbox();
        let mut claims = path.claims(&inbox);
        claims.claim(key.to_owned()).unwrap();
        Chat {
            inbox,
            _claims: claims,
        }
    }

    async fn post(&self, url: &str, body: impl Into<reqwest::Body>) -> u16 {
        let request = self.client.post(url).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    /// The status and the text of the answer to a request.
    async fn told(
        &self,
        method: Method,
        query: &str,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String) {
        let url = format!("{}{query}", self.url);
        let answer = self.client.request(method, url).body(body);
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends a request byte by byte as written; gives back the status.
    async fn raw(&self, request: &str) -> u16 {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        status(&mut stream).await
    }

    fn token(&self) -> &str {
        self.path.as_ref().unwrap().token()
    }

    /// Ends the run and the listener; all events are settled then.
    async fn finish(mut self, expected: &[(Fate, u64)]) {
        self.path = None;
        let (received, fates) = self.of_run.0.lock().unwrap().clone();
        assert_eq!(fates, expected.iter().copied().collect());
        assert_eq!(received, fates.values().sum::<u64>());
        self.stop.cancel();
        drop(self.client);
        let served = tokio::time::timeout(PATIENCE, self.served).await;
        served.expect("it stops").unwrap();
    }
}

async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

fn reply(inbound: &Inbound) -> Match {
    let kind = inbound.event.get_attr("kind").unwrap_or_default();
    if kind.as_str() == Some("reply") {
        Match::Wanted
    } else {
        Match::Other
    }
}

async fn wait(chat: &mut Chat, since: Instant) -> Result<Inbound, WaitError> {
    chat.inbox
        .wait(
            WaitSources::Callbacks,
            since,
            Instant::now() + PATIENCE,
            reply,
            |_| {},
        )
        .await
}

fn event(key: impl Into<Value>) -> String {
    json!({ "key": key.into(), "kind": "reply" }).to_string()
}

#[tokio::test]
async fn an_event_is_known_by_its_json_whatever_its_method_and_content_type() {
    let listener = Listener::start().await;
    let since = Instant::now();
    // The first events come before anybody knows the key.
    let types = [
        None,
        Some("application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("text/plain; charset=nonsense"),
    ];
    let mut sent = 0;
    for method in [Method::POST, Method::GET, Method::PUT] {
        for content_type in types {
            let mut request = listener.client.request(method.clone(), &listener.url);
            if let Some(content_type) = content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            let answer = request.body(event(123)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{method} {content_type:?}");
            sent += 1;
        }
    }
    let below = format!("{}/events/new?x=1", listener.url);
    assert_eq!(listener.post(&below, event("123")).await, 200);
    sent += 1;
    let mut chat = listener.chat("123");
    for _ in 0..sent {
        wait(&mut chat, since).await.unwrap();
    }
    drop(chat);
    listener.finish(&[(Fate::Consumed, sent)]).await;
}

#[tokio::test]
async fn a_waiting_chat_gets_its_event_with_the_time_at_which_it_reached_the_socket() {
    let listener = Listener::start().await;
    let mut chat = listener.chat("a");
    let since = Instant::now();
    let (inbound, status) = tokio::join!(
        wait(&mut chat, since),
        listener.post(&listener.url, event("a"))
    );
    assert_eq!(status, 200);
    let arrived = inbound.unwrap().arrived;
    assert!(since <= arrived && arrived <= Instant::now());
    drop(chat);
    assert_eq!(listener.post(&listener.url, event("a")).await, 200);
    listener
        .finish(&[(Fate::Consumed, 1), (Fate::Late, 1)])
        .await;
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_counted() {
    let listener = Listener::start().await;
    for body in ["key=a&kind=reply", "{\"key\":", "{}{}"] {
        assert_eq!(listener.post(&listener.url, body).await, 400, "{body}");
    }
    let (status, why) = listener.told(Method::POST, "", "{\"key\": x}").await;
    assert_eq!(status, 400);
    assert!(
        why.starts_with("not JSON: ") && why.contains("at byte 8"),
        "{why}"
    );
    listener.finish(&[(Fate::Rejected, 4)]).await;
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_in_the_answer() {
    let scenario = SCENARIO.replace("event.key", "event.key, accept: 'false'");
    let listener = Listener::of(&scenario).await;
    let (status, why) = listener.told(Method::POST, "", event("a")).await;
    assert_eq!(status, 401);
    assert!(why.contains("`accept`"), "{why}");
    let huge = " ".repeat(CallbackLimits::default().max_body_bytes + 1);
    let (status, why) = listener.told(Method::POST, "", huge).await;
    assert_eq!(status, 413);
    assert!(why.contains("65536 bytes"), "{why}");
    let base = format!("http://{}/nobody", listener.address);
    let answer = listener.client.post(base).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("no run has this path")
    );
    listener.finish(&[(Fate::Rejected, 2)]).await;
}

#[tokio::test]
async fn the_path_is_found_wherever_it_stands_in_the_address() {
    let listener = Listener::start().await;
    let since = Instant::now();
    let (base, token) = (format!("http://{}", listener.address), listener.token());
    let paths = ["/TOKEN", "/hooks/TOKEN", "/a/b/TOKEN/events/7", "//TOKEN/"];
    for path in paths {
        let url = format!("{base}{}", path.replace("TOKEN", token));
        assert_eq!(listener.post(&url, event("a")).await, 200, "{path}");
    }
    let mut chat = listener.chat("a");
    for _ in paths {
        wait(&mut chat, since).await.unwrap();
    }
    drop(chat);
    listener.finish(&[(Fate::Consumed, 4)]).await;
}

#[tokio::test]
async fn forms_compressed_bodies_and_queries_are_events() {
    let listener = Listener::start().await;
    let since = Instant::now();
    let send = async |request: reqwest::RequestBuilder| {
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    let (client, url) = (&listener.client, &listener.url);
    let kind = "application/x-www-form-urlencoded";
    let form = client.post(url).header(CONTENT_TYPE, kind);
    send(form.body("key=a&kind=reply&text=%C3%BC")).await;
    send(client.get(format!("{url}?key=a&kind=reply"))).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, event("a").as_bytes()).unwrap();
    let zipped = client.post(url).header("content-encoding", "gzip");
    send(zipped.body(gzip.finish().unwrap())).await;
    let mut chat = listener.chat("a");
    for _ in 0..3 {
        wait(&mut chat, since).await.unwrap();
    }
    let refused = async |coding: &str, body: Vec<u8>| {
        let request = client.post(url).header("content-encoding", coding);
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let beyond = vec![b' '; CallbackLimits::default().max_body_bytes + 1];
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &beyond).unwrap();
    assert_eq!(refused("gzip", bomb.finish().unwrap()).await, 413);
    assert_eq!(refused("gzip", vec![1, 2, 3]).await, 400);
    assert_eq!(refused("zstd", vec![1, 2, 3]).await, 415);
    drop(chat);
    listener
        .finish(&[(Fate::Consumed, 3), (Fate::Rejected, 3)])
        .await;
}

#[tokio::test]
async fn requests_that_only_ask_are_answered_and_are_no_events() {
    let verify =
        "verify: { when: \"query['hub.challenge']\", answer: \"{{ query['hub.challenge'] }}\" }";
    let scenario = SCENARIO.replace("event.key", &format!("event.key, {verify}"));
    let listener = Listener::of(&scenario).await;
    let question = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=x";
    let (status, text) = listener.told(Method::GET, question, "").await;
    assert_eq!((status, &*text), (200, "1158201444"));
    for (method, body) in [(Method::HEAD, ""), (Method::GET, ""), (Method::POST, "")] {
        assert_eq!(listener.told(method, "", body).await, (200, String::new()));
    }
    listener.finish(&[]).await;
}

#[tokio::test]
async fn an_event_for_nobody_is_answered_and_counted() {
    let listener = Listener::start().await;
    let base = format!("http://{}", listener.address);
    for path in ["/", "/nobody", "/nobody/else", "//x", "/%ff"] {
        let status = listener.post(&format!("{base}{path}"), event("a")).await;
        assert_eq!(status, 404, "{path}");
    }
    assert_eq!(listener.post(&listener.url, "{}").await, 200);
    assert_eq!(listener.post(&listener.url, event("stranger")).await, 200);
    let fates = listener.of_nobody.0.lock().unwrap().1.clone();
    assert_eq!(fates, [(Fate::Unknown, 5)].into());
    listener
        .finish(&[(Fate::Unknown, 1), (Fate::EarlyExpired, 1)])
        .await;
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_above_it_is_not() {
    let listener = Listener::start().await;
    let limit = CallbackLimits::default().max_body_bytes;
    let padded = |length: usize| {
        let bare = json!({ "text": "" }).to_string().len();
        json!({ "text": "x".repeat(length - bare) }).to_string()
    };
    assert_eq!(listener.post(&listener.url, padded(limit)).await, 200);
    assert_eq!(listener.post(&listener.url, padded(limit + 1)).await, 413);
    // A length that is only announced costs nothing.
    let token = listener.token().to_owned();
    let huge = format!(
        "POST /{token} HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{}",
        padded(limit + 1)
    );
    assert_eq!(listener.raw(&huge).await, 413);
    listener
        .finish(&[(Fate::Unknown, 1), (Fate::Rejected, 2)])
        .await;
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_off_at_the_limit() {
    let listener = Listener::start().await;
    let mut stream = TcpStream::connect(&listener.address).await.unwrap();
    let head = format!(
        "POST /{} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        listener.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let (mut reader, mut writer) = stream.split();
    let mut answer = [0; 12];
    let sending = async {
        while writer.write_all(chunk.as_bytes()).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = reader.read_exact(&mut answer) => read.unwrap(),
        () = sending => unreachable!("it only sends"),
        () = tokio::time::sleep(PATIENCE) => panic!("it reads for ever"),
    };
    assert_eq!(&answer[9..], b"413");
    listener.finish(&[(Fate::Rejected, 1)]).await;
}

#[tokio::test]
async fn a_sender_that_breaks_off_in_the_middle_is_counted() {
    let listener = Listener::start().await;
    let mut stream = TcpStream::connect(&listener.address).await.unwrap();
    let half = format!(
        "POST /{} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{",
        listener.token()
    );
    stream.write_all(half.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // The receiver closes once it has seen the end.
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
    listener.finish(&[(Fate::Rejected, 1)]).await;
}

#[tokio::test]
async fn many_events_at_once_all_reach_their_chats() {
    let listener = Listener::start().await;
    let since = Instant::now();
    let posts: Vec<_> = (0..200)
        .map(|key| {
            let request = listener.client.post(&listener.url).body(event(key));
            tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
        })
        .collect();
    for key in 0..200 {
        let mut chat = listener.chat(&key.to_string());
        wait(&mut chat, since).await.unwrap();
    }
    for post in posts {
        assert_eq!(post.await.unwrap(), 200);
    }
    listener.finish(&[(Fate::Consumed, 200)]).await;
}
