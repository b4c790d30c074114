use std::fmt;

use tokio::time::Instant;

/// How a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSocket {
    /// Who ended it.
    pub by: ClosedBy,
    /// The code of the first close frame, theirs or ours, and of ours where they cross; `None` without one, or if it has
    /// no code. One of theirs is the one that was on the wire, whether it may be sent or not.
    pub code: Option<u16>,
    /// What the target says about it in its close frame, or what went wrong; for people, in one line. Empty if there is
    /// nothing to say.
    pub reason: String,
    /// When it ended.
    pub at: Instant,
    /// What ended it.
    pub why: ClosedWhy,
}

/// Who ended a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// The target sent a close frame.
    Target,
    /// We did first.
    Us,
    /// Nobody said anything: the connection ended or broke.
    Network,
}

/// What ended a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedWhy {
    /// The target sent a close frame.
    CloseFrame,
    /// [`Socket::close`](super::Socket::close) was called, and the target answered.
    Asked,
    /// The same, and the target did not answer in time.
    NoAnswer,
    /// The [`Socket`](super::Socket) was dropped.
    Dropped,
    /// The target did not answer a ping in time.
    NoPong,
    /// The target reads too slowly: more waits to be sent than [`FrameLimits`](super::FrameLimits) allow.
    Unread,
    /// The target closed the connection without a close frame.
    EndOfFile,
    /// The connection broke.
    Broken,
    /// The target sent a frame that the protocol forbids.
    Protocol,
    /// The target sent text that is not UTF-8.
    NotText,
    /// The target sent a message longer than [`FrameLimits`](super::FrameLimits) allow.
    TooLarge,
}

impl ClosedSocket {
    /// The end of a socket whose task ended for another reason than the socket.
    pub(super) fn abandoned() -> Self {
        Self {
            by: ClosedBy::Us,
            code: None,
            reason: String::new(),
            at: Instant::now(),
            why: ClosedWhy::Dropped,
        }
    }
}

impl ClosedBy {
    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Us => "us",
            Self::Network => "network",
        }
    }
}

impl ClosedWhy {
    /// Whether the target broke the rules of the protocol.
    pub const fn is_violation(self) -> bool {
        matches!(self, Self::Protocol | Self::NotText)
    }
}

/// In one line, for people.
impl fmt::Display for ClosedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            ClosedWhy::CloseFrame => "the target closed it",
            ClosedWhy::Asked | ClosedWhy::Dropped => "chatprobe closed it",
            ClosedWhy::NoAnswer => "chatprobe closed it, and the target did not answer",
            ClosedWhy::NoPong => "the target did not answer a ping",
            ClosedWhy::Unread => "the target reads too slowly",
            ClosedWhy::EndOfFile => "the target closed the connection without a close frame",
            ClosedWhy::Broken => "the connection broke",
            ClosedWhy::Protocol => "the target sent a frame that WebSocket forbids",
            ClosedWhy::NotText => "the target sent text that is not UTF-8",
            ClosedWhy::TooLarge => "the target sent a message that is too long",
        })?;
        if self.why == ClosedWhy::CloseFrame {
            match self.code {
                Some(code) => write!(f, " with code {code}")?,
                None => f.write_str(" without a code")?,
            }
        }
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.reason)
    }
}
