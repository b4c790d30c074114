use minijinja::Value;
use tokio::time::Instant;

/// An inbound event.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// When its request reached the socket.
    pub arrived: Instant,
    /// What it says.
    pub event: Value,
    /// What its redeliveries have in common with it, if the scenario can tell.
    pub(super) id: Option<String>,
    /// The size of its body.
    pub bytes: usize,
}
