use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The disposition of an inbound event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A wait passed with it.
    Consumed,
    /// Its chat ended without having waited for it, or it fell out of the chat's inbox.
    Ignored,
    /// It came for a key that nobody claimed while it was kept.
    EarlyExpired,
    /// It came for a chat that had ended.
    Late,
    /// It was an event of its chat that had come before: the same id, the same content.
    Duplicate,
    /// The same, and it came through the callback of another run than before: the target sends every event to each
    /// callback that it has.
    OtherCallback,
    /// It came on a path that no run has, or its key could not be determined.
    Unknown,
    /// It was refused: not to be read, too large, or not accepted by the scenario.
    Rejected,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 8] = [
        Self::Consumed,
        Self::Ignored,
        Self::EarlyExpired,
        Self::Late,
        Self::Duplicate,
        Self::OtherCallback,
        Self::Unknown,
        Self::Rejected,
    ];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumed => "consumed",
            Self::Ignored => "ignored",
            Self::EarlyExpired => "early_expired",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::OtherCallback => "other_callback",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}
