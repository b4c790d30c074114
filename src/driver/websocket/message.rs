//! What is said over a socket.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};

/// A message: all fragments of it together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// Text.
    Text(Utf8Bytes),
    /// Anything else.
    Binary(Bytes),
}

/// A message that came from the target.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// When its last byte arrived: as the kernel says if it does, otherwise when it was read.
    pub at: Instant,
    /// How long the kernel had had it when it was read; `None` where the kernel does not say.
    pub read_delay: Option<Duration>,
    /// What came. It may be a part of a larger buffer: whoever keeps a short one for long copies it.
    pub message: SocketMessage,
}

impl SocketMessage {
    /// A message of text.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// What is said, whatever its kind.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Its length in bytes, without the header of a frame.
    pub fn length(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn into_wire(self) -> tungstenite::Message {
        match self {
            Self::Text(text) => tungstenite::Message::Text(text),
            Self::Binary(bytes) => tungstenite::Message::Binary(bytes),
        }
    }
}
