//! One socket, from its handshake to its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use super::{
    directory::ClientId,
    faults::SentCode,
    house::{Entrant, House},
    outgoing::{NextStep, Outgoing},
    protocol::{FrameRefusal, TextFrame},
    statistics::SocketCloser,
};
use crate::listener::{ClientStream, Upgraded};

/// Bytes that are read at once; a socket keeps as many.
const READ_BUFFER: usize = 1024;
/// How long a client may take to answer a close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<ClientStream>;

/// How a socket ended: by whom, with which code.
#[derive(Debug, Clone, Copy)]
struct Ending {
    by: SocketCloser,
    code: Option<u16>,
}

impl Ending {
    const CUT: Self = Self {
        by: SocketCloser::Network,
        code: None,
    };
}

/// The place of a client, given up when this is dropped, whatever ends its connection.
pub(super) struct ClientPlace {
    house: Arc<House>,
    /// Taken by the task of the socket.
    entrant: Option<Entrant>,
    pub id: ClientId,
    ending: Ending,
}

impl ClientPlace {
    /// Takes a client in; `None` if there is no place.
    pub fn take(house: &Arc<House>) -> Option<Self> {
        let entrant = house.enter()?;
        Some(Self {
            house: house.clone(),
            id: entrant.id,
            entrant: Some(entrant),
            ending: Ending::CUT,
        })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let Ending { by, code } = self.ending;
        self.house.gone(self.id, by, code);
    }
}

/// Serves the client behind a handshake until its socket ends.
pub(super) async fn serve(mut place: ClientPlace, upgraded: Upgraded) {
    let longest = place.house.settings.limits.frame_bytes.get() as usize;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest));
    let Upgraded { stream, early } = upgraded;
    let mut socket =
        Socket::from_partially_read(stream, early.into(), Role::Server, Some(config)).await;
    if let Some(entrant) = place.entrant.take() {
        place.ending = attend(&mut socket, &place.house, entrant).await;
    }
}

/// Sends and reads until the end.
async fn attend(socket: &mut Socket, house: &House, entrant: Entrant) -> Ending {
    let Entrant {
        id,
        outgoing,
        close: fault,
        stop_reading,
    } = entrant;
    let silence = house.settings.silence;
    let mut heard = Instant::now();
    let mut asked = false;
    let mut reads = true;
    loop {
        // Whose answers are not read is not pinged.
        let last = asked || !reads;
        let patience = if last { silence } else { silence / 2 };
        let (close_at, code) = fault.unzip();
        tokio::select! {
            next = outgoing.next() => match next {
                NextStep::Send(frame) => {
                    if let Some(ending) = send(socket, house, &outgoing, frame).await {
                        return ending;
                    }
                }
                NextStep::Close(code) => return close(socket, code.into()).await,
            },
            read = socket.next(), if reads => {
                heard = Instant::now();
                asked = false;
                if let Some(ending) = take(socket, house, id, read).await {
                    return ending;
                }
            }
            () = at(close_at) => return close(socket, code.unwrap_or(SentCode::AWAY).into()).await,
            () = at(stop_reading), if reads => reads = false,
            () = sleep_until(heard + patience) => {
                if last {
                    return Ending::CUT;
                }
                asked = true;
                if let Err(error) = socket.send(Message::Ping(Bytes::new())).await {
                    return broken(&error);
                }
            }
        }
    }
}

/// Waits until a moment, or for ever.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Sends a frame; how the socket ended, if it did meanwhile.
async fn send(
    socket: &mut Socket,
    house: &House,
    outgoing: &Outgoing,
    frame: TextFrame,
) -> Option<Ending> {
    let TextFrame { kind, text } = frame;
    let sent = tokio::select! {
        sent = socket.send(Message::Text(text)) => sent,
        // The client reads nothing: its queue has overflowed meanwhile, or the server ends.
        code = outgoing.ending() => {
            house.statistics.count(|counts| counts.unsent += 1);
            return Some(close(socket, code.into()).await);
        }
    };
    match sent {
        Ok(()) => {
            house.statistics.frames(kind, |counts| counts.sent += 1);
            None
        }
        Err(error) => {
            house.statistics.count(|counts| counts.unsent += 1);
            Some(broken(&error))
        }
    }
}

/// Deals with what was read; how the socket ended, if it did.
async fn take(
    socket: &mut Socket,
    house: &House,
    id: ClientId,
    read: Option<Result<Message, Error>>,
) -> Option<Ending> {
    match read {
        Some(Ok(Message::Text(text))) => house.take(id, &text),
        Some(Ok(Message::Binary(_))) => house.refuse(id, FrameRefusal::Binary),
        // The answer to a ping goes out with the next reading.
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
        Some(Ok(Message::Close(frame))) => {
            let code = frame.map(|frame| frame.code.into());
            // Sends the answer, and waits until the client closes the connection or some time is over.
            let _ = timeout(CLOSE_PATIENCE, socket.next()).await;
            return Some(Ending {
                by: SocketCloser::Client,
                code,
            });
        }
        Some(Err(error)) => {
            let code = match &error {
                Error::Capacity(_) => 1009,
                Error::Utf8(_) => 1007,
                // Its end without a close frame is one of these, too.
                Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                    return Some(broken(&error));
                }
                Error::Protocol(_) => 1002,
                _ => return Some(broken(&error)),
            };
            return Some(close(socket, code).await);
        }
        None => return Some(Ending::CUT),
    }
    None
}

/// Closes the socket, and waits some time for the answer.
async fn close(socket: &mut Socket, code: u16) -> Ending {
    let frame = CloseFrame {
        code: code.into(),
        reason: Utf8Bytes::default(),
    };
    let closing = async {
        socket.close(Some(frame)).await?;
        while let Some(read) = socket.next().await {
            read?;
        }
        Ok::<_, Error>(())
    };
    if !matches!(timeout(CLOSE_PATIENCE, closing).await, Ok(Ok(()))) {
        tracing::debug!(code, "a socket was closed without an answer of its client");
    }
    Ending {
        by: SocketCloser::Server,
        code: Some(code),
    }
}

fn broken(error: &Error) -> Ending {
    tracing::debug!("a socket broke: {error}");
    Ending::CUT
}
