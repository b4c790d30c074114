//! Drivers: each carries requests of one protocol over the wire, on streams of the transport that they have in common.
//! They know neither the language of scenarios nor metrics.

mod http;
mod origins;
mod phases;
mod transport;
mod websocket;

pub use http::{
    AnswerStream, Cookies, HttpAnswer, HttpBody, HttpClient, HttpDriver, HttpFailure,
    HttpFailureKind, HttpRequest, HttpSession, HttpSetupError, OnWire, Redirects, Remedy,
    StreamBroken, StreamPiece, location, shown_address,
};
pub use origins::{Origin, Origins, has_credentials};
pub use phases::{Phase, Phases};
pub use transport::{
    ConnectionSettings, Endpoint, EnvironmentProxies, Proxy, ProxyChoice, ProxyError, Sharing, Tls,
    TlsError, TlsSettings,
};
pub use websocket::{
    ClosedBy, ClosedSocket, ClosedWhy, FrameLimits, HandshakeAnswer, OpenedSocket, Opening,
    PingSettings, ReceivedMessage, Socket, SocketFailure, SocketFailureKind, SocketHandler,
    SocketMessage, SocketReader, Utf8Bytes, WebSocketClient,
};
