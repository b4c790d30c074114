//! Messages of event streams as expressions see them.

use std::sync::{Arc, OnceLock};

use minijinja::{
    Value,
    value::{Enumerator, Object},
};

use crate::{
    body::{StreamedEvent, read_json},
    scenario::look::VisibleName,
};

/// What something that came takes in memory besides its bytes, in bytes.
const BESIDES: usize = 160;
/// What a value of its JSON takes besides its text once it is read, in bytes.
const OF_VALUE: usize = 50;

/// `message`. Its JSON is read when an expression first asks for it.
#[derive(Debug)]
pub(super) struct MessageView {
    event: StreamedEvent,
    json: OnceLock<Value>,
}

impl MessageView {
    /// The name by which expressions know it.
    pub(super) const NAME: &str = "message";

    /// How a `receive` knows it.
    pub(super) const VISIBLE: VisibleName = VisibleName::new(
        Self::NAME,
        "it is known where a `receive` looks at a message of an event stream",
    )
    .with_fields(&["event", "data", "id", "json"]);

    pub(super) fn new(event: StreamedEvent) -> Self {
        Self {
            event,
            json: OnceLock::new(),
        }
    }

    /// What it takes in memory, in bytes, should somebody look at its JSON.
    pub(super) fn weight(event: &StreamedEvent) -> usize {
        event.event.len() + event.id.len() + bytes_if_read(event.data.as_bytes())
    }

    /// Undefined where the data is no JSON.
    fn json(&self) -> &Value {
        let read = || read_json(self.event.data.as_bytes(), None).unwrap_or_default();
        self.json.get_or_init(read)
    }
}

impl Object for MessageView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "event" => Some(self.event.event.as_str().into()),
            "data" => Some(self.event.data.as_str().into()),
            "id" => Some(self.event.id.clone().into()),
            "json" => Some(self.json().clone()),
            _ => None,
        }
    }

    /// What says everything about it once.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["event", "data", "id"])
    }
}

/// What something that came takes in memory, in bytes, should somebody look at its JSON.
pub(super) fn bytes_if_read(content: &[u8]) -> usize {
    let is_json = matches!(content.trim_ascii_start(), [b'{' | b'[', ..]);
    let begins_value = |byte: &&u8| matches!(byte, b'{' | b'[' | b',' | b':');
    let values = if is_json {
        content.iter().filter(begins_value).count()
    } else {
        0
    };
    BESIDES + content.len() + values * OF_VALUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_weighs_what_its_values_take() {
        let weight = |text: &str| bytes_if_read(text.as_bytes());
        assert_eq!(weight("a,b:c"), BESIDES + 5);
        assert_eq!(weight(" [1,[2]]"), BESIDES + 8 + 3 * OF_VALUE);
        assert_eq!(weight(r#"{"a":1}"#), BESIDES + 7 + 2 * OF_VALUE);
    }
}
