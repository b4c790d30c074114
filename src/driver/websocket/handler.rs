use std::time::Duration;

use super::{
    answer::HandshakeAnswer,
    closed::ClosedSocket,
    message::{ReceivedMessage, SocketMessage},
};

/// Whoever is told what happens on a socket, in the order of the wire. It is called by the task of the socket, or by
/// whoever reads it or sends a message at once; one call at a time. It must not block, because nothing is read
/// meanwhile, and must not use the socket.
pub trait SocketHandler: Send + 'static {
    /// The socket is open. It is called once, before all others.
    fn opened(&mut self, answer: &HandshakeAnswer);

    /// Takes a message of the target and says what is answered at once.
    fn received(&mut self, received: ReceivedMessage) -> Vec<SocketMessage>;

    /// What is sent now, of the heartbeat at this position of [`Opening::heartbeats`](super::Opening::heartbeats).
    fn heartbeat(&mut self, position: usize) -> Option<SocketMessage>;

    /// The target answered a ping after so long.
    fn ponged(&mut self, after: Duration);

    /// The kernel has taken a message, so long after it was given to the socket. Answers and heartbeats count too;
    /// pings, pongs and closes do not.
    fn sent(&mut self, message: &SocketMessage, took: Duration);

    /// The socket has ended. It is called once, and nothing is called after it.
    fn closed(&mut self, closed: &ClosedSocket);
}
