use std::sync::Arc;

/// The name of a socket. Tracks of a chat may use the same ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SocketName {
    pub(super) track: Option<Arc<str>>,
    pub(super) name: Arc<str>,
}
