use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use hyper::HeaderMap;
use tokio::time::Instant;

use super::Socket;
use crate::{
    body::Received,
    driver::{Cookies, Phases},
};

/// A socket to be opened. It is not `Debug`: headers may hold credentials.
#[derive(Clone)]
pub struct Opening {
    /// An absolute `ws`, `wss`, `http` or `https` URL; `http` counts as `ws` and `https` as `wss`. A user and password
    /// in it are sent as basic authentication.
    pub url: String,
    /// Sent as they are, repeated names included. Those of the handshake itself (`connection`, `upgrade`,
    /// `sec-websocket-key`, `-version`, `-protocol`, `-extensions`) are refused.
    pub headers: Vec<(String, String)>,
    /// Sent as browsers do, and given back with what the answer sets.
    pub cookies: Option<Arc<Cookies>>,
    /// Subprotocols that are offered, the preferred one first; none if it is empty.
    pub protocols: Vec<String>,
    /// From the wait for leave to open a connection to the answer of the target.
    pub timeout: Duration,
    /// How much is taken and kept.
    pub limits: FrameLimits,
    /// Pings of ours; none without it. Pings of the target are always answered.
    pub ping: Option<PingSettings>,
    /// The intervals at which [`SocketHandler::heartbeat`](super::SocketHandler::heartbeat) is asked, each from the
    /// opening on and above zero.
    pub heartbeats: Vec<Duration>,
}

/// How much a socket takes and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// The longest message of the target, in bytes; with a longer one the socket is closed with 1009.
    pub message: usize,
    /// How much may wait to be sent, in bytes of messages. One message may be longer, if nothing else waits.
    pub waiting: usize,
    /// How many messages may wait to be sent.
    pub waiting_messages: usize,
}

/// Pings that a socket sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingSettings {
    /// From the opening to the first ping, and from the answer of one to the next; above zero.
    pub every: Duration,
    /// How long the target may take to answer; after that the socket has ended.
    pub within: Duration,
}

/// A socket, and how it was opened.
#[derive(Debug)]
pub struct OpenedSocket {
    /// The socket. Dropping it closes it.
    pub socket: Socket,
    /// What the target answered.
    pub answer: HandshakeAnswer,
    /// When it was asked for.
    pub sent_at: Instant,
    /// From `sent_at` until the answer was read.
    pub elapsed: Duration,
    /// From `sent_at` until there was leave to open a connection.
    pub waited: Duration,
    /// How long its phases took.
    pub phases: Phases,
    /// When the certificate of the target ends, if the handshake of TLS showed it.
    pub certificate_expires: Option<SystemTime>,
}

/// What a target answered to the opening of a socket.
#[derive(Debug, Clone)]
pub struct HandshakeAnswer {
    /// The status code: 101 if it opened the socket.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The subprotocol that the target chose.
    pub protocol: Option<String>,
    /// The beginning of its body; empty with 101.
    pub body: Received,
    /// The cookies of the opening with what the answer sets, if there were any.
    pub cookies: Option<Arc<Cookies>>,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            message: 1024 * 1024,
            waiting: 1024 * 1024,
            waiting_messages: 1024,
        }
    }
}
