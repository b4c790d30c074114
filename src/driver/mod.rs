//! Drivers: each carries requests of one protocol over the wire. They know neither the language of scenarios nor
//! metrics.

mod http;
mod origins;
mod phases;
mod websocket;

pub use http::{
    ConnectionSettings, Cookies, Endpoint, EnvironmentProxies, HttpAnswer, HttpBody, HttpClient,
    HttpDriver, HttpFailure, HttpFailureKind, HttpRequest, HttpSession, HttpSetupError, OnWire,
    Proxy, ProxyChoice, ProxyError, Redirects, Remedy, Sharing, Tls, TlsError, TlsSettings,
    location, shown_address,
};
pub use origins::{Origin, Origins, has_credentials};
pub use phases::{Phase, Phases};
pub use websocket::{
    ClosedBy, ClosedSocket, ClosedWhy, FrameLimits, HandshakeAnswer, OpenedSocket, Opening,
    PingSettings, ReceivedMessage, Socket, SocketFailure, SocketFailureKind, SocketHandler,
    SocketMessage, Utf8Bytes, WebSocketClient,
};
