//! The least that a program can do with WebSocket connections: tokio-tungstenite on one thread, nothing checked,
//! nothing configurable. What sockets cost chatprobe is told as a multiple of this, because the same machine is not as
//! fast on every day.
//!
//! ```sh
//! cargo bench --bench socket_server -- 127.0.0.1:4100 &
//! cargo bench --bench bare_sockets -- 127.0.0.1:4100 echo SOCKETS ROUNDS
//! cargo bench --bench bare_sockets -- 127.0.0.1:4100 room SOCKETS MESSAGES SECONDS
//! cargo bench --bench bare_sockets -- 127.0.0.1:4100 open SOCKETS PER_SECOND SECONDS
//! ```
//!
//! `echo`: each socket sends a frame and waits for it to come back, so often. `room`: so many messages are said in
//! turn within the time, and the id of each is read from the JSON of every delivery. `open`: so many sockets are opened
//! at a rate and kept silent for a time. Prints how many frames came and how many seconds it took.
#![expect(
    clippy::unwrap_used,
    reason = "a yardstick that cannot go on is of no use"
)]

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::{JoinHandle, LocalSet, spawn_local},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many are being opened at a time.
const OPENING: usize = 256;

type Socket = WebSocketStream<TcpStream>;

#[derive(Deserialize)]
struct Said<'a> {
    id: &'a str,
}

async fn connect(address: &str, path: &str) -> Socket {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // These servers say nothing of their own accord, so nothing follows the head.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "closed");
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    let settings = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0);
    WebSocketStream::from_raw_socket(stream, Role::Client, Some(settings)).await
}

/// Opens sockets, a bounded number at a time, no faster than the rate.
async fn connect_all(address: &str, path: &'static str, count: usize, rate: f64) -> Vec<Socket> {
    let began = Instant::now();
    let opening = (0..count).map(|number| async move {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let due = began + Duration::from_secs_f64(number as f64 / rate);
        sleep_until(due).await;
        connect(address, path).await
    });
    futures_util::stream::iter(opening)
        .buffered(OPENING)
        .collect()
        .await
}

async fn echo(address: String, count: usize, rounds: usize) -> usize {
    let sockets = connect_all(&address, "/echo", count, f64::INFINITY).await;
    let began = Instant::now();
    let customers: Vec<JoinHandle<()>> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, mut socket)| {
            spawn_local(async move {
                for round in 0..rounds {
                    let text = format!("message {round} of customer {number}");
                    socket.send(Message::text(text.as_str())).await.unwrap();
                    let back = socket.next().await.unwrap().unwrap();
                    assert_eq!(back.to_text().unwrap(), text);
                }
            })
        })
        .collect();
    for customer in customers {
        customer.await.unwrap();
    }
    let frames = count * rounds;
    println!("{frames} frames in {:.3} s", began.elapsed().as_secs_f64());
    frames
}

/// What the members of the room share.
struct Room {
    said: RefCell<HashMap<String, Instant>>,
    delivered: RefCell<Histogram<u64>>,
}

async fn member(
    socket: Socket,
    number: usize,
    room: Rc<Room>,
    mut lines: tokio::sync::mpsc::UnboundedReceiver<usize>,
) {
    let (mut writes, mut reads) = socket.split();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { return };
                let id = format!("{number}-{line}");
                room.said.borrow_mut().insert(id.clone(), Instant::now());
                let text = format!(r#"{{"id":"{id}","text":"hello, everybody"}}"#);
                writes.send(Message::text(text)).await.unwrap();
            }
            message = reads.next() => {
                let message = message.unwrap().unwrap();
                let said = serde_json::from_str::<Said<'_>>(message.to_text().unwrap()).unwrap();
                let took = room.said.borrow()[said.id].elapsed();
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                room.delivered.borrow_mut().saturating_record(micros);
            }
        }
    }
}

async fn room(address: String, count: usize, messages: usize, time: Duration) {
    let room = Rc::new(Room {
        said: RefCell::default(),
        delivered: RefCell::new(Histogram::new(3).unwrap()),
    });
    let sockets = connect_all(&address, "/room", count, f64::INFINITY).await;
    let members: Vec<UnboundedSender<usize>> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| {
            let (speak, lines) = unbounded_channel();
            spawn_local(member(socket, number, room.clone(), lines));
            speak
        })
        .collect();
    let began = Instant::now();
    let gap = time / u32::try_from(messages).unwrap();
    for line in 0..messages {
        sleep_until(began + gap * u32::try_from(line).unwrap()).await;
        members[line % count].send(line).unwrap();
    }
    sleep_until(began + time + Duration::from_secs(1)).await;
    let delivered = room.delivered.borrow();
    println!(
        "{} frames in {:.3} s, p99 {} us",
        delivered.len(),
        began.elapsed().as_secs_f64(),
        delivered.value_at_quantile(0.99)
    );
}

async fn open(address: String, count: usize, rate: f64, time: Duration) {
    let began = Instant::now();
    let sockets = connect_all(&address, "/idle", count, rate).await;
    println!("0 frames in {:.3} s", began.elapsed().as_secs_f64());
    let idle: Vec<JoinHandle<()>> = sockets
        .into_iter()
        .map(|mut socket| {
            spawn_local(async move { while let Some(Ok(_)) = socket.next().await {} })
        })
        .collect();
    tokio::time::sleep(time).await;
    idle.iter().for_each(JoinHandle::abort);
}

async fn run(arguments: &[String]) {
    let [address, what, rest @ ..] = arguments else {
        return eprintln!("usage: bare_sockets ADDRESS echo|room|open NUMBER ...");
    };
    let number = |at: usize| rest[at].parse::<usize>().unwrap();
    let seconds = |at: usize| Duration::from_secs_f64(rest[at].parse().unwrap());
    match what.as_str() {
        "echo" => drop(echo(address.clone(), number(0), number(1)).await),
        "room" => room(address.clone(), number(0), number(1), seconds(2)).await,
        "open" => {
            open(
                address.clone(),
                number(0),
                rest[1].parse().unwrap(),
                seconds(2),
            )
            .await;
        }
        other => eprintln!("`{other}` is none of echo, room, open"),
    }
}

fn main() {
    let arguments = std::env::args().skip(1);
    let arguments: Vec<_> = arguments.filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, run(&arguments));
}
