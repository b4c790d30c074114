//! When a request may be sent once more.

use std::time::Duration;

use hyper::Method;

use super::{
    failure::Cause,
    sender::{Sender, Unanswered, closed_before_answer},
};

/// What this machine and the server's may add to a round trip.
const PROCESSING_TIME: Duration = Duration::from_millis(20);

/// The longest round trip that is believed: a lost packet makes that of one connection seconds long.
const LONGEST_ROUND_TRIP: Duration = Duration::from_millis(400);

/// Why a request that got no answer is not sent once more; `Ok` if it may be.
///
/// The server may have closed a connection that carried requests before because it was idle, in the
/// moment in which the request was on its way. A server that takes a request and then closes is another
/// matter: what it began must not be begun twice, and that it fails must show.
pub(super) fn check(
    used: bool,
    method: &Method,
    sender: &Sender,
    lost: &Unanswered,
) -> Result<(), Cause> {
    if !used || !closed_before_answer(lost) {
        return Err(Cause::of(lost));
    }
    if lost.is_unsent() || sender.wrote_nothing() {
        return Ok(());
    }
    let Some(closing) = sender.closing().filter(|closing| !closing.answered) else {
        return Err(Cause::of(lost));
    };
    if method.is_idempotent() || crossed(closing.after, sender.round_trip) {
        return Ok(());
    }
    Err(Cause::of(lost).not_resent(method, closing.after))
}

/// Whether the server may have closed before it had the request: then the close comes within a round trip.
fn crossed(after: Duration, round_trip: Duration) -> bool {
    after <= round_trip.min(LONGEST_ROUND_TRIP) + PROCESSING_TIME
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll},
    };

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::Request;
    use tokio::io::{
        AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
    };

    use super::*;
    use crate::arrival::ArrivalClock;

    /// A stream that can be broken without anybody hearing of it who only reads.
    struct Breakable {
        stream: DuplexStream,
        broken: Arc<AtomicBool>,
    }

    impl AsyncRead for Breakable {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Breakable {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            if self.broken.load(Ordering::Relaxed) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }

    #[tokio::test]
    async fn a_request_of_which_nothing_was_written_may_be_sent_once_more() {
        let (stream, mut far) = duplex(1024);
        let broken = Arc::<AtomicBool>::default();
        let breakable = Breakable {
            stream,
            broken: broken.clone(),
        };
        let mut sender = Sender::open(breakable, ArrivalClock::default(), None)
            .await
            .unwrap();
        let request = || Request::new(Full::new(Bytes::new()));
        let server = async {
            far.read_u8().await.unwrap();
            far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
        };
        let (answer, ()) = tokio::join!(sender.send(request()), server);
        assert_eq!(answer.unwrap().status(), 200);
        sender.ready().await.unwrap();
        broken.store(true, Ordering::Relaxed);
        let lost = sender.send(request()).await.unwrap_err();
        assert!(sender.wrote_nothing());
        assert!(check(true, &Method::POST, &sender, &lost).is_ok(), "{lost}");
        assert!(check(false, &Method::POST, &sender, &lost).is_err());
    }

    #[test]
    fn a_close_crosses_a_request_within_a_round_trip() {
        for (after, round_trip, crosses) in [
            (0, 0, true),
            (15, 0, true),
            (30, 0, false),
            (110, 100, true),
            (150, 100, false),
            // The first packet of that handshake was lost.
            (500, 1_020, false),
        ] {
            let [after, round_trip] = [after, round_trip].map(Duration::from_millis);
            assert_eq!(
                crossed(after, round_trip),
                crosses,
                "{after:?} {round_trip:?}"
            );
        }
    }
}
