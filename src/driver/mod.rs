//! Drivers: what carries one step of a scenario over the wire.

mod http;

pub use http::{
    Connections, Endpoint, EnvironmentProxies, HttpAnswer, HttpClient, HttpDriver, HttpFailure,
    HttpFailureKind, HttpSession, HttpSetupError, OnWire, Proxy, ProxyChoice, ProxyError, Sharing,
    Tls, TlsError, TlsSettings,
};
