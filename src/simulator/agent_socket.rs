//! The socket of an agent who acts by hand.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use super::{
    Centre,
    floor::Attendant,
    handshake::switch,
    requests::{RequestRefusal, read},
    shift::AgentFrame,
};
use crate::listener::{ClientStream, Upgrade, Upgraded};

/// The subprotocol; agents need not offer it.
const SUBPROTOCOL: &str = "agent";
/// Bytes of a frame.
const LONGEST_FRAME: usize = 64 * 1024;
/// Bytes that are read at once.
const READ_BUFFER: usize = 1024;
/// How long an agent may take to read a frame, or to answer a close frame.
const PATIENCE: Duration = Duration::from_secs(2);
/// Close codes: the centre ends; the agent reads too slowly, or has opened another socket.
const AWAY: u16 = 1001;
const TRY_AGAIN: u16 = 1013;

type Socket = WebSocketStream<ClientStream>;

/// What an agent wants.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AgentOrder {
    Accept {
        #[serde(default)]
        chat: Option<String>,
    },
    Message {
        chat: String,
        text: String,
    },
    Bye {
        chat: String,
    },
}

/// An agent who has logged in, and logs out when this is dropped, whatever ends the connection.
struct Attendance {
    centre: Arc<Centre>,
    attendant: Attendant,
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let (agent, socket) = (self.attendant.agent, self.attendant.socket);
        self.centre
            .on_floor(|floor, now| floor.unattend(agent, socket, now));
    }
}

/// Answers a handshake; the socket lives in the task of its connection.
pub(super) fn handshake(centre: &Arc<Centre>, agent: &str, headers: &HeaderMap) -> Response {
    let answer = match switch(headers, SUBPROTOCOL) {
        Ok(answer) => answer,
        Err(refusal) => return refusal.into_response(),
    };
    let attendant = match centre.on_floor(|floor, _| floor.attend(agent)) {
        Ok(attendant) => attendant,
        Err(refusal) => return refusal.into_response(),
    };
    let attendance = Attendance {
        centre: centre.clone(),
        attendant,
    };
    let attendance = Mutex::new(Some(attendance));
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, answer).into_response();
    response
        .extensions_mut()
        .insert(Upgrade::new(move |upgraded: Upgraded| {
            let attendance = attendance
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            async move {
                // The listener asks once.
                if let Some(attendance) = attendance {
                    serve(attendance, upgraded).await;
                }
            }
        }));
    response
}

async fn serve(mut attendance: Attendance, upgraded: Upgraded) {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(LONGEST_FRAME))
        .max_frame_size(Some(LONGEST_FRAME));
    let Upgraded { stream, early } = upgraded;
    let mut socket =
        Socket::from_partially_read(stream, early.into(), Role::Server, Some(config)).await;
    let shutdown = attendance.centre.shutdown.clone();
    loop {
        tokio::select! {
            frame = attendance.attendant.frames.recv() => match frame {
                Some(frame) => if !tell(&mut socket, &frame).await {
                    return;
                },
                None => return close(&mut socket, TRY_AGAIN).await,
            },
            read = socket.next() => match read {
                Some(Ok(Message::Text(text))) => {
                    if let Err(refusal) = attendance.carry_out(&text) {
                        let error = AgentFrame::Error {
                            reason: refusal.status().as_u16(),
                            detail: refusal.to_string(),
                        };
                        if !tell(&mut socket, &error).await {
                            return;
                        }
                    }
                }
                Some(Ok(Message::Close(_))) => {
                    // Sends the answer.
                    let _ = timeout(PATIENCE, socket.next()).await;
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            () = shutdown.cancelled() => return close(&mut socket, AWAY).await,
        }
    }
}

impl Attendance {
    fn carry_out(&self, text: &str) -> Result<(), RequestRefusal> {
        let order: AgentOrder = read(text.as_bytes())?;
        let agent = &self.attendant.name;
        self.centre.on_floor(|floor, now| match order {
            AgentOrder::Accept { chat } => floor.accept(agent, chat.as_deref(), now).map(drop),
            AgentOrder::Message { chat, text } => {
                floor.agent_writes(agent, &chat, text, now).map(drop)
            }
            AgentOrder::Bye { chat } => floor.agent_ends(agent, &chat, now),
        })
    }
}

/// Sends a frame; whether the agent took it.
async fn tell(socket: &mut Socket, frame: &AgentFrame) -> bool {
    // Serde fails on keys that are no text and on failing writers; there are neither.
    let text = serde_json::to_string(frame).unwrap_or_default();
    let sent = timeout(PATIENCE, socket.send(Message::Text(text.into()))).await;
    matches!(sent, Ok(Ok(())))
}

/// Closes the socket, and waits some time for the answer.
async fn close(socket: &mut Socket, code: u16) {
    let frame = CloseFrame {
        code: code.into(),
        reason: Utf8Bytes::default(),
    };
    let closing = async {
        socket.close(Some(frame)).await?;
        while let Some(read) = socket.next().await {
            read?;
        }
        Ok::<_, tokio_tungstenite::tungstenite::Error>(())
    };
    if !matches!(timeout(PATIENCE, closing).await, Ok(Ok(()))) {
        tracing::debug!(code, "the socket of an agent was closed without an answer");
    }
}
