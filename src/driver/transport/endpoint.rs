use super::{ConnectionSettings, ProxyChoice, Tls};

/// How a client reaches a target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// The host of the target, as its address has it; TLS settings are for this host alone.
    pub host: Option<String>,
    /// Whose connections there are, and how many.
    pub connections: ConnectionSettings,
    /// TLS with the target; as the system does it, if there is nothing else to it.
    pub tls: Option<Tls>,
    /// The proxy in between.
    pub proxy: ProxyChoice,
}
