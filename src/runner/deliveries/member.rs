use std::time::Duration;

/// Who can be in a room: a connection of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::runner) struct Member {
    /// The chat's number in its run.
    pub(in crate::runner) chat: u64,
    /// Which connection of the chat, from one.
    pub(in crate::runner) connection: u32,
}

/// Where a member is.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberPlace {
    /// The bit that it has in messages.
    pub(super) slot: usize,
    /// When in the order of the room it joined.
    pub(super) joined: u64,
}

/// What a frame with the id of a message was to the member that received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Receipt {
    /// A message that it was expected to receive, for the first time, so long after it was published.
    Delivered(Duration),
    /// The same once more.
    Duplicate,
    /// A message whose time was over; it counts as lost.
    Late,
    /// A message that it published itself.
    Own,
    /// No open message of this run, or one that was published before it joined.
    Unknown,
}
