//! The frames of the chat rooms: JSON texts, each with its `type`.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Characters of the name of a room or of a member.
const LONGEST_NAME: usize = 64;
/// Characters of the id of a message.
const LONGEST_ID: usize = 128;
/// Rooms whose names begin so are those of the support desk.
pub(super) const SUPPORT_ROOM: &str = "support-";

/// What a client wants.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum ClientFrameKind {
    /// To be a member of a room.
    Join,
    /// To say something to a room, or to everybody. A frame without a type is one of these.
    #[default]
    Say,
    /// To be a member no more.
    Leave,
    /// What was said last in a room.
    History,
    /// Who is in a room.
    Presence,
    /// An agent.
    Support,
    /// To be an agent.
    Agent,
    /// To join a customer, as an agent.
    Accept,
}

/// A frame from a client. It may have other fields, which mean nothing.
#[derive(Debug, Deserialize)]
pub(super) struct ClientFrame {
    #[serde(rename = "type", default)]
    pub kind: ClientFrameKind,
    pub room: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub text: Option<String>,
    /// How many messages of the history.
    pub limit: Option<usize>,
    /// Whether to be told who comes and goes.
    #[serde(default)]
    pub watch: bool,
}

/// Why nothing came of a frame of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FrameRefusal {
    /// No JSON object with a known type.
    #[error(
        "a frame is a JSON object whose `type` is join, say, leave, history, presence, support, agent or accept"
    )]
    Malformed,
    /// A binary frame.
    #[error("a frame is a text")]
    Binary,
    /// A field that is needed is not there, or is too long.
    #[error(
        "`room` and `name` have 1 to 64 characters, `id` has 1 to 128; say needs `text`; join, leave, history and presence need `room`"
    )]
    Field,
    /// The client is not in that room.
    #[error("join the room first")]
    NotAMember,
    /// Only the support desk opens rooms of that name.
    #[error(
        "the names of the rooms of the support desk begin with `support-`; ask for an agent with the type support"
    )]
    Reserved,
    /// The room, the server, the client or the support desk has as many as it may.
    #[error("there are as many as there may be: see the limits of the server")]
    Full,
    /// The client waits for an agent or has one.
    #[error("one agent at a time")]
    InSupport,
    /// The client is no agent.
    #[error(
        "only agents do that: send the type agent first, where the support desk has `floor: by_hand`"
    )]
    NotAnAgent,
    /// No customer waits in that room, or at all.
    #[error("nobody waits there for an agent")]
    NotWaiting,
    /// What is said cannot be handed to the other backends.
    #[error("not said: too much waits to be published")]
    Busy,
}

impl ClientFrame {
    /// Reads the text of a frame.
    pub fn read(text: &str) -> Result<Self, FrameRefusal> {
        let frame: Self = serde_json::from_str(text).map_err(|_| FrameRefusal::Malformed)?;
        frame.checked()
    }

    /// What joins a room.
    pub fn join(room: String, name: Option<String>) -> Result<Self, FrameRefusal> {
        let frame = Self {
            kind: ClientFrameKind::Join,
            room: Some(room),
            id: None,
            name,
            text: None,
            limit: None,
            watch: false,
        };
        frame.checked()
    }

    fn checked(self) -> Result<Self, FrameRefusal> {
        let fits = |text: &Option<String>, longest: usize| {
            let characters = text
                .as_ref()
                .map_or(1, |text| text.chars().take(longest + 1).count());
            (1..=longest).contains(&characters)
        };
        let names = fits(&self.room, LONGEST_NAME) && fits(&self.name, LONGEST_NAME);
        let complete = match self.kind {
            ClientFrameKind::Say => self.text.is_some(),
            ClientFrameKind::Support | ClientFrameKind::Agent | ClientFrameKind::Accept => true,
            _ => self.room.is_some(),
        };
        if names && fits(&self.id, LONGEST_ID) && complete {
            Ok(self)
        } else {
            Err(FrameRefusal::Field)
        }
    }
}

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Member,
    Agent,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Absent: to everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    pub id: String,
    pub name: String,
    pub role: Role,
    pub text: String,
    /// When the server took it, in milliseconds since 1970.
    pub at: u64,
}

impl Said {
    /// About what it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        let room = self.room.as_ref().map_or(0, String::len);
        size_of::<Self>() + room + self.id.len() + self.name.len() + self.text.len()
    }

    /// The moment for [`Self::at`].
    pub fn now() -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Why an agent left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SupportEnd {
    /// The customer said goodbye, and the agent answered it.
    Bye,
    /// The customer left the room.
    Left,
    /// The customer's socket ended.
    Disconnected,
    /// The handling time was over.
    Handled,
    /// The customer was silent for too long.
    Silent,
    /// The agent left the customer behind, as the faults say. The chat goes on without him.
    Deserted,
}

/// What the server tells a client.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerFrame<'a> {
    Joined {
        room: &'a str,
        name: &'a str,
        members: usize,
    },
    Left {
        room: &'a str,
    },
    Said(&'a Said),
    History {
        room: &'a str,
        messages: Vec<&'a Said>,
    },
    Presence(Attendance<'a>),
    Queued {
        room: &'a str,
        position: usize,
    },
    Waiting {
        room: &'a str,
    },
    AgentJoined {
        room: &'a str,
        agent: &'a str,
    },
    AgentLeft {
        room: &'a str,
        agent: &'a str,
        reason: SupportEnd,
    },
    Error {
        reason: FrameRefusal,
        detail: String,
    },
}

/// Who is in a room, or who came or went.
#[derive(Debug, Default, Serialize)]
pub(super) struct Attendance<'a> {
    pub room: &'a str,
    pub members: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub came: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went: Option<&'a str>,
}

/// The kinds of [`ServerFrame`], for faults and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerFrameKind {
    /// The client is a member now.
    Joined,
    /// The client is a member no more.
    Left,
    /// Somebody said something.
    Said,
    /// What was said last.
    History,
    /// Who is there.
    Presence,
    /// The client waits for an agent.
    Queued,
    /// A customer waits for the client, which is an agent.
    Waiting,
    /// An agent came.
    AgentJoined,
    /// The agent went.
    AgentLeft,
    /// Nothing came of a frame.
    Error,
}

/// A frame to clients. Clones share the text.
#[derive(Debug, Clone)]
pub(super) struct TextFrame {
    pub kind: ServerFrameKind,
    pub text: Utf8Bytes,
}

impl ServerFrame<'_> {
    fn kind(&self) -> ServerFrameKind {
        match self {
            Self::Joined { .. } => ServerFrameKind::Joined,
            Self::Left { .. } => ServerFrameKind::Left,
            Self::Said(_) => ServerFrameKind::Said,
            Self::History { .. } => ServerFrameKind::History,
            Self::Presence(_) => ServerFrameKind::Presence,
            Self::Queued { .. } => ServerFrameKind::Queued,
            Self::Waiting { .. } => ServerFrameKind::Waiting,
            Self::AgentJoined { .. } => ServerFrameKind::AgentJoined,
            Self::AgentLeft { .. } => ServerFrameKind::AgentLeft,
            Self::Error { .. } => ServerFrameKind::Error,
        }
    }

    /// The frame as it is sent.
    pub fn text(&self) -> TextFrame {
        TextFrame {
            kind: self.kind(),
            // Serde fails on keys that are no text and on failing writers; there are neither.
            text: serde_json::to_string(self).unwrap_or_default().into(),
        }
    }
}

impl From<FrameRefusal> for TextFrame {
    fn from(reason: FrameRefusal) -> Self {
        let detail = reason.to_string();
        ServerFrame::Error { reason, detail }.text()
    }
}

/// A message that its room remembers.
pub(super) type Remembered = Arc<Said>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_a_type_says_something_to_everybody() {
        let frame = ClientFrame::read(r#"{ "id": "7-1", "text": "hello", "other": [1] }"#).unwrap();
        assert_eq!(frame.kind, ClientFrameKind::Say);
        assert_eq!((frame.room, frame.id.as_deref()), (None, Some("7-1")));
    }

    #[test]
    fn what_is_no_frame_is_refused_with_the_reason() {
        let long = |length| "ä".repeat(length);
        for (text, refusal) in [
            ("hello".to_owned(), FrameRefusal::Malformed),
            ("[]".to_owned(), FrameRefusal::Malformed),
            (r#"{"type":"dance"}"#.to_owned(), FrameRefusal::Malformed),
            (r#"{"type":"join"}"#.to_owned(), FrameRefusal::Field),
            (
                r#"{"type":"join","room":""}"#.to_owned(),
                FrameRefusal::Field,
            ),
            (r#"{"room":"lobby"}"#.to_owned(), FrameRefusal::Field),
            (
                format!(r#"{{"type":"join","room":"{}"}}"#, long(65)),
                FrameRefusal::Field,
            ),
            (
                format!(r#"{{"text":"","id":"{}"}}"#, long(129)),
                FrameRefusal::Field,
            ),
        ] {
            assert_eq!(ClientFrame::read(&text).err(), Some(refusal), "{text}");
        }
        let longest = format!(r#"{{"type":"join","room":"{}"}}"#, long(64));
        ClientFrame::read(&longest).unwrap();
    }

    #[test]
    fn a_message_is_sent_as_it_is_documented() {
        let said = Said {
            room: Some("lobby".to_owned()),
            id: "7-1".to_owned(),
            name: "Ann".to_owned(),
            role: Role::Member,
            text: "\"hi\"".to_owned(),
            at: 5,
        };
        let frame = ServerFrame::Said(&said).text();
        assert_eq!(frame.kind, ServerFrameKind::Said);
        assert_eq!(
            frame.text.as_str(),
            r#"{"type":"said","room":"lobby","id":"7-1","name":"Ann","role":"member","text":"\"hi\"","at":5}"#
        );
    }
}
