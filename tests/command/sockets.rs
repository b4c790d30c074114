//! Chats over sockets, against a real server.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::broadcast,
    time::{Instant, sleep},
};

use crate::support::{
    Finished, Folder, Run, ServerSocket, Signal, SocketServer, eventually, rounds,
};

/// A chat that connects and then does this.
fn scenario(steps: &str) -> String {
    format!(
        "scenario: over-sockets\nsteps:\n  - step: opens\n    connect: '{{{{ target.url }}}}/socket'\n{steps}"
    )
}

fn run(server: &SocketServer, steps: &str) -> Run {
    let folder = Folder::new();
    let file = folder.write("over-sockets.yaml", &scenario(steps));
    Run::new(folder, &file, &server.url)
}

async fn run_to_end(server: &SocketServer, steps: &str) -> Finished {
    run(server, steps).load("{ chats: 1 }").done().await
}

/// The detail of the only failure.
fn detail(run: &Finished) -> &str {
    let failures = run.report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{run:#?}");
    failures[0]["detail"].as_str().unwrap()
}

#[tokio::test]
async fn a_frame_that_comes_between_two_waits_is_there_for_a_later_one() {
    let server = SocketServer::start(async |mut socket: ServerSocket, _| {
        while let Some(text) = socket.text().await {
            assert_eq!(text, "ask");
            for answer in ["first", "between", "second"] {
                socket.send(&[answer]).await;
            }
        }
    })
    .await;
    let steps = "
  - { step: asks, send: ask }
  - { step: first, receive: frame.text == 'first' }
  - { step: second, receive: frame.text == 'second' }
  - { step: between, receive: frame.text == 'between', timeout: 10s }
  - { step: again, receive: frame.text == 'between', timeout: 100ms, else: continue }
";
    let run = run_to_end(&server, steps).await.exits(0);
    assert_eq!(run.passed("between"), 1);
    // Each frame serves one wait.
    assert_eq!(run.failed("again", "reply_timeout"), 1);
    assert_eq!(run.received(), 0, "a frame is no event of a callback");
}

#[tokio::test]
async fn two_frames_that_match_and_come_in_one_read_serve_two_waits() {
    let server = SocketServer::start(async |mut socket: ServerSocket, _| {
        socket.send(&["same", "same"]).await;
        socket.close_code().await;
    })
    .await;
    let steps = "
  - { step: one, receive: frame.text == 'same' }
  - { step: two, receive: frame.text == 'same' }
  - { step: three, receive: frame.text == 'same', timeout: 100ms }
";
    let run = run_to_end(&server, steps).await.exits(1);
    assert_eq!((run.passed("one"), run.passed("two")), (1, 1));
    assert_eq!(run.failed("three", "reply_timeout"), 1);
}

#[tokio::test]
async fn the_wanted_frame_is_received_though_the_socket_was_closed_behind_it() {
    let server = SocketServer::start(async |mut socket: ServerSocket, _| {
        socket.send(&["other", "bye"]).await;
        socket.close(4_001, "all is said").await;
    })
    .await;
    let steps = "
  - think: 500ms
  - { step: hears, receive: frame.text == 'bye' }
  - { step: more, receive: frame.text == 'more', timeout: 1h }
";
    let run = run_to_end(&server, steps).await.exits(1);
    assert_eq!(run.passed("hears"), 1);
    assert_eq!(run.failed("more", "closed"), 1);
    let detail = detail(&run);
    assert!(
        detail.contains("4001") && detail.contains("all is said"),
        "{detail}"
    );
    assert_eq!(server.opened(), 1);
}

#[tokio::test]
async fn a_socket_that_ended_is_opened_again_by_a_step_alone() {
    let server = || {
        SocketServer::start(async |mut socket: ServerSocket, number| {
            socket.send(&[&format!("hello {number}")]).await;
            if number == 1 {
                return socket.close(1_012, "").await;
            }
            socket.close_code().await;
        })
    };
    let steps = "
  - { step: hears, receive: frame.text == 'hello 1' }
  - think: 500ms
  - { step: says, send: anything, else: continue }
  - { step: reopens, connect: '{{ target.url }}/socket' }
  - { step: hears_again, receive: frame.text == 'hello 2' }
";
    let again = server().await;
    let run = run_to_end(&again, steps).await.exits(0);
    assert_eq!(run.failed("says", "closed"), 1);
    assert_eq!(run.passed("hears_again"), 1);
    assert_eq!(again.opened(), 2);
    let without = steps.replace(
        "  - { step: reopens, connect: '{{ target.url }}/socket' }\n",
        "",
    );
    let never = server().await;
    let run = run_to_end(&never, &without).await.exits(1);
    assert_eq!(run.failed("hears_again", "closed"), 1);
    assert_eq!(never.opened(), 1);
}

#[tokio::test]
async fn frames_are_read_while_nobody_waits_and_the_oldest_of_too_many_are_dropped() {
    // More than all buffers between the two take if nobody reads: 15 MB.
    const FRAMES: usize = 3_000;
    let (ahead, mut told) = tokio::sync::mpsc::channel(1);
    let server = SocketServer::start(move |mut socket: ServerSocket, _| {
        let ahead = ahead.clone();
        async move {
            let filler = "x".repeat(5_000);
            for number in 0..FRAMES {
                let text = format!(r#"{{"number":{number},"filler":"{filler}"}}"#);
                socket.send(&[&text]).await;
            }
            let all_sent = Instant::now();
            assert_eq!(socket.text().await.as_deref(), Some("done"));
            ahead.send(all_sent.elapsed()).await.unwrap();
            socket.close_code().await;
        }
    })
    .await;
    let steps = "
  - think: 8s
  - { step: says, send: done }
  - { step: last, receive: frame.json.number == 2999, since: opens, timeout: 60s }
  - { step: first, receive: frame.json.number == 0, since: opens, timeout: 100ms }
";
    let run = run_to_end(&server, steps).await.exits(1);
    let ahead = told.recv().await.unwrap();
    assert!(
        ahead > Duration::from_millis(200),
        "all was read while the chat thought: {ahead:?}"
    );
    assert_eq!(run.passed("last"), 1);
    assert_eq!(run.failed("first", "reply_timeout"), 1);
    let sockets = &run.report["sockets"];
    assert_eq!(sockets["received"]["text"], FRAMES);
    let dropped = sockets["dropped"].as_u64().unwrap();
    // An inbox keeps 1 MiB.
    assert!((2_700..2_900).contains(&dropped), "{dropped}");
    let detail = detail(&run);
    assert!(
        detail.contains(&format!("; {dropped} had fallen out of the inbox")),
        "{detail}"
    );
}

#[tokio::test]
async fn a_send_to_a_server_that_does_not_read_times_out() {
    let server = SocketServer::start(never_reads).await;
    // 490,000 bytes each: far more than the kernels and the limits of a socket take of all of them together.
    let steps = "
  - repeat: 200
    steps:
      - { step: says, send: '{{ range(100000) | join }}', timeout: 1s }
";
    let run = run_to_end(&server, steps).await.exits(1);
    assert_eq!(run.failed("says", "timeout"), 1);
    assert!((1..199).contains(&run.passed("says")), "{run:#?}");
    assert_eq!(run.report["sockets"]["open"], 0);
}

/// Keeps the socket open.
async fn never_reads(_socket: ServerSocket, _: usize) {
    std::future::pending::<()>().await;
}

/// Begins chats that think over their open sockets, ends the run, and says how long its end took.
async fn stop_with(sockets: usize, server: &SocketServer) -> (Finished, Duration) {
    let run = run(server, "  - think: 1h\n").load(&format!("{{ chats: {sockets} }}"));
    let process = run.start();
    eventually("all sockets", async || {
        (server.opened() == sockets).then_some(())
    })
    .await;
    let asked = Instant::now();
    process.signal(Signal::SIGTERM);
    (run.finish(process).await, asked.elapsed())
}

#[tokio::test]
async fn the_stop_of_a_run_closes_all_its_sockets() {
    // This process has them too.
    chatprobe::descriptors::allow_all();
    let sockets = rounds(300, 10_000);
    let closed = Arc::<AtomicUsize>::default();
    let counter = closed.clone();
    let server = SocketServer::start(move |mut socket: ServerSocket, _| {
        let counter = counter.clone();
        async move {
            if socket.close_code().await == Some(1_001) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
    .await;
    let (run, took) = stop_with(sockets, &server).await;
    assert_eq!(run.chats("stopped"), u64::try_from(sockets).unwrap());
    assert_eq!(run.report["sockets"]["closed"]["us"]["1001"], sockets);
    assert_eq!(run.report["sockets"]["open"], 0);
    assert!(took < Duration::from_secs(20), "{took:?}");
    eventually("the closes", async || {
        (closed.load(Ordering::Relaxed) == sockets).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_stop_of_a_run_waits_for_no_server_that_does_not_answer_a_close() {
    let server = SocketServer::start(never_reads).await;
    let (run, took) = stop_with(100, &server).await;
    assert_eq!(run.chats("stopped"), 100);
    assert_eq!(run.report["sockets"]["open"], 0, "{run:#?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// Says to everybody in the room what one of them says: `first` not to whoever said `5` before, and anything else a
/// second later.
fn room() -> impl Fn(ServerSocket, usize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Clone {
    let (say, _) = broadcast::channel::<String>(100);
    move |mut socket, _| {
        let (say, mut heard) = (say.clone(), say.subscribe());
        Box::pin(async move {
            let mut hears_first = true;
            loop {
                tokio::select! {
                    text = socket.text() => match text {
                        Some(text) if text == "5" => hears_first = false,
                        Some(text) if text.contains("first") => {
                            say.send(text).unwrap();
                        }
                        Some(text) => {
                            let say = say.clone();
                            tokio::spawn(async move {
                                sleep(Duration::from_secs(1)).await;
                                say.send(text).ok();
                            });
                        }
                        None => return,
                    },
                    Ok(text) = heard.recv() => {
                        if hears_first || !text.contains("first") {
                            socket.send(&[&text]).await;
                        }
                    }
                }
            }
        })
    }
}

#[tokio::test]
async fn what_members_of_a_room_do_not_receive_is_lost_and_what_leavers_miss_is_excused() {
    let server = SocketServer::start(room()).await;
    let folder = Folder::new();
    let room = "
scenario: room
deliveries: { id: frame.json.id, containing: '\"id\":', within: 3s }
steps:
  - { step: enters, connect: '{{ target.url }}/socket', member_of: lobby }
  - { step: tells, when: chat.number == 5, send: '5' }
  - think: 2s
  - step: says_first
    when: chat.number == 1
    send: { json: { id: first } }
    publish: { id: first, to: lobby }
  - step: says_second
    when: chat.number == 2
    send: { json: { id: second } }
    publish: { id: second, to: lobby }
  - think: 500ms
  - { step: leaves, when: chat.number == 3, close: { code: 1000 } }
  - { step: returns, when: chat.number == 3, connect: '{{ target.url }}/socket', member_of: lobby }
  - think: 5s
";
    let file = folder.write("room.yaml", room);
    let run = Run::new(folder, &file, &server.url).load("{ chats: 5 }");
    let run = run.done().await.exits(1);
    assert_eq!(run.chats("passed"), 5);
    let deliveries = &run.report["deliveries"];
    assert_eq!(
        (&deliveries["messages"], &deliveries["expected"]),
        (&2.into(), &8.into())
    );
    let by_fate = |fate: &str| deliveries["by_fate"][fate].as_u64().unwrap_or_default();
    let fates = ["delivered", "lost", "excused", "duplicate"].map(by_fate);
    // A chat that reconnects may receive messages from before; they are not expected of its new socket.
    assert_eq!(fates, [6, 1, 1, 0], "{deliveries:#}");
    assert_eq!(deliveries["open"], 0);
    assert_eq!(server.opened(), 6);
}
