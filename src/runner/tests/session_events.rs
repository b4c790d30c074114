//! What happens in the sessions of a chat, and where it goes.

use tokio::time::Instant;

use super::*;
use crate::{
    event::{DeliveryEvent, Passage, TracedFrame},
    inbox::{MOST_EVENTS, WaitError},
    runner::{
        chat_state::ChatState,
        context::{GracePeriod, RunContext},
        track::Track,
    },
    scenario::{
        ArrivedFrame, FrameKind, Match, PassedFrame, SessionEvent, SessionSink, SocketEnd,
        SocketEvent, WaitSources,
    },
};

const SCENARIO: &str = "
callbacks: { key: event.key }
steps: [ { think: 1s } ]
";

/// Chats that expect to receive what others say in their room.
const ROOM: &str = "
deliveries: { id: frame.json.id, within: 5s }
steps:
  - { step: enters, connect: '{{ target.url }}', member_of: lobby }
";

fn context(bench: &Bench) -> Arc<RunContext> {
    context_of(bench, SCENARIO)
}

fn context_of(bench: &Bench, scenario: &str) -> Arc<RunContext> {
    let spec = bench.spec(scenario, "{ chats: 1 }");
    bench.context(spec)
}

/// Takes what happens on a new connection.
fn sink_of(chat: &ChatState, socket: &str) -> SessionSink {
    chat.new_connection(socket.into()).sink
}

/// Tells that a frame of the target came on a connection.
fn receive(sink: &SessionSink, connection: u32, text: &'static str) {
    let at = Instant::now();
    sink(SessionEvent::Passed(PassedFrame {
        connection,
        at,
        is_received: true,
        kind: FrameKind::Text,
        content: text.into(),
    }));
    sink(SessionEvent::Arrived(ArrivedFrame {
        connection,
        at,
        frame: text.into(),
        bytes: text.len(),
    }));
}

fn send(sink: &SessionSink, connection: u32, content: &'static [u8]) {
    sink(SessionEvent::Passed(PassedFrame {
        connection,
        at: Instant::now(),
        is_received: false,
        kind: FrameKind::Binary,
        content: content.into(),
    }));
}

fn end(sink: &SessionSink, connection: u32, how: &str) {
    sink(SessionEvent::Ended {
        connection,
        at: Instant::now(),
        reason: Reason::Protocol,
        how: how.to_owned(),
    });
}

fn heard_of_sockets(bench: &Bench) -> Vec<SocketEvent> {
    bench.heard.pick(|_, note| match note {
        heard::Note::Socket(event) => Some(*event),
        _ => None,
    })
}

fn told(frame: &TracedFrame) -> (u32, Duration, Passage, &[u8]) {
    let at = frame.at.unwrap();
    (frame.connection, at, frame.passage, &frame.content.text)
}

#[tokio::test(start_paused = true)]
async fn frames_of_all_connections_are_kept_in_order_until_the_chat_is_explained() {
    let bench = Bench::new();
    let context = context(&bench);
    let chat = ChatState::of_chat(context.clone(), 1);
    let mut track = Track::new(&chat, context.scope().of_chat(1, "1"), GracePeriod::None);
    track.begin_trace();
    sleep(s(1)).await;
    let [first, second] = ["first", "second"].map(|socket| sink_of(&chat, socket));
    send(&first, 1, b"hello");
    sleep(s(1)).await;
    receive(&second, 2, "one");
    receive(&first, 1, "two");
    end(&second, 2, "it broke");
    let explained = track.take_trace();
    let text = Passage::Received(FrameKind::Text);
    let kept: Vec<_> = explained.frames.latest.iter().map(told).collect();
    let expected: [(u32, Duration, Passage, &[u8]); 4] = [
        (1, s(1), Passage::Sent(FrameKind::Binary), b"hello"),
        (2, s(2), text, b"one"),
        (1, s(2), text, b"two"),
        (2, s(2), Passage::Ended, b"it broke"),
    ];
    assert_eq!(kept, expected);
    let sockets = explained.frames.latest.iter().map(|frame| &*frame.socket);
    assert!(sockets.eq(["first", "second", "first", "second"]));
    // The `always` steps may send and receive still.
    receive(&first, 1, "three");
    assert_eq!(track.take_trace().frames.latest.len(), 0);
    drop(track);
    drop(chat);
    assert_eq!(bench.engine.traces.taken(), 0);
}

#[tokio::test(start_paused = true)]
async fn frames_go_into_the_inbox_of_the_chat_and_those_that_fall_out_are_counted() {
    let bench = Bench::new();
    let context = context(&bench);
    let chat = ChatState::of_chat(context, 1);
    let sink = sink_of(&chat, "socket");
    receive(&sink, 1, "first");
    end(&sink, 1, "the target sent nonsense");
    let inbox = chat.inbox.as_ref().unwrap();
    let (now, one) = (Instant::now(), WaitSources::Connection(1));
    let wait = async || {
        inbox
            .wait(one.clone(), now, now + s(1), |_| Match::Wanted, |_| {})
            .await
    };
    assert_eq!(wait().await.unwrap().event.as_str(), Some("first"));
    let ended = WaitError::Ended {
        reason: Reason::Protocol,
        how: "the target sent nonsense".into(),
    };
    assert_eq!(wait().await.unwrap_err(), ended);
    for _ in 0..2 * MOST_EVENTS {
        receive(&sink, 2, "more");
    }
    drop(chat);
    receive(&sink, 2, "late");
    let dropped = heard_of_sockets(&bench);
    // The end of the first connection has its place too.
    let expected = vec![SocketEvent::Dropped; MOST_EVENTS + 1];
    assert_eq!(dropped, expected, "{}", dropped.len());
}

#[tokio::test(start_paused = true)]
async fn observers_hear_of_sockets_also_when_the_chat_is_over_and_nothing_keeps_its_run() {
    let bench = Bench::new();
    let context = context(&bench);
    let chat = ChatState::of_chat(context.clone(), 1);
    let sink = sink_of(&chat, "socket");
    sink(SessionEvent::Socket(SocketEvent::Opened));
    drop(chat);
    assert_eq!(Arc::strong_count(&context), 1);
    let closed = SocketEvent::Closed {
        by: SocketEnd::Us,
        code: Some(1001),
    };
    sink(SessionEvent::Socket(closed));
    assert_eq!(heard_of_sockets(&bench), [SocketEvent::Opened, closed]);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_in_rooms_is_expected_by_each_connection_that_is_in_them() {
    let bench = Bench::new();
    let context = context_of(&bench, ROOM);
    let chats = [1, 2].map(|number| ChatState::of_chat(context.clone(), number));
    assert!(
        chats[0].inbox.is_some(),
        "frames come without callbacks too"
    );
    let [speaker, listener] = chats.each_ref().map(|chat| sink_of(chat, "socket"));
    let at = Instant::now();
    let room: Arc<str> = "lobby".into();
    for (sink, connection) in [(&speaker, 1), (&listener, 1), (&listener, 2)] {
        sink(SessionEvent::Joined {
            connection,
            room: room.clone(),
            at,
        });
    }
    speaker(SessionEvent::Published {
        connection: 1,
        id: "m".into(),
        room,
        at,
    });
    sleep(ms(40)).await;
    let deliver = |sink: &SessionSink| {
        sink(SessionEvent::Delivered {
            connection: 1,
            id: "m".into(),
            at: Instant::now(),
        });
    };
    deliver(&listener);
    deliver(&listener);
    // Its echo is no delivery.
    deliver(&speaker);
    listener(SessionEvent::Left {
        connection: 2,
        at: Instant::now(),
    });
    context.ledger.as_ref().unwrap().finish(Instant::now());
    let heard = bench.heard.pick(|_, note| match note {
        heard::Note::Deliveries(event) => Some(*event),
        _ => None,
    });
    let expected = [
        DeliveryEvent::Published { expected: 2 },
        DeliveryEvent::Delivered { latency: ms(40) },
        DeliveryEvent::Duplicate,
        DeliveryEvent::Excused(1),
    ];
    assert_eq!(heard, expected);
}
