//! Where the entries of an inbox come from, and which of them a wait looks at.

use std::sync::Arc;

use crate::scenario::Reason;

/// Where an entry of an inbox comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundSource {
    /// A callback: the entry is an event.
    Callback,
    /// The connection of the chat with this number, from one: the entry is a frame.
    Connection(u32),
    /// The end of a connection: no frame of it follows.
    EndOf {
        /// Which connection of the chat, from one.
        connection: u32,
        /// For what a wait fails that needs it.
        reason: Reason,
    },
}

/// Which entries of an inbox a wait looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitSources {
    /// Events of callbacks.
    Callbacks,
    /// Frames of one connection.
    Connection(u32),
    /// Frames of several.
    Connections(Box<[u32]>),
}

/// Where what a wait takes comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// From callbacks of the chat.
    Callbacks,
    /// From the socket of the chat that has this name, or without one from any of its sockets.
    Socket(Option<Arc<str>>),
    /// From any event stream of the chat.
    Streams,
}

impl InboundSource {
    /// Whether a callback brought it: it is recorded when it is received, and settled once.
    pub fn is_callback(self) -> bool {
        self == Self::Callback
    }

    /// Whether it is the end of a connection, which no wait takes.
    pub fn is_end(self) -> bool {
        matches!(self, Self::EndOf { .. })
    }
}

impl WaitSources {
    /// Whether this is an event or a frame of them.
    pub fn have(&self, source: InboundSource) -> bool {
        match (self, source) {
            (Self::Callbacks, InboundSource::Callback) => true,
            (Self::Connection(own), InboundSource::Connection(number)) => *own == number,
            (Self::Connections(own), InboundSource::Connection(number)) => own.contains(&number),
            _ => false,
        }
    }

    /// Notes the end of a connection. Whether it was the last of them, so that no frame comes any more.
    pub fn end(&mut self, connection: u32) -> bool {
        match self {
            Self::Callbacks => false,
            Self::Connection(own) => *own == connection,
            Self::Connections(own) => {
                if !own.contains(&connection) {
                    return false;
                }
                let others = own.iter().copied().filter(|other| *other != connection);
                *own = others.collect();
                own.is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_connections_have_ended_with_the_last_of_them() {
        let mut sources = WaitSources::Connections([1, 3].into());
        assert!(
            sources.have(InboundSource::Connection(3))
                && !sources.have(InboundSource::Connection(2))
        );
        assert!(
            !sources.have(InboundSource::Callback) && !sources.have(InboundSource::Connection(0))
        );
        assert!(!sources.end(2), "it is none of them");
        assert!(!sources.end(1), "the other one is open");
        assert!(!sources.have(InboundSource::Connection(1)));
        assert!(sources.end(3));
        assert!(!WaitSources::Callbacks.end(1));
    }
}
