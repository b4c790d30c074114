//! WebSocket ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455)) connections to targets, without extensions.

mod answer;
mod boundary;
mod client;
mod closed;
mod failure;
mod handler;
mod handshake;
mod message;
mod opening;
mod queue;
mod request;
mod socket;
mod socket_waker;
mod spawned;
mod task;
#[cfg(test)]
mod tests;
mod timers;
mod wire;
mod words;

pub use self::{
    answer::HandshakeAnswer,
    client::{OpenedSocket, WebSocketClient},
    closed::{ClosedBy, ClosedSocket, ClosedWhy},
    failure::{SocketFailure, SocketFailureKind},
    handler::SocketHandler,
    message::{ReceivedMessage, SocketMessage},
    opening::{FrameLimits, Opening, PingSettings},
    socket::Socket,
    spawned::SocketReader,
};
/// Text of a message, which is checked once and then shared without a copy.
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
