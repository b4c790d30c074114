use std::{sync::Arc, time::Duration};

use crate::driver::Cookies;

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

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            message: 1024 * 1024,
            waiting: 1024 * 1024,
            waiting_messages: 1024,
        }
    }
}
