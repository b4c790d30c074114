use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The disposition of an expected delivery: of one message to one member of the room that it was published to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryFate {
    /// The member received the message in time.
    Delivered,
    /// The member stayed and did not receive the message in time.
    Lost,
    /// The member received the message once more. It was counted as delivered before, so it is no part of what was expected.
    Duplicate,
    /// The member left before it received the message, and before the time for that was over.
    Excused,
    /// Nothing is known: the message was not tracked, because too many others were open or because its id was not
    /// to be told from another. No part of what was expected.
    Untracked,
}

impl DeliveryFate {
    /// Every fate.
    pub const ALL: [Self; 5] = [
        Self::Delivered,
        Self::Lost,
        Self::Duplicate,
        Self::Excused,
        Self::Untracked,
    ];

    /// Whether such a delivery is one of those that were expected.
    pub const fn is_expected(self) -> bool {
        matches!(self, Self::Delivered | Self::Lost | Self::Excused)
    }

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::Duplicate => "duplicate",
            Self::Excused => "excused",
            Self::Untracked => "untracked",
        }
    }
}

/// What happened to the messages that chats of a run published to rooms. In the end as many deliveries were expected as were
/// delivered, lost and excused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// A message is about to be sent that is tracked, and so many members are expected to receive it.
    Published {
        /// How many members: without its sender.
        expected: u64,
    },
    /// A member received it for the first time.
    Delivered {
        /// How long after it was published.
        latency: Duration,
    },
    /// A member received it again.
    Duplicate,
    /// So many members did not receive a message in time.
    Lost(u64),
    /// So many members left before they could receive a message.
    Excused(u64),
    /// A message is about to be sent that is not tracked, and so many members should receive it.
    Untracked(u64),
}

impl DeliveryEvent {
    /// Which deliveries are settled by it, and how many; `None` if it settles none.
    pub const fn settles(self) -> Option<(DeliveryFate, u64)> {
        match self {
            Self::Published { .. } => None,
            Self::Delivered { .. } => Some((DeliveryFate::Delivered, 1)),
            Self::Duplicate => Some((DeliveryFate::Duplicate, 1)),
            Self::Lost(count) => Some((DeliveryFate::Lost, count)),
            Self::Excused(count) => Some((DeliveryFate::Excused, count)),
            Self::Untracked(count) => Some((DeliveryFate::Untracked, count)),
        }
    }
}
