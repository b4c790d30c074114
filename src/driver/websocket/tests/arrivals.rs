//! When an answer and a message arrived, though nobody read them.

use std::{net::TcpListener, thread};

use super::{
    server::{say, switching},
    *,
};
use crate::{
    arrival::testing::{
        BUSY, Hogs, Meetings, Written, assert_within_precision, stamped_connection,
    },
    driver::{
        Phase,
        http::tests::{
            blocking::{BlockingStream, accept, read_head, write},
            tls::trusting,
        },
    },
};

/// Opens a socket at a server that listens at this port.
async fn open_at(secure: bool, port: u16, handler: NotingHandler) -> OpenedSocket {
    let (client, url) = if secure {
        let client = WebSocketClient::beside(&trusting());
        (client, format!("wss://localhost:{port}/"))
    } else {
        (client(), format!("ws://127.0.0.1:{port}/"))
    };
    let asked = opening(url);
    let on_wire = OnWire::default();
    let opened = client.open(&asked, Box::new(handler), &on_wire);
    opened.await.unwrap()
}

/// Waits for what a thread did until it was through.
async fn joined<T: Send + 'static>(thread: thread::JoinHandle<T>) -> T {
    let joined = tokio::task::spawn_blocking(|| thread.join().unwrap());
    joined.await.unwrap()
}

async fn arrive_while_busy(secure: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let meetings = Meetings::new();
    let of_server = meetings.clone();
    let server = thread::spawn(move || {
        let mut stream = accept(&listener, secure);
        let answer = switching(&read_head(&mut *stream), "");
        let mut write_late =
            |bytes: &[u8]| of_server.while_busy(|| Written::by(|| write(&mut *stream, bytes)));
        let written = (write_late(answer.as_bytes()), write_late(&say("hello")));
        // Until the client has gone.
        stream.read_to_end(&mut Vec::new()).ok();
        written
    });
    let notes = Notes::default();
    let opening = open_at(secure, port, notes.handler());
    let (opened, ()) = tokio::join!(opening, meetings.be_busy(1));
    meetings.be_busy(2).await;
    notes.until_received(1).await;
    let OpenedSocket {
        socket,
        sent_at,
        elapsed,
        read_delay,
        phases,
        ..
    } = opened;
    drop(socket);
    notes.until_closed().await;
    let (answered, said) = joined(server).await;
    answered.assert_arrived(sent_at + elapsed);
    assert!(read_delay.unwrap() >= BUSY, "{read_delay:?}");
    let first_byte = phases
        .finished()
        .find(|(phase, _)| *phase == Phase::FirstByte);
    assert!(first_byte.unwrap().1 <= elapsed);
    let arrival = notes.arrivals.lock().unwrap()[0];
    said.assert_arrived(arrival.at);
    assert!(arrival.read_delay.unwrap() >= BUSY, "{arrival:?}");
}

#[tokio::test]
async fn an_answer_and_a_message_arrived_while_they_were_written() {
    let _stamped = stamped_connection().await;
    for secure in [false, true] {
        arrive_while_busy(secure).await;
    }
}

/// Says so many messages, each once the one before has been answered.
fn say_all(listener: &TcpListener, secure: bool, count: usize) -> Vec<Written> {
    let mut stream = accept(listener, secure);
    let answer = switching(&read_head(&mut *stream), "");
    write(&mut *stream, answer.as_bytes());
    let said = (0..count).map(|_| {
        let written = Written::by(|| write(&mut *stream, &say("question")));
        read_answer(&mut *stream);
        written
    });
    said.collect()
}

/// Reads the frame of `answer`: two bytes, four of the mask, and six.
fn read_answer(stream: &mut dyn BlockingStream) {
    stream.read_exact(&mut [0; 12]).unwrap();
}

#[tokio::test]
async fn beside_hogs_messages_arrived_when_they_were_written_within_the_precision() {
    const MESSAGES: usize = 300;
    let _stamped = stamped_connection().await;
    let _hogs = Hogs::start().await;
    for secure in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || say_all(&listener, secure, MESSAGES));
        let notes = Notes::default();
        let opened = open_at(secure, port, notes.replying(|_| vec![text("answer")])).await;
        let written = joined(server).await;
        drop(opened);
        notes.until_closed().await;
        assert_within_precision(&notes.arrivals.lock().unwrap(), &written);
    }
}
