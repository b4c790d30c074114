use std::sync::Arc;

use minijinja::Value;

use crate::{scenario::Scenario, target::Target};

/// What the chats of a run do, and with whom.
#[derive(Debug, Clone)]
pub struct ChatSpec {
    /// What each chat does.
    pub scenario: Arc<Scenario>,
    /// Whom it talks to.
    pub target: Arc<Target>,
    /// The value of every input.
    pub inputs: Value,
}
