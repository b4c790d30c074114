//! When an answer arrived, though nobody read it.

use std::{
    io::{Read, Write},
    net,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use rustls::{ServerConnection, StreamOwned};

use super::{
    server::OK,
    tls::{server_config, trusting},
    *,
};
use crate::{arrival::testing::stamped_connection, driver::Phase};

/// How long the only thread of the runtime stays busy after the answer was written.
const BUSY: Duration = Duration::from_millis(30);
/// What the conversion between two clocks may add.
const CLOCKS: Duration = Duration::from_micros(20);

/// What a server and the thread of a runtime agree on.
struct Meetings {
    asked: AtomicBool,
    /// From the first meeting to the second, the runtime does nothing.
    meeting: Barrier,
}

/// Between which moments an answer was written.
type Written = (Instant, Instant);

/// What becomes of a connection behind the answer: its end is a segment too, and may be read together with the answer.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Open,
    Closed,
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// Reads one request and writes the answer while the runtime is busy.
fn answer(stream: &mut dyn Stream, answer: &str, meetings: &Meetings) -> Written {
    read_request(stream);
    meetings.asked.store(true, Ordering::Release);
    meetings.meeting.wait();
    let before = Instant::now();
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();
    let after = Instant::now();
    meetings.meeting.wait();
    (before, after)
}

fn read_request(stream: &mut (impl Read + ?Sized)) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

/// Sends a request whose answer arrives while the runtime is busy.
async fn exchange(secure: bool, text: &'static str, end: End) -> (HttpAnswer, Written) {
    let _stamped = stamped_connection().await;
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let meetings = Arc::new(Meetings {
        asked: AtomicBool::new(false),
        meeting: Barrier::new(2),
    });
    let of_server = meetings.clone();
    let server: JoinHandle<Written> = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream: Box<dyn Stream> = if secure {
            let session = ServerConnection::new(server_config()).unwrap();
            Box::new(StreamOwned::new(session, stream))
        } else {
            Box::new(stream)
        };
        let written = answer(&mut *stream, text, &of_server);
        if end == End::Open {
            of_server.meeting.wait();
        }
        written
    });
    let (client, url) = if secure {
        (trusting(), format!("https://localhost:{port}/"))
    } else {
        (driver(), format!("http://127.0.0.1:{port}/"))
    };
    let mut session = client.session();
    let request = get(url);
    let busy = async {
        while !meetings.asked.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        meetings.meeting.wait();
        meetings.meeting.wait();
        thread::sleep(BUSY);
    };
    let (answer, ()) = tokio::join!(session.send(&request), busy);
    if end == End::Open {
        meetings.meeting.wait();
    }
    (answer.unwrap(), server.join().unwrap())
}

#[tokio::test]
async fn an_answer_took_until_it_arrived_and_not_until_it_was_read() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (secure, text) in [(false, OK), (true, OK), (false, chunked)] {
        let (answer, (before, after)) = exchange(secure, text, End::Open).await;
        let arrived = answer.sent_at + answer.elapsed;
        let since = |moment: Instant| moment.saturating_duration_since(answer.sent_at);
        assert!(
            before <= arrived && arrived <= after + CLOCKS,
            "written from {:?} to {:?}, arrived at {:?}, read {:?} later: {text}",
            since(before),
            since(after),
            since(arrived),
            answer.read_delay
        );
        assert!(answer.read_delay.unwrap() >= BUSY, "{answer:?}");
        let phases: Vec<_> = answer.phases.finished().collect();
        let (last, _) = phases.last().unwrap();
        assert_eq!(*last, Phase::FirstByte);
        let sum: Duration = phases.iter().map(|(_, took)| *took).sum();
        assert!(sum <= answer.elapsed, "{phases:?} of {:?}", answer.elapsed);
    }
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_took_until_the_end_was_read() {
    let (answer, (_, after)) = exchange(false, "HTTP/1.0 200 OK\r\n\r\nok", End::Closed).await;
    assert_eq!(answer.read_delay, None);
    assert!(answer.sent_at + answer.elapsed >= after + BUSY);
}

/// Threads that want a CPU all the time, until they are dropped.
struct Hogs {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hogs {
    fn start(count: usize) -> Self {
        let over = Arc::<AtomicBool>::default();
        let hog = |_| {
            let over = over.clone();
            thread::spawn(move || while !over.load(Ordering::Relaxed) {})
        };
        let threads = (0..count).map(hog).collect();
        Self { over, threads }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for hog in self.threads.drain(..) {
            hog.join().ok();
        }
    }
}

/// Answers so many requests on one connection, which stays open.
fn answer_all(listener: &net::TcpListener, count: usize) -> (net::TcpStream, Vec<Written>) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let answer = |_| {
        read_request(&mut stream);
        let before = Instant::now();
        stream.write_all(OK.as_bytes()).unwrap();
        (before, Instant::now())
    };
    let written = (0..count).map(answer).collect();
    (stream, written)
}

/// How far a moment is from a time.
fn outside(moment: Instant, (before, after): Written) -> Duration {
    let early = before.saturating_duration_since(moment);
    early.max(moment.saturating_duration_since(after))
}

fn p99(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() * 99 / 100]
}

#[tokio::test]
async fn beside_hogs_answers_arrived_when_they_were_written_within_the_precision() {
    const REQUESTS: usize = 300;
    let _stamped = stamped_connection().await;
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _hogs = Hogs::start(8);
    let server = thread::spawn(move || answer_all(&listener, REQUESTS));
    let mut session = driver().session();
    let mut request = get(format!("http://127.0.0.1:{port}/"));
    request.timeout = Duration::from_mins(1);
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        let answer = session.send(&request).await.unwrap();
        let read_at = Instant::now();
        answers.push((answer.sent_at + answer.elapsed, answer.read_delay, read_at));
    }
    let (_stream, written) = server.join().unwrap();
    let answers = answers.into_iter().zip(written);
    let (errors, rest): (Vec<_>, Vec<_>) = answers
        .map(|((arrived, read_delay, read_at), written)| {
            let unstamped = outside(read_at, written);
            (outside(arrived, written), (read_delay.unwrap(), unstamped))
        })
        .unzip();
    let (read_delays, unstamped): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
    let (error, precision) = (p99(errors), p99(read_delays));
    // The precision of a run is the largest of several values, of which this is one.
    assert!(
        error <= precision.min(CLOCKS),
        "{error:?} with a precision of {precision:?}"
    );
    let unstamped = p99(unstamped);
    assert!(error < unstamped, "{error:?}, without stamps {unstamped:?}");
}
