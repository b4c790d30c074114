//! Chats in a room, and whether all of them receive what one says.

use std::net::SocketAddr;

use chatprobe::simulator::{Rooms, RoomsSettings};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{Finished, Folder, Run, install_crypto};

/// Everybody is there before the first one says something, and stays until its time is over.
const ROOM: &str = r#"
scenario: room
deliveries: { id: frame.json.id, containing: '"said"', within: 1s }
steps:
  - { step: open, connect: '{{ target.url }}/websocket', member_of: all }
  - think: 2s
  - step: say
    when: chat.number == 1
    send: { json: { type: say, id: '{{ chat.id }}', name: first, text: hello } }
    publish: { id: '{{ chat.id }}', to: all }
  - think: 3s
  - { step: leave, close: { code: 1000 } }
"#;

const CHATS: u64 = 20;

/// Everybody enters with a frame; the third after the first has said something.
const ENTERED_ROOM: &str = r#"
scenario: room
deliveries: { id: frame.json.id, containing: '"said"', within: 1s }
steps:
  - { step: open, connect: '{{ target.url }}/websocket' }
  - { when: chat.number == 3, think: 6s }
  - { step: join, send: { json: { type: join, room: all } } }
  - { step: joined, receive: frame.json.type == "joined", member_of: all }
  - { when: chat.number < 3, think: 2s }
  - step: say
    when: chat.number == 1
    send: { json: { type: say, id: '{{ chat.id }}', room: all, text: hello } }
    publish: { id: '{{ chat.id }}', to: all }
  - think: 3s
  - { step: leave, close: { code: 1000 } }
"#;

/// Rooms in this process.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Backend {
    pub(super) async fn start(faults: &str) -> Self {
        install_crypto();
        let settings: RoomsSettings = serde_yaml::from_str(faults).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let rooms = Rooms::new(settings).unwrap();
        let serving = tokio::spawn(rooms.serve(listener, stop.clone()));
        Self {
            address,
            stop,
            serving,
        }
    }

    pub(super) async fn finish(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// A run of 20 chats against rooms with these faults.
async fn run(faults: &str, more: &[&str]) -> Finished {
    run_of(ROOM, CHATS, faults, more).await
}

/// A run of so many chats with this scenario.
async fn run_of(scenario: &str, chats: u64, faults: &str, more: &[&str]) -> Finished {
    let backend = Backend::start(faults).await;
    let folder = Folder::new();
    let scenario = folder.write("room.yaml", scenario);
    let run = Run::new(folder, &scenario, &format!("http://{}", backend.address));
    let load = format!("{{ chats: {chats} }}");
    let finished = run.load(&load).with(more).done().await;
    backend.finish().await;
    finished
}

/// What became of the deliveries, which are all of what was expected.
fn fates(run: &Finished) -> Value {
    let deliveries = &run.report["deliveries"];
    assert_eq!(deliveries["messages"], 1, "{run:#?}");
    assert_eq!(deliveries["expected"], CHATS - 1, "{run:#?}");
    assert_eq!(deliveries["open"], 0, "{run:#?}");
    deliveries["by_fate"].clone()
}

#[tokio::test]
async fn everybody_in_a_room_receives_what_one_says_and_the_report_says_how_fast() {
    let run = run("{}", &["--threshold", "{ deliveries: true, max: 1s }"])
        .await
        .exits(0);
    assert_eq!(fates(&run), json!({ "delivered": CHATS - 1 }));
    let latency = &run.report["deliveries"]["latency"];
    assert_eq!(latency["count"], CHATS - 1);
    assert!(latency["max"].as_f64().unwrap() < 1.0, "{latency}");
    let sockets = &run.report["sockets"];
    assert_eq!(
        (&sockets["opened"], &sockets["open"]),
        (&json!(CHATS), &json!(0))
    );
    assert_eq!(sockets["closed"], json!({ "us": { "1000": CHATS } }));
    // The one who says it receives it as well.
    assert_eq!(sockets["received"]["text"], CHATS);
    assert_eq!(sockets["sent"]["text"], 1);
    let told = "deliveries: 19 expected of 1 message: 19 delivered, 0 lost; latency p50 ";
    assert!(run.output.contains(told), "{}", run.output);
    assert!(
        run.output.contains("held   deliveries max <= 1 s"),
        "{}",
        run.output
    );
}

#[tokio::test]
async fn who_enters_a_room_with_a_frame_is_expected_to_receive_what_is_said_after_that() {
    let run = run_of(ENTERED_ROOM, 3, "{}", &[]).await.exits(0);
    assert_eq!(run.chats("passed"), 3);
    let deliveries = &run.report["deliveries"];
    assert_eq!(
        (&deliveries["messages"], &deliveries["expected"]),
        (&json!(1), &json!(1)),
        "{deliveries:#}"
    );
    assert_eq!(deliveries["by_fate"], json!({ "delivered": 1 }));
}

#[tokio::test]
async fn a_run_in_which_a_message_is_lost_fails_though_every_chat_passes() {
    let drop = "faults: { frames: { drop: { probability: 1, only: [said] } } }";
    let run = run(drop, &[]).await.exits(1);
    assert_eq!(fates(&run), json!({ "lost": CHATS - 1 }));
    assert_eq!(run.chats("passed"), CHATS);
    let reasons = json!(["19 of 19 expected deliveries were lost"]);
    assert_eq!(run.report["verdict_reasons"], reasons);
}

#[tokio::test]
async fn what_comes_twice_is_delivered_once_and_what_may_be_lost_is_a_threshold() {
    let twice = "faults: { frames: { duplicate: { probability: 1, only: [said] } } }";
    let run = run(twice, &["--threshold", "{ lost: 0% }"]).await.exits(0);
    let fates = fates(&run);
    assert_eq!(
        fates,
        json!({ "delivered": CHATS - 1, "duplicate": CHATS - 1 })
    );
    assert!(
        run.output.contains("held   lost <= 0% (0 of 19)"),
        "{}",
        run.output
    );
}
