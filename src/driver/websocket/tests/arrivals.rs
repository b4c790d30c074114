//! When an answer and a message arrived, though nobody read them.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    server::{say, switching},
    *,
};
use crate::{arrival::testing::stamped_connection, driver::Phase};

/// How long the only thread of the runtime stays busy after something was written.
const BUSY: Duration = Duration::from_millis(30);
/// What the conversion between two clocks may add.
const CLOCKS: Duration = Duration::from_micros(20);

/// What a server and the thread of a runtime agree on.
struct Meetings {
    /// What the server has to write, and has said so.
    ready: AtomicUsize,
    /// From each first meeting to the second, the runtime does nothing.
    meeting: Barrier,
}

impl Meetings {
    /// Writes while the runtime is busy; between which moments.
    fn write(&self, stream: &mut impl Write, bytes: &[u8]) -> (Instant, Instant) {
        self.ready.fetch_add(1, Ordering::Release);
        self.meeting.wait();
        let before = Instant::now();
        stream.write_all(bytes).unwrap();
        let after = Instant::now();
        self.meeting.wait();
        (before, after)
    }

    /// Is busy once while the server writes for the `count`th time.
    async fn be_busy(&self, count: usize) {
        while self.ready.load(Ordering::Acquire) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.meeting.wait();
        self.meeting.wait();
        thread::sleep(BUSY);
    }
}

#[tokio::test]
async fn an_answer_and_a_message_arrived_while_they_were_written() {
    let _stamped = stamped_connection().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let meetings = Arc::new(Meetings {
        ready: AtomicUsize::new(0),
        meeting: Barrier::new(2),
    });
    let of_server = meetings.clone();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let answer = switching(&String::from_utf8(request).unwrap(), "");
        let answered = of_server.write(&mut stream, answer.as_bytes());
        let said = of_server.write(&mut stream, &say("hello"));
        // Until the client has gone.
        stream.read_to_end(&mut Vec::new()).unwrap();
        (answered, said)
    });
    let notes = Notes::default();
    let asked = opening(format!("ws://127.0.0.1:{port}/"));
    let (opened, ()) = tokio::join!(open_with(&asked, notes.handler()), meetings.be_busy(1));
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
    let closed = notes.until_closed();
    closed.await;
    let (answered, said) = tokio::task::spawn_blocking(|| server.join().unwrap())
        .await
        .unwrap();
    let within = |at: Instant, (before, after): (Instant, Instant)| {
        before <= at + CLOCKS && at <= after + CLOCKS
    };
    assert!(within(sent_at + elapsed, answered), "{elapsed:?}");
    assert!(read_delay.unwrap() >= BUSY, "{read_delay:?}");
    let first_byte = phases
        .finished()
        .find(|(phase, _)| *phase == Phase::FirstByte);
    assert!(first_byte.unwrap().1 <= elapsed);
    let arrival = notes.arrivals.lock().unwrap()[0];
    assert!(within(arrival.at, said), "{arrival:?}");
    assert!(arrival.read_delay.unwrap() >= BUSY, "{arrival:?}");
}
