//! The same seed asks a target the same, in the same order, with the same pauses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE},
};
use serde_json::Value;
use tokio::{net::TcpListener, time::Instant};

use crate::support::{Centre, Finished, Folder, QUICK, Run, install_crypto, shipped};

/// Each pause is drawn from this.
const PAUSE: &str = "{ uniform: [0s, 800ms] }";
/// What a machine at work may add to a pause without it being another one.
const NOISE: Duration = Duration::from_millis(100);
/// Draws when agents join and which requests fail.
const SETTINGS: &str = "{ seed: 5, join: { uniform: [10ms, 60ms] }, \
    faults: { errors: [{ probability: 0.3, status: 503, only: [engagement_create] }] } }";

/// Between chatprobe and the centre; keeps what was asked and when.
struct Listener {
    centre: String,
    client: reqwest::Client,
    asked: Mutex<Vec<(Instant, String)>>,
}

impl Listener {
    async fn start(centre: &Centre) -> (Arc<Self>, String) {
        install_crypto();
        let listener = Arc::new(Self {
            centre: centre.url.clone(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            asked: Mutex::default(),
        });
        let routes = Router::new().fallback(pass_on).with_state(listener.clone());
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        tokio::spawn(axum::serve(socket, routes).into_future());
        (listener, url)
    }
}

async fn pass_on(
    State(listener): State<Arc<Listener>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Bytes) {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let asked = (Instant::now(), format!("{method} {uri} {text}"));
    listener.asked.lock().unwrap().push(asked);
    let url = format!("{}{uri}", listener.centre);
    let mut request = listener.client.request(method, url).body(body);
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, kind);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap())
}

/// What one run asked, in the order of time.
struct Record(Vec<(Instant, String)>);

impl Record {
    /// Of a run against a centre of its own; `prepare` gets the address.
    async fn of(settings: &str, prepare: impl Fn(&str) -> Run) -> (Self, Finished) {
        let centre = Centre::start(settings).await;
        let (listener, url) = Listener::start(&centre).await;
        let run = prepare(&url).done().await;
        let id = run.report["id"].as_str().unwrap();
        let asked = std::mem::take(&mut *listener.asked.lock().unwrap());
        // Where events go and what the run is called is drawn anew for each run, and what the centre
        // gives out begins with the second in which it began.
        let ids = asked
            .iter()
            .find_map(|(_, text)| text.split_once("\"sessionId\":\"se-"));
        let began = ids.unwrap().1.get(..10).unwrap();
        let asked = asked
            .iter()
            .filter(|(_, text)| !text.contains("callbackUrl"))
            .map(|(at, text)| (*at, text.replace(id, "RUN").replace(began, "BEGAN")))
            .collect();
        (Self(asked), run)
    }

    fn texts(&self) -> Vec<&str> {
        self.0.iter().map(|(_, text)| &**text).collect()
    }

    /// By the number of the chat: what it asked, but for what the centre calls it, and how long it
    /// was silent before.
    fn by_chat(&self) -> BTreeMap<u64, (Vec<String>, Vec<Duration>)> {
        let mut chats = BTreeMap::<u64, (Vec<String>, Vec<Duration>)>::new();
        let mut latest = BTreeMap::new();
        for (at, text) in &self.0 {
            let Some((_, rest)) = text.split_once("Customer ") else {
                continue;
            };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let chat = digits.parse().unwrap();
            let (texts, pauses) = chats.entry(chat).or_default();
            texts.push(without_ids(text));
            let before = latest.insert(chat, *at);
            pauses.extend(before.map(|before| *at - before));
        }
        chats
    }
}

/// Which chat gets which id depends on who comes first.
fn without_ids(text: &str) -> String {
    let (head, body) = text.split_at(text.find('{').unwrap());
    let path: Vec<_> = head.split('/').collect();
    let path = path.iter().enumerate().map(|(at, part)| {
        let is_id = at > 0 && path[at - 1] == "engagements";
        if is_id { "ID" } else { part }
    });
    let path: Vec<_> = path.collect();
    let mut body: Value = serde_json::from_str(body).unwrap();
    for id in ["sessionId", "correlationId", "dialogId", "parentMessageId"] {
        if let Some(value) = body.get_mut(id).filter(|value| **value != "") {
            *value = "ID".into();
        }
    }
    format!("{}{body}", path.join("/"))
}

/// The shipped scenario with pauses that are drawn.
fn with_pauses(url: &str, seed: &str) -> Run {
    let mut scenario = std::fs::read_to_string(shipped("scenarios/contact-center-chat.yaml"));
    let text = scenario.as_mut().unwrap();
    for (from, to) in [
        ("scenario: contact-center-chat", "scenario: drawn-pauses"),
        ("\"{{ inputs.session_pause }}\"", PAUSE),
        ("\"{{ inputs.first_message_delay }}\"", PAUSE),
        ("\"{{ inputs.reply_delay }}\"", PAUSE),
    ] {
        assert!(text.contains(from), "the scenario has no `{from}`");
        *text = text.replace(from, to);
    }
    let folder = Folder::new();
    let file = folder.write("drawn.yaml", text);
    Run::new(folder, &file, url)
        .load("{ chats: 5 }")
        .with(&["--seed", seed])
}

type Chats = BTreeMap<u64, (Vec<String>, Vec<Duration>)>;

async fn chats_with(seed: &str) -> Chats {
    let (record, run) = Record::of("{ seed: 5 }", |url| with_pauses(url, seed)).await;
    assert_eq!(run.exits(0).chats("passed"), 5);
    record.by_chat()
}

fn texts(chats: &Chats) -> Vec<&Vec<String>> {
    chats.values().map(|(texts, _)| texts).collect()
}

/// How many pauses are others, of how many.
fn differing(one: &Chats, other: &Chats) -> (usize, usize) {
    let pauses = |chats: &Chats| -> Vec<Duration> {
        let all = chats.values();
        all.flat_map(|(_, pauses)| pauses.clone()).collect()
    };
    let (one, other) = (pauses(one), pauses(other));
    assert_eq!(one.len(), other.len());
    let pairs = one.iter().zip(&other);
    let differing = pairs.filter(|(one, other)| one.abs_diff(**other) > NOISE);
    (differing.count(), one.len())
}

#[tokio::test]
async fn each_chat_asks_the_same_with_the_pauses_of_the_seed() {
    let mut runs = vec![chats_with("7").await];
    // A machine that stalls makes a pause longer. That does not make equal what was drawn anew:
    // twenty of those do not agree by chance.
    let (first, of) = loop {
        let next = chats_with("7").await;
        assert_eq!(texts(&next), texts(&runs[0]));
        let alike = runs.iter().find(|run| differing(run, &next).0 == 0);
        if let Some(alike) = alike {
            break (alike.clone(), differing(alike, &next).1);
        }
        assert!(runs.len() < 5, "no two runs had the same pauses: {runs:#?}");
        runs.push(next);
    };
    assert_eq!(of, 5 * 4, "a session, a chat, two messages and a goodbye");

    let other = chats_with("8").await;
    assert_eq!(texts(&other), texts(&first), "the seed draws pauses only");
    let (others, of) = differing(&first, &other);
    assert!(
        others > of / 2,
        "{others} of {of} differ: {first:#?} {other:#?}"
    );
}

#[tokio::test]
async fn one_chat_at_a_time_asks_the_same_in_the_same_order() {
    let mut records = Vec::new();
    for _ in 0..2 {
        let prepare = |url: &str| {
            let inputs: BTreeMap<String, String> = serde_yaml::from_str(QUICK).unwrap();
            let inputs = inputs.iter().map(|(name, value)| format!("{name}={value}"));
            let run = Run::new(Folder::new(), "contact-center-chat", url);
            inputs
                .fold(run, |run, input| run.with(&["--input", &input]))
                .load("{ customers: 1, for: 2s }")
                .with(&["--seed", "7"])
        };
        let (record, run) = Record::of(SETTINGS, prepare).await;
        let run = run.exits(1);
        assert!(
            run.chats("passed") > 0 && run.failed("engagement_create", "status") > 0,
            "{run:#?}"
        );
        records.push(record);
    }
    let (one, other) = (records[0].texts(), records[1].texts());
    // How many chats there is time for may differ; the last request is the teardown's.
    let common = one.len().min(other.len()) - 1;
    assert!(common > 20, "{one:#?} {other:#?}");
    for (at, (one, other)) in one.iter().zip(other).take(common).enumerate() {
        assert_eq!(*one, other, "request {at}");
    }
}
