use std::time::Duration;

use super::{ClosedSocket, SocketFailure, SocketMessage};

/// An open socket. A task of its own reads from it and writes to it, so it answers pings whatever its owner does.
/// Dropping it closes it with code 1001, within a second.
#[derive(Debug)]
pub struct Socket {}

impl Socket {
    /// Sends a message; how long it took until the kernel had it.
    ///
    /// It waits while [`FrameLimits`](super::FrameLimits) let no more wait to be sent. Whoever gives up meanwhile has
    /// sent nothing; whoever gives up later may have sent it, and in any case it is sent as a whole or not at all.
    pub async fn send(&self, message: SocketMessage) -> Result<Duration, SocketFailure> {
        drop(message);
        std::future::pending().await
    }

    /// Closes the socket and waits for the target's answer, for five seconds at most. What was given to
    /// [`send`](Self::send) before is sent before.
    ///
    /// A target that does not answer is a failure of the kind
    /// [`Timeout`](super::SocketFailureKind::Timeout); a socket that has ended by itself is one of the kind
    /// [`Closed`](super::SocketFailureKind::Closed).
    pub async fn close(&self, code: u16, reason: &str) -> Result<ClosedSocket, SocketFailure> {
        let _ = (code, reason);
        std::future::pending().await
    }

    /// How it ended, if it has.
    pub fn closed(&self) -> Option<ClosedSocket> {
        None
    }
}
