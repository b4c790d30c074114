//! What stands in a request, and which are refused or only ask.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::*;

struct Sent {
    headers: HeaderMap,
    method: &'static str,
    query: Option<&'static str>,
    body: Vec<u8>,
}

fn post(body: impl Into<Vec<u8>>) -> Sent {
    Sent {
        headers: HeaderMap::new(),
        method: "POST",
        query: None,
        body: body.into(),
    }
}

fn get(query: &'static str) -> Sent {
    Sent {
        method: "GET",
        query: (!query.is_empty()).then_some(query),
        ..post("")
    }
}

fn form(body: &str) -> Sent {
    post(body).header(
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

impl Sent {
    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        self
    }

    fn to(&self, bench: &Bench, run: &TestRun) -> Result<Reception, CallbackRefusal> {
        let request = Request {
            method: self.method,
            query: self.query,
            headers: &self.headers,
            body: self.body.clone().into(),
        };
        let path = format!("/events/{}", run.token);
        bench
            .exchange
            .deliver(&path, Arrival::unstamped(), &request)
    }
}

/// What the chats `a` and `b` get of requests, as JSON.
async fn seen(callbacks: &str, requests: &[Sent]) -> Vec<Value> {
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    for request in requests {
        assert_eq!(request.to(&bench, &run), Ok(Reception::Taken));
    }
    let mut seen = Vec::new();
    for key in ["a", "b"] {
        let mut chat = run.chat_with(key);
        let since = Instant::now() - Duration::from_secs(1);
        while let Ok(inbound) = chat.wait(since, Instant::now(), |_| Match::Wanted).await {
            seen.push(serde_json::to_value(&inbound.event).unwrap());
        }
    }
    run.end();
    seen
}

fn verified(bench: &Bench, run: &TestRun, sent: &Sent) -> (u16, String, String) {
    match sent.to(bench, run) {
        Ok(Reception::Verified(answer)) => {
            (answer.status, answer.content_type.to_string(), answer.body)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn events_come_as_forms_with_json_in_a_field_or_in_the_query() {
    tokio::time::advance(Duration::from_mins(1)).await;
    let requests = [
        form("key=a&kind=two+words&tag=x&tag=y"),
        form("key=a&payload=%7B%22n%22%3A%5B1%5D%7D&note=%7Bno+json"),
        get("key=a&kind=%C3%A4"),
        form(r#" {"key":"a"}"#),
    ];
    let expected = [
        json!({ "key": "a", "kind": "two words", "tag": ["x", "y"] }),
        json!({ "key": "a", "payload": { "n": [1] }, "note": "{no json" }),
        json!({ "key": "a", "kind": "ä" }),
        json!({ "key": "a" }),
    ];
    assert_eq!(seen("{ key: event.key }", &requests).await, expected);
    let nested = [form("payload=%7B%22key%22%3A%22a%22%7D")];
    assert_eq!(seen("{ key: event.payload.key }", &nested).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn headers_query_and_method_can_tell_the_key_and_the_id() {
    tokio::time::advance(Duration::from_mins(1)).await;
    let callbacks = "{ key: \"query['chat.id']\", id: \"method ~ headers['x-delivery']\" }";
    let sent = |delivery| Sent {
        query: Some("chat.id=a"),
        ..post(r#"{"n":1}"#).header("x-delivery", delivery)
    };
    let requests = [sent("1"), sent("1"), sent("2")];
    assert_eq!(seen(callbacks, &requests).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn several_events_in_one_delivery_are_accounted_for_one_by_one() {
    tokio::time::advance(Duration::from_mins(1)).await;
    let events = r#"[{"key":"a","n":1},{"key":"b","n":2},{"key":"a","n":3},{"n":4}]"#;
    let wrapped = format!(r#"{{"events":{events}}}"#);
    let nested = format!(r#"{{"entry":[{{"messaging":{events}}},{{"messaging":[]}}]}}"#);
    let of_whole = r#"{"chat":"a","events":[{"n":1},{"n":3}]}"#.to_owned();
    for (callbacks, body, expected) in [
        ("{ key: event.key }", events.to_owned(), &[1, 3, 2][..]),
        (
            "{ key: event.key, events: event }",
            events.to_owned(),
            &[1, 3, 2],
        ),
        (
            "{ key: event.key, events: event.events }",
            wrapped,
            &[1, 3, 2],
        ),
        (
            "{ key: event.key, events: \"event.entry | map(attribute='messaging')\" }",
            nested,
            &[1, 3, 2],
        ),
        (
            "{ key: delivery.chat, events: event.events }",
            of_whole,
            &[1, 3],
        ),
        // A delivery without the list is one event.
        (
            "{ key: event.key, events: event.events }",
            r#"{"key":"a","n":7}"#.to_owned(),
            &[7],
        ),
    ] {
        let seen = seen(callbacks, &[post(body)]).await;
        let numbers: Vec<_> = seen
            .iter()
            .map(|event| event["n"].as_i64().unwrap())
            .collect();
        assert_eq!(numbers, expected, "{callbacks}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_with_too_many_events_is_refused_as_a_whole() {
    let bench = Bench::with("{ key: event.key }", CallbackLimits::default());
    let mut run = bench.run();
    let many = |count: usize| post(format!("[{}{{}}]", "{},".repeat(count - 1)));
    assert_eq!(many(1_000).to(&bench, &run), Ok(Reception::Taken));
    let refused = many(1_001).to(&bench, &run).unwrap_err();
    assert_eq!(refused.status(), 413);
    run.end();
    let fates = run.fates();
    assert_eq!(fates.len(), 1_001);
    assert_eq!(fates.last(), Some(&Fate::Rejected));
}

#[tokio::test(start_paused = true)]
async fn empty_requests_ask_whether_anybody_is_there_and_are_no_events() {
    let bench = Bench::new();
    let mut run = bench.run();
    let head = Sent {
        method: "HEAD",
        ..get("key=a")
    };
    for sent in [get(""), post(""), post(" \r\n"), head] {
        let (status, _, body) = verified(&bench, &run, &sent);
        assert_eq!((status, &*body), (200, ""));
    }
    run.end();
    assert_eq!(run.fates(), []);
    assert_eq!(run.ledger.entries().verified, 4);
}

#[tokio::test(start_paused = true)]
async fn verifications_are_answered_as_the_scenario_says_and_are_no_events() {
    let callbacks = r#"{ key: event.key, verify: [
        { when: event.type == "url_verification", answer: "{{ event.challenge }}" },
        { when: "method == 'GET' and query['hub.challenge']", answer: "{{ query['hub.challenge'] }}" },
        { when: "headers['x-hook-secret']", status: 201, headers: { x-hook-secret: "{{ headers['x-hook-secret'] }}" } },
        { when: query.crc, content_type: application/json, answer: '{ "token": "{{ query.crc }}" }' },
        { when: "raw_body == 'ping'", answer: pong },
        { when: event.broken, answer: "{{ event.nothing }}" } ] }"#;
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    let plain = "text/plain; charset=utf-8".to_owned();
    let slack = post(r#"{"type":"url_verification","challenge":"3eZb"}"#);
    let answer = verified(&bench, &run, &slack);
    assert_eq!(answer, (200, plain.clone(), "3eZb".to_owned()));
    let meta = get("hub.mode=subscribe&hub.challenge=007");
    let answer = verified(&bench, &run, &meta);
    assert_eq!(answer, (200, plain.clone(), "007".to_owned()));
    let asana = post("").header("x-hook-secret", "s3");
    match asana.to(&bench, &run) {
        Ok(Reception::Verified(answer)) => {
            assert_eq!(answer.status, 201);
            assert_eq!(
                answer.headers,
                [("x-hook-secret".to_owned(), "s3".to_owned())]
            );
        }
        other => panic!("{other:?}"),
    }
    let answer = verified(&bench, &run, &get("crc=x"));
    let json = "application/json".to_owned();
    assert_eq!(answer, (200, json, r#"{ "token": "x" }"#.to_owned()));
    let answer = verified(&bench, &run, &post("ping"));
    assert_eq!(answer, (200, plain, "pong".to_owned()));
    assert_eq!(
        post(r#"{"key":"a"}"#).to(&bench, &run),
        Ok(Reception::Taken)
    );
    let broken = post(r#"{"broken":true}"#).to(&bench, &run).unwrap_err();
    assert_eq!(broken.status(), 500);
    run.end();
    assert_eq!(run.ledger.entries().verified, 5);
    assert_eq!(run.fates(), [Fate::Rejected, Fate::EarlyExpired]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_accepted_is_rejected() {
    let callbacks =
        r#"{ key: event.key, accept: "headers.signature == (raw_body | length | string)" }"#;
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    let body = r#"{"key":"a"}"#;
    let signed = post(body).header("signature", "11");
    assert_eq!(signed.to(&bench, &run), Ok(Reception::Taken));
    for forged in [post(body), post(body).header("signature", "12")] {
        let refused = forged.to(&bench, &run).unwrap_err();
        assert_eq!(
            (refused.status(), &refused),
            (401, &CallbackRefusal::NotAccepted)
        );
    }
    run.end();
    assert_eq!(
        run.fates(),
        [Fate::Rejected, Fate::Rejected, Fate::EarlyExpired]
    );
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_cannot_be_computed_accepts_nothing() {
    let callbacks = r#"{ key: event.key, accept: "event.n + 1 > 0" }"#;
    let bench = Bench::with(callbacks, CallbackLimits::default());
    let mut run = bench.run();
    let refused = post(r#"{"key":"a","n":[]}"#).to(&bench, &run).unwrap_err();
    assert_eq!(refused.status(), 401);
    let findings = bench.exchange.findings();
    assert!(findings[0].contains("s.yaml:2:"), "{findings:?}");
    run.end();
    assert_eq!(run.fates(), [Fate::Rejected]);
}

#[test]
fn the_reason_of_a_refusal_shows_no_secret() {
    // Each fails with a message that quotes what it saw: there is no encoding of this name.
    for (callbacks, detail) in [
        (
            "accept: 'raw_body | sha256(target.word)'",
            "there is no encoding `***`",
        ),
        (
            "accept: 'raw_body | sha256(event.access_token)'",
            "there is no encoding `***`",
        ),
        (
            "accept: 'raw_body | sha256(headers.authorization[7:])'",
            "there is no encoding `***`",
        ),
        (
            "accept: 'raw_body | sha256(query.api_key)'",
            "there is no encoding `***`",
        ),
        (
            "events: 'event.name | sha256(target.word ~ event.name)'",
            "there is no encoding `***Jane`",
        ),
        (
            "verify: [{ when: event.name, answer: '{{ event.name | sha256(event.access_token) }}' }]",
            "there is no encoding `***`",
        ),
    ] {
        let callbacks = format!("{{ key: event.key, {callbacks} }}");
        let body = r#"{ "key": "a", "name": "Jane", "access_token": "t-0123456789" }"#;
        let compressed = post(gzip(body)).header("content-encoding", "gzip");
        for sent in [post(body), compressed] {
            let bench = Bench::with(&callbacks, CallbackLimits::default());
            let run = bench.run();
            let mut sent = sent.header("authorization", "Bearer h-0123456789");
            sent.query = Some("api_key=q-0123456789");
            sent.to(&bench, &run).unwrap_err();
            let findings = bench.exchange.findings();
            assert!(findings[0].contains(detail), "{callbacks}: {findings:?}");
            for secret in [SECRET, "0123456789"] {
                assert!(!findings[0].contains(secret), "{callbacks}: {findings:?}");
            }
        }
    }
}

#[test]
fn confidential_values_are_read_from_the_content_and_the_body_is_not_decompressed_again() {
    let sent = post(gzip(r#"{ "password": "in-the-body" }"#)).header("content-encoding", "gzip");
    let request = Request::post(&sent.headers, sent.body);
    let content = br#"{ "password": "in-the-content" }"#;
    let mut values = request.confidential_values(content);
    values.dedup();
    assert_eq!(values, ["in-the-content"]);
}

#[test]
fn a_form_is_known_by_its_content_type() {
    let bench = Bench::new();
    let run = bench.run();
    for (kind, taken) in [
        ("application/x-www-form-urlencoded", true),
        ("Application/X-WWW-Form-Urlencoded;charset=UTF-8", true),
        ("text/plain", false),
        ("application/json", false),
    ] {
        let mut sent = post("key=a&kind=reply");
        sent.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        assert_eq!(sent.to(&bench, &run).is_ok(), taken, "{kind}");
    }
}
