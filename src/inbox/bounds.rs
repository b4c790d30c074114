/// Events and frames that one inbox keeps at the most.
pub const MOST_EVENTS: usize = 1_000;
/// Bytes that they may take in memory together. The latest entry is kept even if it is larger; a frame that is the
/// latest entry comes on top of the events of callbacks.
pub const MOST_BYTES: usize = 1024 * 1024;
/// Ends of connections that it keeps however much comes behind them.
pub(super) const MOST_ENDS: usize = 16;
