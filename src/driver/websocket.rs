//! WebSocket ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455)) connections to targets, without extensions.

mod client;
mod closed;
mod failure;
mod handler;
mod message;
mod opening;
mod socket;

pub use self::{
    client::WebSocketClient,
    closed::{ClosedBy, ClosedSocket, ClosedWhy},
    failure::{SocketFailure, SocketFailureKind},
    handler::SocketHandler,
    message::{ReceivedMessage, SocketMessage},
    opening::{FrameLimits, HandshakeAnswer, OpenedSocket, Opening, PingSettings},
    socket::Socket,
};
/// Text of a message, which is checked once and then shared without a copy.
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
