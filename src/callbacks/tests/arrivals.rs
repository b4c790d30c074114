//! When an event arrived, though the listener was not polled.

use std::{io::Write as _, net, sync::Barrier, thread};

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{arrival::testing::stamped_connection, callbacks::receiver, listener::bind};

/// How long the only thread of the runtime stays busy after the event was sent.
const BUSY: Duration = Duration::from_millis(30);
/// What the conversion between two clocks may add.
const CLOCKS: Duration = Duration::from_micros(20);

#[tokio::test]
async fn an_event_arrived_with_its_last_byte_however_late_it_is_read() {
    let _stamped = stamped_connection().await;
    let bench = Bench::new();
    let mut run = bench.run();
    let mut chat = run.chat_with("a");
    let shutdown = CancellationToken::new();
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = receiver::serve(listener, bench.exchange.clone(), shutdown.clone());
    let serving = tokio::spawn(serving);
    let meeting = Arc::new(Barrier::new(2));
    let of_sender = meeting.clone();
    let body = event("a", "reply").to_string();
    let head = format!(
        "POST /{} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
        run.token,
        body.len()
    );
    let began = Instant::now();
    let sender = thread::spawn(move || {
        let mut stream = net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        // The first is read at once, and the second while nobody reads.
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        of_sender.wait();
        stream.write_all(head.as_bytes()).unwrap();
        let before = Instant::now();
        stream.write_all(body.as_bytes()).unwrap();
        let after = Instant::now();
        of_sender.wait();
        (stream, before, after)
    });
    reply(&mut chat, began).await.unwrap();
    meeting.wait();
    meeting.wait();
    thread::sleep(BUSY);
    let arrived = reply(&mut chat, began).await.unwrap().arrived;
    let (_stream, before, after) = sender.join().unwrap();
    let since = |moment: Instant| moment.saturating_duration_since(began);
    assert!(
        before <= arrived && arrived <= after + CLOCKS,
        "written from {:?} to {:?}, arrived at {:?}",
        since(before),
        since(after),
        since(arrived)
    );
    drop(chat);
    run.end();
    shutdown.cancel();
    serving.await.unwrap();
}
