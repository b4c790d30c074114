use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Frames in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FrameFigures {
    /// Frames of text.
    pub text: u64,
    /// Frames of bytes.
    pub binary: u64,
    /// Their data, in bytes.
    pub bytes: u64,
}

impl FrameFigures {
    /// Frames of all kinds.
    pub fn frames(self) -> u64 {
        self.text + self.binary
    }
}
