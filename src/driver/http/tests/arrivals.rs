//! When an answer arrived, though nobody read it.

use std::{net, thread};

use super::{
    blocking::{BlockingStream, accept, read_head, write},
    server::OK,
    tls::trusting,
    *,
};
use crate::{
    arrival::{
        Arrival,
        testing::{BUSY, Hogs, Meetings, Written, assert_within_precision, stamped_connection},
    },
    driver::Phase,
};

/// What becomes of a connection behind the answer: its end is a segment too, and may be read together with the answer.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Open,
    Closed,
}

/// A client, and where it finds the server that listens at this port.
fn client_of(secure: bool, port: u16) -> (HttpClient, String) {
    if secure {
        (trusting(), format!("https://localhost:{port}/"))
    } else {
        (driver(), format!("http://127.0.0.1:{port}/"))
    }
}

/// Sends a request whose answer arrives while the runtime is busy.
async fn exchange(secure: bool, text: &'static str, end: End) -> (HttpAnswer, Written) {
    let _stamped = stamped_connection().await;
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (client, url) = client_of(secure, listener.local_addr().unwrap().port());
    let meetings = Meetings::new();
    let of_server = meetings.clone();
    let server = thread::spawn(move || {
        let mut stream = accept(&listener, secure);
        read_head(&mut *stream);
        let answer = || Written::by(|| write(&mut *stream, text.as_bytes()));
        let written = of_server.while_busy(answer);
        (written, (end == End::Open).then_some(stream))
    });
    let mut session = client.session();
    let request = get(url);
    let (answer, ()) = tokio::join!(session.send(&request), meetings.be_busy(1));
    let (written, _stream) = server.join().unwrap();
    (answer.unwrap(), written)
}

#[tokio::test]
async fn an_answer_took_until_it_arrived_and_not_until_it_was_read() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (secure, text) in [(false, OK), (true, OK), (false, chunked)] {
        let (answer, written) = exchange(secure, text, End::Open).await;
        written.assert_arrived(answer.sent_at + answer.elapsed);
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
    let (answer, written) = exchange(false, "HTTP/1.0 200 OK\r\n\r\nok", End::Closed).await;
    assert_eq!(answer.read_delay, None);
    assert!(answer.sent_at + answer.elapsed >= written.after + BUSY);
}

/// Answers so many requests on one connection, which stays open.
fn answer_all(
    listener: &net::TcpListener,
    secure: bool,
    count: usize,
) -> (Box<dyn BlockingStream>, Vec<Written>) {
    let mut stream = accept(listener, secure);
    let answer = |_| {
        read_head(&mut *stream);
        Written::by(|| write(&mut *stream, OK.as_bytes()))
    };
    let written = (0..count).map(answer).collect();
    (stream, written)
}

#[tokio::test]
async fn beside_hogs_answers_arrived_when_they_were_written_within_the_precision() {
    const REQUESTS: usize = 300;
    let _stamped = stamped_connection().await;
    let _hogs = Hogs::start().await;
    for secure in [false, true] {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, url) = client_of(secure, listener.local_addr().unwrap().port());
        let server = thread::spawn(move || answer_all(&listener, secure, REQUESTS));
        let mut session = client.session();
        let mut request = get(url);
        request.timeout = Duration::from_mins(1);
        let mut arrivals = Vec::new();
        for _ in 0..REQUESTS {
            let answer = session.send(&request).await.unwrap();
            arrivals.push(Arrival {
                at: answer.sent_at + answer.elapsed,
                read_delay: answer.read_delay,
            });
        }
        let (_stream, written) = server.join().unwrap();
        assert_within_precision(&arrivals, &written);
    }
}
