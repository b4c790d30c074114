use std::sync::Arc;

/// What steps open that belongs to their track.
#[derive(Default)]
pub(in crate::scenario) struct TrackConnections {
    /// The names of sockets.
    pub(super) sockets: Vec<Arc<str>>,
    /// The steps that ask for an event stream.
    pub(super) streams: Vec<Arc<str>>,
}
