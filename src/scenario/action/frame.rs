//! Frames as expressions see them, in waits and in what holds for all sockets of a scenario.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use minijinja::{
    Value,
    value::{Enumerator, Object},
};
use serde_json::json;

use crate::{
    body::read_json,
    driver::SocketMessage,
    scenario::{
        View,
        action::{
            FrameKind,
            message::{MessageView, bytes_if_read},
        },
        evaluation::hexadecimal,
        look::{VisibleName, VisibleNames},
    },
};

const OF_FRAME: &str = "it is known where a `receive` looks at a frame, and in `replies` and in \
                        `id` of `deliveries`";

const FIELDS: &[&str] = &["text", "json", "hex", "length", "kind", "socket"];

/// What a `receive` and the expressions of its step look at.
pub(super) const FRAME: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new(FrameView::NAME, OF_FRAME).with_fields(FIELDS),
        MessageView::VISIBLE,
        VisibleName::new("elapsed", "it is known in `expect` and `capture`"),
    ],
    of_chat: true,
};

/// What expressions look at that belong to a scenario and not to a step.
pub(super) const BARE_FRAME: VisibleNames = VisibleNames {
    names: &[VisibleName::new(FrameView::NAME, OF_FRAME).with_fields(FIELDS)],
    of_chat: true,
};

/// `frame`. Its JSON is read when an expression first asks for it.
#[derive(Debug)]
pub(super) struct FrameView {
    content: SeenContent,
    socket: Arc<str>,
    json: OnceLock<Value>,
}

/// What is in a frame.
#[derive(Debug)]
enum SeenContent {
    /// As a value, which expressions share.
    Text(Value),
    Binary(Bytes),
}

/// A frame, where expressions look at nothing else.
pub(super) struct SeenFrame(pub(super) Value);

impl FrameView {
    /// The name by which expressions know it.
    pub(super) const NAME: &str = "frame";

    /// Copies the message, which may be a small part of a buffer that would stay with it.
    pub(super) fn new(message: &SocketMessage, socket: Arc<str>) -> Self {
        let content = match message {
            SocketMessage::Text(text) => SeenContent::Text(text.as_str().into()),
            SocketMessage::Binary(bytes) => SeenContent::Binary(Bytes::copy_from_slice(bytes)),
        };
        Self {
            content,
            socket,
            json: OnceLock::new(),
        }
    }

    /// What a frame with this message takes in memory, in bytes, should somebody look at its JSON.
    pub(super) fn weight(message: &SocketMessage) -> usize {
        bytes_if_read(message.bytes())
    }

    /// What is in it, for people. Binary content is shown as text, because secrets are not found in hexadecimal digits.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(self.content.bytes());
        match self.content {
            SeenContent::Text(_) => text.into_owned(),
            SeenContent::Binary(_) => format!("bytes {text}"),
        }
    }

    /// A binary frame as JSON with its content as text, in which secrets are found; `None` of a frame of text.
    pub(super) fn binary_as_text(&self) -> Option<Vec<u8>> {
        let SeenContent::Binary(bytes) = &self.content else {
            return None;
        };
        let text = String::from_utf8_lossy(bytes);
        let frame = json!({ "socket": &*self.socket, "kind": "binary", "text": text });
        Some(frame.to_string().into_bytes())
    }

    /// Whether it is a binary frame that people can read as text.
    pub(super) fn is_readable_binary(&self) -> bool {
        self.content.kind() == FrameKind::Binary && is_readable(self.content.bytes())
    }

    /// Undefined where it is no JSON.
    fn json(&self) -> &Value {
        let read = || read_json(self.content.bytes(), None).unwrap_or_default();
        self.json.get_or_init(read)
    }
}

impl SeenContent {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes().unwrap_or_default(),
            Self::Binary(bytes) => bytes,
        }
    }

    fn kind(&self) -> FrameKind {
        match self {
            Self::Text(_) => FrameKind::Text,
            Self::Binary(_) => FrameKind::Binary,
        }
    }
}

impl Object for FrameView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match (key, &self.content) {
            ("text", SeenContent::Text(text)) => Some(text.clone()),
            ("json", _) => Some(self.json().clone()),
            ("hex", content) => Some(hexadecimal(content.bytes()).into()),
            ("length", content) => Some(content.bytes().len().into()),
            ("kind", content) => Some(content.kind().as_str().into()),
            ("socket", _) => Some(self.socket.clone().into()),
            _ => None,
        }
    }

    /// What says everything about it once.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(match self.content {
            SeenContent::Text(_) => &["socket", "kind", "text"],
            SeenContent::Binary(_) => &["socket", "kind", "hex"],
        })
    }
}

impl View for SeenFrame {
    fn value_of(&self, name: &str) -> Option<Value> {
        (name == FrameView::NAME).then(|| self.0.clone())
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        String::new()
    }
}

/// Whether people can read these bytes as text; the last character may be cut off.
pub fn is_readable(bytes: &[u8]) -> bool {
    let whole = match str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return false,
    };
    let text = str::from_utf8(&bytes[..whole]).unwrap_or_default();
    text.chars().all(|c| c.is_whitespace() || !c.is_control())
}

/// The kind of frame that a message makes.
pub(super) fn kind_of(message: &SocketMessage) -> FrameKind {
    match message {
        SocketMessage::Text(_) => FrameKind::Text,
        SocketMessage::Binary(_) => FrameKind::Binary,
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Utf8Bytes;

    use super::*;

    fn frame(message: &SocketMessage) -> Value {
        Value::from_object(FrameView::new(message, "chat".into()))
    }

    #[test]
    fn a_frame_keeps_no_buffer_of_which_it_is_a_part() {
        let buffer = Bytes::from(vec![b'a'; 1024]);
        let part = buffer.slice(..4);
        let text = SocketMessage::text(Utf8Bytes::try_from(part.clone()).unwrap());
        let frames = [text, SocketMessage::Binary(part)].map(|message| frame(&message));
        assert!(buffer.is_unique());
        let hex = frames.map(|frame| frame.get_attr("hex").unwrap());
        assert_eq!(hex, ["61616161".into(), "61616161".into()]);
    }

    #[test]
    fn people_see_a_binary_frame_as_text_in_which_secrets_are_found() {
        let message = SocketMessage::Binary(Bytes::from_static(b"\xfftoken-1"));
        let frame = FrameView::new(&message, "chat".into());
        assert_eq!(frame.shown(), "bytes \u{fffd}token-1");
    }

    #[test]
    fn a_frame_of_text_has_its_text_and_its_json() {
        let text = frame(&SocketMessage::text(r#"{ "id": 7, "of": { "a": [1] } }"#));
        let field = |name: &str| text.get_attr(name).unwrap();
        assert_eq!(field("kind").as_str(), Some("text"));
        assert_eq!(field("socket").as_str(), Some("chat"));
        assert_eq!(field("length"), Value::from(31));
        assert_eq!(field("json").get_attr("id").unwrap(), Value::from(7));
        assert!(field("hex").as_str().unwrap().starts_with("7b20"));
        assert!(field("other").is_undefined());
        let whole = serde_json::to_value(&text).unwrap();
        let fields: Vec<_> = whole.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["kind", "socket", "text"]);
    }

    #[test]
    fn what_is_no_json_and_no_text_is_undefined() {
        let text = frame(&SocketMessage::text("2probe"));
        assert!(text.get_attr("json").unwrap().is_undefined());
        let binary = frame(&SocketMessage::Binary(vec![0, 255].into()));
        assert!(binary.get_attr("text").unwrap().is_undefined());
        assert_eq!(binary.get_attr("hex").unwrap().as_str(), Some("00ff"));
        assert_eq!(binary.get_attr("length").unwrap(), Value::from(2));
        let json = frame(&SocketMessage::Binary("[5]".into()));
        let first = json.get_attr("json").unwrap().get_item_by_index(0).unwrap();
        assert_eq!(first, Value::from(5));
    }
}
