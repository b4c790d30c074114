//! Answers that are event streams: their messages are waited for as frames are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, Folder, Line, Run, Script, answer};

/// One chat of these steps.
async fn run(server: &Script, steps: &str) -> Finished {
    let folder = Folder::new();
    let scenario = format!("scenario: streams\nsteps:\n{steps}");
    let scenario = folder.write("streams.yaml", &scenario);
    let run = Run::new(folder, &scenario, &server.url).load("{ chats: 1 }");
    run.finish(run.start()).await
}

fn step<'a>(finished: &'a Finished, name: &str) -> &'a Value {
    let steps = finished.report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap()
}

fn failure(finished: &Finished) -> (&str, &str) {
    assert_eq!(finished.code, 1, "{finished:?}");
    let failure = &finished.report["failures"][0];
    let text = |key: &str| failure[key].as_str().unwrap();
    (text("reason"), text("detail"))
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

async fn chunk(line: &mut Line, text: &str) {
    let length = text.len();
    line.write(format!("{length:x}\r\n{text}\r\n")).await;
}

const ASK: &str = "
  - step: answer
    http: { post: '{{ target.url }}/ask', json: { q: hi }, stream: sse }
    expect: headers['content-type'] == 'text/event-stream'
";

#[tokio::test]
async fn messages_are_waited_for_while_they_come() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(HEAD).await;
        chunk(&mut line, ": hello\n\n").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // In two pieces, neither of which is a message.
        chunk(&mut line, "event: token\nid: 7\ndata: {\"text\":").await;
        chunk(&mut line, " \"Hel\"}\n\n").await;
        chunk(&mut line, "data: [DONE]\n\n").await;
        line.write("0\r\n\r\n").await;
        // The next request comes on another connection.
        line.request().await;
    })
    .await;
    let steps = format!(
        "{ASK}
  - step: first_token
    receive: message.event == 'token'
    since: answer
    capture: {{ text: message.json.text, id: message.id }}
  - step: done
    receive: message.data == '[DONE]'
    expect: text == 'Hel' and id == '7'
"
    );
    let finished = run(&server, &steps).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    let latency = |name: &str| step(&finished, name)["latency"]["max"].as_f64().unwrap();
    assert!(latency("answer") < 0.3, "the head is the answer");
    assert!(latency("first_token") >= 0.3);
    let sockets = &finished.report["sockets"];
    assert_eq!(sockets["opened"], 1, "{sockets:#}");
    let received = json!({ "text": 2, "binary": 0, "bytes": 21 });
    assert_eq!(sockets["received"], received);
}

#[tokio::test]
async fn a_stream_that_ends_or_breaks_off_ends_the_wait() {
    for (end, says) in [
        ("0\r\n\r\n", "ended the event stream"),
        ("5\r\nda", "broke off"),
    ] {
        let server = Script::start(move |mut line| async move {
            line.request().await;
            line.write(HEAD).await;
            chunk(&mut line, "data: only\n\n").await;
            line.write(end).await;
        })
        .await;
        let wait = "\n  - { step: hear, receive: message.data == 'more', timeout: 20s }";
        let finished = run(&server, &format!("{ASK}{wait}")).await;
        let (reason, detail) = failure(&finished);
        assert_eq!(reason, "closed", "{detail}");
        assert!(detail.contains(says), "{detail}");
    }
}

#[tokio::test]
async fn what_is_no_event_stream_fails_the_step() {
    let server =
        Script::answering(|_| answer(200, "content-type: text/plain\r\n", "data: a\n\n")).await;
    let finished = run(
        &server,
        "
  - step: answer
    http: { get: '{{ target.url }}/', stream: sse }
",
    )
    .await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "expectation");
    assert!(detail.contains("text/event-stream"), "{detail}");

    let server =
        Script::answering(|_| answer(503, "content-type: text/event-stream\r\n", "busy")).await;
    let finished = run(&server, ASK).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "status");
    assert!(detail.contains("busy"), "{detail}");
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_kept() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(HEAD).await;
        chunk(&mut line, &format!("data: {}", "x".repeat(300))).await;
        line.request().await;
    })
    .await;
    let steps = format!(
        "{ASK}    body_limit: 200B
  - {{ step: hear, receive: message.data, timeout: 20s }}"
    );
    let finished = run(&server, &steps).await;
    let (reason, detail) = failure(&finished);
    assert_eq!(reason, "protocol");
    assert!(detail.contains("200 bytes"), "{detail}");
}

#[tokio::test]
async fn a_stream_that_is_asked_for_again_takes_the_place_of_the_one_before() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(HEAD).await;
        let text = format!("data: {}\n\n", line.number);
        chunk(&mut line, &text).await;
        // Until the client closes.
        line.request().await;
    })
    .await;
    let steps = "
  - repeat: 3
    steps:
      - step: answer
        http: { get: '{{ target.url }}/', stream: sse }
      - step: hear
        receive: message.data == (repeat.index - 1) | string
        since: answer
        timeout: 20s
";
    let finished = run(&server, steps).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    let sockets = &finished.report["sockets"];
    assert_eq!(sockets["opened"], 3);
    assert_eq!(sockets["closed"]["us"], json!({ "none": 3 }), "{sockets:#}");
}

#[tokio::test]
async fn messages_that_no_step_looks_at_are_counted_and_not_kept() {
    let server = Script::start(|mut line| async move {
        line.request().await;
        line.write(HEAD).await;
        chunk(&mut line, &"data: a\n\n".repeat(1_500)).await;
        line.write("0\r\n\r\n").await;
        line.request().await;
    })
    .await;
    let finished = run(&server, &format!("{ASK}  - {{ think: 300ms }}\n")).await;
    assert_eq!(finished.code, 0, "{finished:?}");
    let sockets = &finished.report["sockets"];
    assert_eq!(sockets["received"]["text"], 1_500);
    assert_eq!(sockets["dropped"], 0, "{sockets:#}");
}
