//! Chats of several tracks, and chats that wait for each other, against rooms.

use serde_json::{Value, json};

use crate::{
    deliveries::Backend,
    support::{Finished, Folder, Run},
};

/// A customer and an agent in a room of their own, over a socket of one name each.
const BOTH_SIDES: &str = r#"
scenario: both-sides
correlation: [customer.room]
steps:
  - together:
      agent:
        - { wait_until: customer.room, timeout: 10s }
        - step: agent_open
          connect: { url: '{{ target.url }}/websocket?room={{ customer.room }}&name=agent', protocols: [rooms] }
        - { step: agent_joined, receive: frame.json.type == "joined", capture: { ready: frame.json.type } }
        - repeat: 3
          steps:
            - { step: hears, receive: frame.json.text == "hello " ~ repeat.index, since: customer.say, expect: elapsed < 1 }
            - { step: answer, send: { json: { type: say, room: '{{ customer.room }}', id: 'a{{ repeat.index }}', text: 'hi {{ repeat.index }}' } } }
      customer:
        - step: open
          connect: { url: '{{ target.url }}/websocket?room=room-{{ chat.number }}&name=customer', protocols: [rooms] }
          capture: { room: "'room-' ~ chat.number" }
        - { wait_until: agent.ready, timeout: 10s }
        - repeat: 3
          steps:
            - { think: 200ms }
            - { step: say, send: { json: { type: say, room: '{{ room }}', id: 'c{{ repeat.index }}', text: 'hello {{ repeat.index }}' } } }
            - { step: answered, receive: frame.json.text == "hi " ~ repeat.index, since: agent.answer, expect: elapsed < 1 }
"#;

async fn run(scenario: &str, load: &str) -> Finished {
    let backend = Backend::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("tracks.yaml", scenario);
    let run = Run::new(folder, &file, &format!("http://{}", backend.address));
    let finished = run.load(load).done().await;
    backend.finish().await;
    finished
}

#[tokio::test]
async fn both_sides_of_a_conversation_are_one_chat() {
    let run = run(BOTH_SIDES, "{ chats: 10 }").await.exits(0);
    assert_eq!(run.chats("passed"), 10);
    for (step, passed) in [
        ("agent_joined", 10),
        ("hears", 30),
        ("say", 30),
        ("answered", 30),
    ] {
        assert_eq!(run.passed(step), passed, "{step}");
    }
    let sockets = &run.report["sockets"];
    assert_eq!(
        (&sockets["opened"], &sockets["open"]),
        (&json!(20), &json!(0))
    );
    // None of them says `close`: they are closed with their chats.
    assert_eq!(sockets["closed"], json!({ "us": { "1001": 20 } }));
}

#[tokio::test]
async fn a_failure_of_one_side_ends_the_other_and_is_shown_with_the_frames_of_both() {
    let fails = BOTH_SIDES.replace(
        r"text: 'hi {{ repeat.index }}' } } }",
        r"text: 'bye' } }, when: repeat.index == 1 }
            - { step: fails, receive: frame.json.text == 'never', timeout: 300ms }",
    );
    let run = run(&fails, "{ chats: 2 }").await.exits(1);
    assert_eq!(
        (run.chats("failed"), run.failed("fails", "reply_timeout")),
        (2, 2)
    );
    assert_eq!(run.step("answered")["stopped"], 2, "{run:#?}");
    let failure = &run.report["failures"][0];
    assert_eq!(failure["step"], "fails");
    let frames = failure["frames"].as_array().unwrap();
    for socket in ["agent.socket", "customer.socket"] {
        let of_socket = |frame: &&Value| frame["socket"] == socket;
        let texts = frames.iter().filter(of_socket);
        let hello = texts.filter(|frame| frame.to_string().contains("hello 1"));
        assert!(hello.count() > 0, "{socket}: {failure:#}");
    }
    let sockets = &run.report["sockets"];
    assert_eq!(
        (&sockets["opened"], &sockets["open"]),
        (&json!(4), &json!(0))
    );
}

/// Whoever is there before the others waits for them, so that all hear what the first says.
const ALL_THERE: &str = r#"
scenario: all-there
steps:
  - step: open
    connect: { url: '{{ target.url }}/websocket?room=all&name=c{{ chat.number }}', protocols: [rooms] }
  - { step: joined, receive: frame.json.type == "joined" }
  - { think: "{{ chat.number ~ '0ms' }}" }
  - { barrier: all_joined, timeout: 30s }
  - step: say
    when: chat.number == 1
    send: { json: { type: say, room: all, id: m, text: hello } }
  - { step: hear, receive: frame.json.text == "hello", timeout: 30s }
"#;

#[tokio::test]
async fn chats_wait_for_each_other_at_a_barrier() {
    let run = run(ALL_THERE, "{ chats: 100 }").await.exits(0);
    assert_eq!((run.chats("passed"), run.passed("hear")), (100, 100));
}
