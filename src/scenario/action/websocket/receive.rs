//! The wait for a frame.

use super::{
    NamedSocket, SOCKET, needs_socket, read_one_socket, read_socket,
    room_entry::{MEMBER_OF, RoomEntry, read_room},
};
use crate::{
    document::Node,
    scenario::{
        EvaluationError, Expression, Observation, Reason, Sessions,
        action::{
            ActionReading, Awaited, Performed, Task, Unperformed, WaitAction,
            frame::{FRAME, FrameView},
            kind::{ActionKind, StepKey},
            message::MessageView,
            wait_for::read_since,
        },
        look::VisibleNames,
    },
};

/// `receive: EXPRESSION`: passes with the first frame for which it holds and which came after the request that it
/// answers was sent.
#[derive(Debug)]
pub struct ReceiveAction {
    /// What it is to the chat: a wait at its inbox.
    pub wait: WaitAction,
    /// The room that the chat enters with the frame.
    pub room_entry: Option<RoomEntry>,
}

impl ActionKind for ReceiveAction {
    const KEY: &'static str = "receive";
    const STEP_KEYS: &'static [StepKey] = &[
        StepKey {
            name: "since",
            misplaced: None,
        },
        SOCKET,
        MEMBER_OF,
    ];
    const LOOK: VisibleNames = FRAME;
    const OBSERVABLE: Option<&'static str> = Some("a `receive`");

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let since = reading.map.get("since");
        let since = since.and_then(|node| read_since(node, reading));
        reading.names.look_at(&[&FRAME]);
        let matches = Expression::read(node, reading.names, reading.problems);
        reading.names.look_at(&[]);
        if matches.is_none() && reading.sockets.is_empty() && !reading.streams.is_empty() {
            // It is not known what it is about, and keys of a wait for a frame are no second problem.
            for key in [SOCKET, MEMBER_OF] {
                reading.map.get(key.name);
            }
            return None;
        }
        let mentions = |name: &str| matches.as_ref().is_some_and(|it| it.mentions(name));
        if mentions(MessageView::NAME) {
            check_message(node, mentions(FrameView::NAME), reading);
            return Some(Self {
                room_entry: None,
                wait: WaitAction {
                    since,
                    source: Awaited::Streams,
                    matches: matches?,
                },
            });
        }
        let room = reading.map.get(MEMBER_OF.name);
        let room = room.map(|node| read_room(node, reading));
        // A chat enters a room over one socket.
        let socket = if room.is_some() {
            read_one_socket(Self::KEY, node, reading).map(Some)
        } else {
            needs_socket(Self::KEY, node, reading);
            match read_socket(reading) {
                NamedSocket::Unnamed => Some(None),
                NamedSocket::Known(name) => Some(Some(name)),
                NamedSocket::Unknown => None,
            }
        };
        let socket = socket?;
        Some(Self {
            room_entry: match room {
                Some(room) => Some(RoomEntry::new(socket.clone()?, room?)),
                None => None,
            },
            wait: WaitAction {
                matches: matches?,
                since,
                source: Awaited::Socket(socket),
            },
        })
    }

    fn reasons(&self, observed: Option<Observation>) -> Vec<Reason> {
        let late = WaitAction::reason_late(observed);
        vec![late, Reason::Closed, Reason::Protocol]
    }

    fn requests(&self) -> u64 {
        0
    }

    /// Without an inbox no frame comes.
    async fn perform(&self, _: &mut Sessions, _: Task<'_>) -> Result<Performed, EvaluationError> {
        let why = Unperformed::failed(Reason::Internal, "a wait outside a chat");
        Ok(Performed::without(why))
    }
}

/// Notes why a wait for a message of an event stream cannot stand here.
fn check_message(node: &Node, has_frame: bool, reading: &mut ActionReading<'_, '_>) {
    let why_not = if has_frame {
        "a `receive` looks at a `frame` of a socket or at a `message` of an event stream; keep one of them"
    } else if reading.streams.is_empty() {
        "no step above this `receive` says `stream: sse`, so there is no event stream with messages"
    } else {
        return;
    };
    reading.problems.add(&node.place, why_not);
}
