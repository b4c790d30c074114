//! A frame that a chat sends.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    SOCKET, read_one_socket,
    room_entry::{MEMBER_OF, RoomEntry, read_room},
};
use crate::{
    document::{Mapping, Node},
    driver::{OnWire, SocketFailureKind, SocketMessage},
    scenario::{
        EvaluationError, Observation, Reason, Sessions, Template, View,
        action::{
            ActionReading, Performed, Sending, Task, Unperformed,
            chat_sockets::{OpenSocket, failed},
            kind::{ActionKind, StepKey},
            socket_rules::FrameContent,
        },
        look::{VisibleName, VisibleNames},
    },
};

/// `send: MESSAGE`, with `publish: { id: TEMPLATE, to: TEMPLATE }` for one that everybody in a room has to receive.
#[derive(Debug)]
pub struct SendAction {
    socket: Arc<str>,
    content: FrameContent,
    publication: Option<Publication>,
    /// The room that the chat enters with the frame.
    pub room_entry: Option<RoomEntry>,
}

/// What a message is published as.
#[derive(Debug)]
struct Publication {
    id: Template,
    room: Template,
}

/// What expressions see of a frame that went out.
struct SentFrame {
    took: Duration,
}

impl SendAction {
    /// The name of the socket over which it publishes, if it does.
    pub fn publishes(&self) -> Option<&Arc<str>> {
        self.publication.as_ref().map(|_| &self.socket)
    }
}

impl ActionKind for SendAction {
    const KEY: &'static str = "send";
    const STEP_KEYS: &'static [StepKey] = &[
        SOCKET,
        MEMBER_OF,
        StepKey {
            name: "publish",
            misplaced: Some("`publish` belongs to a `send`: it says who has to receive the frame"),
        },
    ];
    const LOOK: VisibleNames = VisibleNames {
        names: &[VisibleName::new(
            "elapsed",
            "it is known in `expect` and `capture`",
        )],
        of_chat: true,
    };

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let socket = read_one_socket(Self::KEY, node, reading);
        let publication = reading.map.get("publish");
        let publication = publication.map(|node| Publication::read(node, reading));
        let room = reading.map.get(MEMBER_OF.name);
        let room = room.map(|node| read_room(node, reading));
        let content = FrameContent::read(node, reading.names, reading.problems);
        let socket = socket?;
        Some(Self {
            room_entry: match room {
                Some(room) => Some(RoomEntry::new(socket.clone(), room?)),
                None => None,
            },
            socket,
            content: content?,
            publication: match publication {
                Some(publication) => Some(publication?),
                None => None,
            },
        })
    }

    fn reasons(&self, _: Option<Observation>) -> Vec<Reason> {
        vec![Reason::Timeout, Reason::Closed, Reason::Protocol]
    }

    fn requests(&self) -> u64 {
        0
    }

    async fn perform(
        &self,
        sessions: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let message = self.content.render(task.scope)?;
        let publication = match &self.publication {
            Some(publication) => Some(publication.render(&task)?),
            None => None,
        };
        let socket = match sessions.sockets.open(&self.socket) {
            Ok(socket) => socket,
            Err(why) => return Ok(Performed::without(why)),
        };
        Ok(send(socket, message, publication, task).await)
    }
}

async fn send(
    socket: &OpenSocket,
    message: SocketMessage,
    mut publication: Option<(Box<str>, Arc<str>)>,
    task: Task<'_>,
) -> Performed {
    let began = Instant::now();
    let on_wire = OnWire::default();
    let sent = {
        let mut before = || {
            on_wire.set();
            if let Some((id, room)) = publication.take() {
                socket.publish(id, room, Instant::now());
            }
        };
        let sending = pin!(socket.send(message, task.timeout, &mut before));
        task.until.answered(sending, || on_wire.is_set()).await
    };
    let performed = match sent {
        None => return Performed::without(Unperformed::Stopped),
        Some(Ok(took)) => Performed {
            view: Some(Arc::new(SentFrame { took })),
            mark: Some(began),
            ..Performed::with(took)
        },
        Some(Err(failure)) => Performed::without(match failure.kind {
            // A target that does not read was reached: its connection is open.
            SocketFailureKind::Timeout => Unperformed::failed(Reason::Timeout, failure.detail),
            _ => failed(&failure),
        }),
    };
    Performed {
        sent: Some(Sending::at(began)),
        known_at: Some(Instant::now()),
        ..performed
    }
}

impl Publication {
    fn read(node: &Node, reading: &ActionReading<'_, '_>) -> Option<Self> {
        if !reading.rules.says_deliveries() {
            let message =
                "a `publish` needs the scenario to say `deliveries: { id: frame..., within: 5s }`";
            reading.problems.add(&node.place, message);
        }
        let wanted = "a mapping such as `{ id: \"{{ chat.id }}-1\", to: lobby }`";
        let mut map = Mapping::open(node, wanted, reading.problems)?;
        let [id, room] = ["id", "to"].map(|key| map.need(key));
        map.finish();
        let template = |node| Template::read(node, reading.names, reading.problems);
        let [id, room] = [id, room].map(|node| node.and_then(template));
        Some(Self {
            id: id?,
            room: room?,
        })
    }

    fn render(&self, task: &Task<'_>) -> Result<(Box<str>, Arc<str>), EvaluationError> {
        let id = self.id.render(task.scope)?;
        if id.is_empty() {
            return Err(EvaluationError {
                place: self.id.place().clone(),
                message: "a message without an `id` cannot be recognized".to_owned(),
                exceeded: false,
            });
        }
        Ok((id.into(), self.room.render(task.scope)?.into()))
    }
}

impl View for SentFrame {
    fn value_of(&self, name: &str) -> Option<minijinja::Value> {
        (name == "elapsed").then(|| self.took.as_secs_f64().into())
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        format!("; it took {:?} to send the frame", self.took)
    }
}
