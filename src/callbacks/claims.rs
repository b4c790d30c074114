use std::sync::Arc;

use super::{ClaimError, key_registry::KeyRegistry};
use crate::inbox::EventSender;

/// The keys by which the events of the callbacks find the inbox of one chat. What comes for them after it is dropped is
/// late.
#[derive(Debug)]
pub struct Claims {
    registry: Arc<KeyRegistry>,
    sender: EventSender,
    keys: Vec<String>,
}

impl Claims {
    pub(super) fn new(registry: Arc<KeyRegistry>, sender: EventSender) -> Self {
        Self {
            registry,
            sender,
            keys: Vec::new(),
        }
    }

    /// From now on events with this key are for this chat, those that came already included.
    ///
    /// # Errors
    ///
    /// Another chat has the key.
    pub fn claim(&mut self, key: String) -> Result<(), ClaimError> {
        if !self.keys.contains(&key) {
            self.registry.claim(&key, &self.sender)?;
            self.keys.push(key);
        }
        Ok(())
    }

    /// The keys that were claimed.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        self.registry.release(&self.keys, self.sender.owner());
    }
}
