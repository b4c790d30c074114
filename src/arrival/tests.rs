use std::{
    io::{Read as _, Write as _},
    net::{self, SocketAddr},
    thread,
    time::SystemTime,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    clocks::{CLOSE, Clocks},
    testing::stamped_connection,
    *,
};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test]
async fn bytes_arrived_while_they_were_written_however_late_they_are_read() {
    let (mut here, mut far) = stamped_connection().await;
    let arrivals = here.arrivals();
    for _ in 0..5 {
        let before = Instant::now();
        far.write_all(b"frame").unwrap();
        let after = Instant::now();
        // Nobody reads meanwhile: the only thread of the runtime is busy.
        thread::sleep(millis(30));
        let mut frame = [0; 5];
        here.read_exact(&mut frame).await.unwrap();
        let read = Instant::now();
        let arrival = arrivals.latest();
        assert!(
            before <= arrival.at && arrival.at <= after + CLOSE,
            "{arrival:?}"
        );
        let delay = arrival.read_delay.unwrap();
        assert!(delay >= millis(30) && arrival.at + delay <= read);
    }
}

#[tokio::test]
async fn what_was_sent_before_a_connection_was_accepted_is_stamped_too() {
    let (_stamps, _are_taken) = stamped_connection().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    stamp(&listener);
    let mut far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let before = Instant::now();
    far.write_all(b"event").unwrap();
    let after = Instant::now();
    thread::sleep(millis(30));
    let (here, _) = listener.accept().await.unwrap();
    let mut here = StampedStream::new(here);
    here.read_exact(&mut [0; 5]).await.unwrap();
    let arrival = here.arrivals().latest();
    assert!(
        before <= arrival.at && arrival.at <= after + CLOSE,
        "{arrival:?}"
    );
    assert!(arrival.read_delay.unwrap() >= millis(30));
}

#[tokio::test]
async fn bytes_that_are_read_in_parts_arrived_together() {
    let (mut here, mut far) = stamped_connection().await;
    let arrivals = here.arrivals();
    let before = Instant::now();
    far.write_all(&[7; 300]).unwrap();
    let after = Instant::now();
    for _ in 0..3 {
        here.read_exact(&mut [0; 100]).await.unwrap();
        let arrival = arrivals.latest();
        assert!(
            before <= arrival.at && arrival.at <= after + CLOSE,
            "{arrival:?}"
        );
        thread::sleep(millis(5));
    }
}

#[tokio::test]
async fn without_a_stamp_bytes_arrived_when_they_were_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().await.unwrap();
    let mut here = StampedStream::new(here);
    far.write_all(b"event").unwrap();
    thread::sleep(millis(5));
    let before = Instant::now();
    here.read_exact(&mut [0; 5]).await.unwrap();
    let arrival = here.arrivals().latest();
    assert_eq!(arrival.read_delay, None);
    assert!(before <= arrival.at && arrival.at <= Instant::now());
    // The end of the stream is no arrival.
    drop(far);
    assert_eq!(here.read(&mut [0; 5]).await.unwrap(), 0);
    assert_eq!(here.arrivals().latest(), arrival);
}

/// A peer that sends back what comes.
fn echo() -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = vec![0; 10_000];
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return,
                count => stream.write_all(&buffer[..count]).unwrap(),
            }
        }
    });
    (address, echo)
}

#[tokio::test]
async fn every_byte_is_read_once_and_no_wake_is_lost() {
    let (address, echo) = echo();
    let stream = TcpStream::connect(address).await.unwrap();
    stamp(&stream);
    let mut stream = StampedStream::new(stream);
    for round in 0..2_000_u16 {
        let sent = round.to_be_bytes();
        stream.write_all(&sent).await.unwrap();
        let mut received = [0; 2];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(received, sent);
    }
    // More than is read at once, and more than the buffers of the kernel hold.
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n.to_be_bytes()[2]).collect();
    let mut received = vec![0; sent.len()];
    let (mut reading, mut writing) = tokio::io::split(stream);
    let (read, written) = tokio::join!(reading.read_exact(&mut received), writing.write_all(&sent));
    read.unwrap();
    written.unwrap();
    assert!(received == sent, "other bytes came back");
    writing.shutdown().await.unwrap();
    assert_eq!(reading.read(&mut received).await.unwrap(), 0);
    echo.join().unwrap();
}

#[test]
fn a_stamp_that_cannot_be_right_is_not_taken() {
    let now = Clocks::now();
    let ago = |millis| now.wall - Duration::from_millis(millis);
    let read = |stamp: SystemTime, not_before: Option<u64>| {
        let not_before = not_before.map(|before| now.instant - Duration::from_millis(before));
        let arrival = now.arrival(Some(stamp), not_before);
        (now.instant - arrival.at, arrival.read_delay)
    };
    let right = (millis(30), Some(millis(30)));
    let none = (Duration::ZERO, None);
    assert_eq!(read(ago(30), None), right);
    assert_eq!(read(ago(30), Some(30)), right);
    // The wall clock was set back between the arrival and the read, or ahead.
    assert_eq!(read(now.wall + millis(1), None), none);
    assert_eq!(read(ago(3_600_000), None), none);
    assert_eq!(read(ago(2_000), Some(50)), none);
    assert_eq!(now.arrival(None, None).read_delay, None);
    assert_eq!(now.arrival(None, None).at, now.instant);
}
