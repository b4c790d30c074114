//! Chats that a report lists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{event::FrameTrace, scenario::Reason};

/// A failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Example {
    /// What `/api/v1/failures/{id}` explains, as long as it is kept.
    #[serde(default)]
    pub id: String,
    /// The chat's number in its run.
    pub chat: u64,
    /// The step that failed.
    pub step: String,
    /// Its reason.
    pub reason: Reason,
    /// What exactly went wrong.
    pub detail: String,
    /// What the target calls this chat.
    pub correlation: BTreeMap<String, String>,
    /// The last 20 frames of the chat and ends of its connections, in their order; left out if there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub frames: Vec<FrameTrace>,
}

/// A chat that may still be open at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orphan {
    /// The chat's number in its run; 0 for what the setup made.
    pub chat: u64,
    /// What the target calls this chat, or what the setup captured.
    pub correlation: BTreeMap<String, String>,
    /// Why it may be open, in words; absent where the process ended under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub why: Option<String>,
}
