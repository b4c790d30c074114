//! Drivers: what carries one step of a scenario over the wire.

mod http;

pub use http::{
    Connections, Customer, Endpoint, EnvironmentProxies, HttpAnswer, HttpClient, HttpDriver,
    HttpFailure, HttpFailureKind, HttpSetupError, OnWire, Proxy, ProxyChoice, ProxyError, Sharing,
    Tls, TlsError, TlsSettings,
};
