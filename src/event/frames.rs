//! What passed over the connections of a failed chat: as it was, and as people may see it.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    scenario::{Beginning, Excerpt, FrameKind, is_readable, note_confidential},
    target::Redaction,
};

/// Of a frame besides its content, in bytes.
const BESIDES: usize = 100;

/// The latest frames of a chat and the ends of its connections, in their order, with secrets and all. It does not print
/// itself.
#[derive(Default)]
pub struct TracedFrames {
    /// The latest ones.
    pub latest: Vec<TracedFrame>,
    /// How many came before these and are not kept.
    pub dropped: u64,
}

/// A frame, or the end of a connection.
pub struct TracedFrame {
    /// Which connection of the chat, from one.
    pub connection: u32,
    /// The name of its socket, with that of its track in front if it has one.
    pub socket: Arc<str>,
    /// After the chat began; `None` if that is not known.
    pub at: Option<Duration>,
    /// What it is.
    pub passage: Passage,
    /// What is in it; of an end how the connection ended.
    pub content: Beginning,
}

/// What passed over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// A frame of the target.
    Received(FrameKind),
    /// A frame of ours.
    Sent(FrameKind),
    /// Its end.
    Ended,
}

/// A frame of a failed chat, or the end of one of its connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FrameTrace {
    /// Which connection of the chat, from one.
    pub connection: u32,
    /// The name of its socket, with that of its track in front if it has one: `agent.socket`.
    #[serde(default)]
    pub socket: String,
    /// When, in seconds after the chat began; null where that is not known.
    pub at: Option<f64>,
    /// `received`, `sent`, or `ended` for the end of the connection.
    pub passage: String,
    /// `text` or `binary`; null for the end of the connection.
    pub kind: Option<String>,
    /// The beginning of what is in it, of a binary one that cannot be read as text `hex` and its digits; how the
    /// connection ended.
    pub content: Excerpt,
}

impl TracedFrames {
    /// Roughly what they take in memory.
    pub fn bytes(&self) -> usize {
        self.latest.iter().map(TracedFrame::bytes).sum()
    }

    /// Notes what they have under a confidential name.
    pub(super) fn note_confidential(&self, values: &mut Vec<String>) {
        for frame in &self.latest {
            note_confidential(&String::from_utf8_lossy(&frame.content.text), values);
        }
    }

    /// What people may see of them.
    pub fn present(&self, redaction: &Redaction) -> Vec<FrameTrace> {
        let frames = self.latest.iter();
        frames.map(|frame| frame.present(redaction)).collect()
    }
}

impl TracedFrame {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        Self::bytes_with(self.content.text.len())
    }

    /// The same of one of whose content so many bytes are kept.
    pub fn bytes_with(kept: usize) -> usize {
        BESIDES + kept
    }

    fn present(&self, redaction: &Redaction) -> FrameTrace {
        let kind = self.passage.kind();
        let mut content = redaction.excerpt(&self.content);
        let text = String::from_utf8_lossy(&self.content.text);
        // Where it is cut off, no half character is left.
        let whole = |text: &str| text.trim_end_matches(char::REPLACEMENT_CHARACTER).len();
        // Where it has a secret in it, digits would show that.
        if kind == Some(FrameKind::Binary)
            && !is_readable(&self.content.text)
            && content.text[..whole(&content.text)] == text[..whole(&text)]
        {
            content.text = format!("hex {}", hexadecimal(&self.content.text));
        }
        FrameTrace {
            connection: self.connection,
            socket: self.socket.to_string(),
            at: self.at.map(|at| at.as_secs_f64()),
            passage: self.passage.as_str().to_owned(),
            kind: kind.map(|kind| kind.as_str().to_owned()),
            content,
        }
    }
}

impl Passage {
    /// The kind of the frame, if it is one.
    pub fn kind(self) -> Option<FrameKind> {
        match self {
            Self::Received(kind) | Self::Sent(kind) => Some(kind),
            Self::Ended => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Received(_) => "received",
            Self::Sent(_) => "sent",
            Self::Ended => "ended",
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn frame(passage: Passage, content: &[u8], length: usize) -> TracedFrame {
        TracedFrame {
            connection: 2,
            socket: "line".into(),
            at: Some(Duration::from_millis(1_500)),
            passage,
            content: Beginning {
                text: content.to_vec().into(),
                length,
            },
        }
    }

    #[test]
    fn frames_are_shown_in_order_without_what_nobody_may_see() {
        let target = Target::new("t", "").with_secret("pass", "s3cret-of-t");
        let frames = TracedFrames {
            latest: vec![
                frame(
                    Passage::Sent(FrameKind::Text),
                    br#"{"password":"hunter-2"}"#,
                    23,
                ),
                frame(
                    Passage::Received(FrameKind::Text),
                    b"it was hunter-2, s3cret-o",
                    900,
                ),
                frame(Passage::Received(FrameKind::Binary), &[0, 255], 2),
                frame(Passage::Received(FrameKind::Binary), &[0, 255, 254], 900),
                // The last character is cut off.
                frame(Passage::Sent(FrameKind::Binary), b"{\"a\": \xc3", 900),
                frame(Passage::Sent(FrameKind::Binary), b"\0s3cret-of-t", 12),
                frame(Passage::Ended, b"the target closed it with code 1011", 35),
            ],
            dropped: 0,
        };
        let mut values = Vec::new();
        frames.note_confidential(&mut values);
        let shown = frames.present(&target.redaction_besides(&values));
        let seen: Vec<_> = (shown.iter())
            .map(|frame| (&*frame.passage, frame.kind.as_deref(), &*frame.content.text))
            .collect();
        let expected = [
            ("sent", Some("text"), r#"{"password":"***"}"#),
            ("received", Some("text"), "it was ***, "),
            ("received", Some("binary"), "hex 00ff"),
            ("received", Some("binary"), "hex 00fffe"),
            ("sent", Some("binary"), "{\"a\": "),
            ("sent", Some("binary"), "\0***"),
            ("ended", None, "the target closed it with code 1011"),
        ];
        assert_eq!(seen, expected);
        assert_eq!((shown[1].content.bytes, shown[1].connection), (900, 2));
        assert_eq!(shown[1].at, Some(1.5));
    }
}
