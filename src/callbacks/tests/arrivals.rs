//! When an event arrived, though the listener was not polled.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    arrival::testing::{
        BUSY, Hogs, Meetings, Written, assert_within_precision, stamped_connection,
    },
    callbacks::receiver,
    listener::bind,
};

/// A receiver of a run, and what is sent to it.
struct Receiver {
    run: TestRun,
    chat: Chat,
    address: SocketAddr,
    head: String,
    body: String,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Receiver {
    fn start(bench: &Bench) -> Self {
        let run = bench.run();
        let shutdown = CancellationToken::new();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = receiver::serve(listener, bench.exchange.clone(), shutdown.clone());
        let body = event("a", "reply").to_string();
        let length = body.len();
        Self {
            chat: run.chat_with("a"),
            address,
            head: format!(
                "POST /{} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n",
                run.token
            ),
            body,
            shutdown,
            serving: tokio::spawn(serving),
            run,
        }
    }

    async fn end(mut self) {
        drop(self.chat);
        self.run.end();
        self.shutdown.cancel();
        self.serving.await.unwrap();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[tokio::test]
async fn an_event_arrived_with_its_last_byte_however_late_it_is_read() {
    let _stamped = stamped_connection().await;
    let bench = Bench::new();
    let mut receiver = Receiver::start(&bench);
    let (address, head, body) = (
        receiver.address,
        receiver.head.clone(),
        receiver.body.clone(),
    );
    let meetings = Meetings::new();
    let of_sender = meetings.clone();
    let began = Instant::now();
    let sender = thread::spawn(move || {
        let mut stream = connect(address);
        // The first is read at once, and the second while nobody reads.
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let written = of_sender.while_busy(|| {
            stream.write_all(head.as_bytes()).unwrap();
            Written::by(|| stream.write_all(body.as_bytes()).unwrap())
        });
        (stream, written)
    });
    reply(&mut receiver.chat, began).await.unwrap();
    meetings.be_busy(1).await;
    let arrived = reply(&mut receiver.chat, began).await.unwrap().arrived;
    let (_stream, written) = sender.join().unwrap();
    written.assert_arrived(arrived);
    let delays = receiver.run.ledger.entries().read_delays;
    assert!(delays[1] >= BUSY, "{delays:?}");
    receiver.end().await;
}

#[tokio::test]
async fn beside_hogs_events_arrived_when_they_were_written_within_the_precision() {
    const EVENTS: usize = 300;
    let _stamped = stamped_connection().await;
    let _hogs = Hogs::start().await;
    let bench = Bench::new();
    let mut receiver = Receiver::start(&bench);
    let (address, head, body) = (
        receiver.address,
        receiver.head.clone(),
        receiver.body.clone(),
    );
    let began = Instant::now();
    // Each once the one before has been acknowledged.
    let sender = thread::spawn(move || {
        let mut stream = connect(address);
        let sent = (0..EVENTS).map(|_| {
            stream.write_all(head.as_bytes()).unwrap();
            let written = Written::by(|| stream.write_all(body.as_bytes()).unwrap());
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.extend(byte);
            }
            written
        });
        sent.collect::<Vec<_>>()
    });
    let mut arrived = Vec::new();
    for _ in 0..EVENTS {
        let reply = reply(&mut receiver.chat, began).await.unwrap();
        arrived.push(reply.arrived);
    }
    // The last event is acknowledged on this thread.
    let written = tokio::task::spawn_blocking(|| sender.join().unwrap());
    let written = written.await.unwrap();
    let delays = receiver.run.ledger.entries().read_delays;
    let arrivals = arrived.into_iter().zip(delays);
    let arrivals = arrivals.map(|(at, delay)| Arrival {
        at,
        read_delay: Some(delay),
    });
    assert_within_precision(&arrivals.collect::<Vec<_>>(), &written);
    receiver.end().await;
}
