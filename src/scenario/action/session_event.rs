//! What happens in a session of a chat outside of its steps: frames come whether a step waits for them or not.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use minijinja::Value;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::scenario::Reason;

/// Takes what happens in the sessions of one chat. It is called by tasks of their own, must be quick and must not block.
pub type SessionSink = Arc<dyn Fn(SessionEvent) + Send + Sync>;

/// A connection that is about to be opened.
pub struct NewConnection {
    /// Which connection of the chat, from one.
    pub number: u32,
    /// Takes what happens on it.
    pub sink: SessionSink,
}

/// Something that happened in a session of a chat.
#[derive(Debug)]
pub enum SessionEvent {
    /// Something that observers count.
    Socket(SocketEvent),
    /// A frame came or went out, whoever looks at it. It is told for the explanation of the chat, should that fail.
    Passed(PassedFrame),
    /// A frame came at which a step may look.
    Arrived(ArrivedFrame),
    /// No frame comes over this connection any more: what waits for one waits in vain.
    Ended {
        /// Which connection of the chat, from one.
        connection: u32,
        /// When.
        at: Instant,
        /// For what a step fails that waits for a frame.
        reason: Reason,
        /// How it ended, for people.
        how: String,
    },
    /// The chat is a member of a room from now on, and has to receive what is said there.
    Joined {
        /// Which connection of the chat, from one.
        connection: u32,
        /// The room.
        room: Arc<str>,
        /// When.
        at: Instant,
    },
    /// It is a member no longer. Sent once for each [`SessionEvent::Joined`].
    Left {
        /// Which connection of the chat, from one.
        connection: u32,
        /// When.
        at: Instant,
    },
    /// A message goes out to all members of a room. Sent before it is written.
    Published {
        /// Which connection of the chat it goes out on, from one.
        connection: u32,
        /// By which its deliveries are recognized.
        id: Box<str>,
        /// The room.
        room: Arc<str>,
        /// When.
        at: Instant,
    },
    /// A message of somebody in a room came.
    Delivered {
        /// Which connection of the chat it came on, from one.
        connection: u32,
        /// By which it is recognized.
        id: Box<str>,
        /// When.
        at: Instant,
    },
}

/// A frame that passed over a connection.
#[derive(Debug)]
pub struct PassedFrame {
    /// Which connection of the chat, from one.
    pub connection: u32,
    /// When.
    pub at: Instant,
    /// Whether the target sent it, and not the chat.
    pub is_received: bool,
    /// Its kind.
    pub kind: FrameKind,
    /// What is in it; this shares it.
    pub content: Bytes,
}

/// A frame that came.
#[derive(Debug)]
pub struct ArrivedFrame {
    /// Which connection of the chat it came on, from one.
    pub connection: u32,
    /// When it reached the socket.
    pub at: Instant,
    /// What expressions look at.
    pub frame: Value,
    /// What it takes in memory, in bytes.
    pub bytes: usize,
}

/// Something that happened to a socket, which observers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketEvent {
    /// It was opened.
    Opened,
    /// It ended. There is one for each that was opened.
    Closed {
        /// Who ended it.
        by: SocketEnd,
        /// The code that said why, if one did.
        code: Option<u16>,
    },
    /// A frame came.
    Received {
        /// Its kind.
        kind: FrameKind,
        /// Its length.
        bytes: usize,
        /// How long the system had had it when it was read; `None` if that is not known.
        read_delay: Option<Duration>,
    },
    /// A frame went out.
    Sent {
        /// Its kind.
        kind: FrameKind,
        /// Its length.
        bytes: usize,
        /// Until the system had taken all of it.
        took: Duration,
    },
    /// A ping was answered.
    Ponged {
        /// After this time.
        after: Duration,
    },
    /// A frame was dropped that nobody had looked at: too many were kept.
    Dropped,
}

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Text.
    Text,
    /// Bytes.
    Binary,
}

/// Who ended a connection.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SocketEnd {
    /// The target.
    Target,
    /// This program.
    Us,
    /// Nobody said that it ends: it broke, or its silence lasted too long.
    Network,
}

impl FrameKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Text, Self::Binary];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

impl SocketEnd {
    /// Every end.
    pub const ALL: [Self; 3] = [Self::Target, Self::Us, Self::Network];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Us => "us",
            Self::Network => "network",
        }
    }

    /// The words for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Target => "the target",
            Self::Us => "chatprobe",
            Self::Network => "the network",
        }
    }
}
