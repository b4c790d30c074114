use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a step, and with it its chat, failed. The list is closed: it becomes a metric label.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The target's name did not resolve.
    Dns,
    /// No connection, or one that broke before the answer was complete.
    Connect,
    /// The connection could not be made secure.
    Tls,
    /// No complete answer in time.
    Timeout,
    /// An answer with another status than the step expects.
    Status,
    /// An answer or event that did not meet another expectation of the step.
    Expectation,
    /// Something to be captured was not there.
    Capture,
    /// No agent joined in time.
    AgentJoinTimeout,
    /// No event came that the step waited for.
    ReplyTimeout,
    /// The other side left while the step waited for it.
    Disconnected,
    /// The target agreed to a connection in a way that its protocol does not allow.
    Handshake,
    /// A connection ended while the step needed it.
    Closed,
    /// The target sent what its protocol does not allow.
    Protocol,
    /// A template or expression met a value that it cannot work with.
    Template,
    /// A fault of chatprobe itself.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Status,
        Self::Expectation,
        Self::Capture,
        Self::AgentJoinTimeout,
        Self::ReplyTimeout,
        Self::Disconnected,
        Self::Handshake,
        Self::Closed,
        Self::Protocol,
        Self::Template,
        Self::Internal,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Expectation => "expectation",
            Self::Capture => "capture",
            Self::AgentJoinTimeout => "agent_join_timeout",
            Self::ReplyTimeout => "reply_timeout",
            Self::Disconnected => "disconnected",
            Self::Handshake => "handshake",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Template => "template",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
