use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{
    closed::{ClosedSocket, ClosedWhy},
    failure::{SocketFailure, SocketFailureKind},
    message::SocketMessage,
    queue::{CloseRequest, SocketState},
    spawned::{SharedSocketTask, SocketReader},
    task::WrittenNow,
};
use crate::units::duration;

/// How long the target may take to answer a close for which nobody waits.
const ANSWER_TO_DROP_WITHIN: Duration = Duration::from_secs(1);

/// The code of a socket that nobody needs any more: the client goes away.
const GOING_AWAY: u16 = 1001;

/// The longest reason of a close frame, in bytes: RFC 6455, section 5.5.
const LONGEST_REASON: usize = 123;

/// An open socket. A task of its own reads from it and writes to it, so it answers pings whatever its owner does.
/// Dropping it closes it with code 1001, within a second.
pub struct Socket {
    state: Arc<SocketState>,
    task: SharedSocketTask,
}

impl Socket {
    pub(super) fn of(state: Arc<SocketState>, task: SharedSocketTask) -> Self {
        Self { state, task }
    }

    /// Sends a message; how long it took until the kernel had it.
    ///
    /// It waits while [`FrameLimits`](super::FrameLimits) let no more wait to be sent, and until the kernel has it, for no
    /// longer than `within`: a target that does not read is a failure of the kind
    /// [`Timeout`](super::SocketFailureKind::Timeout). Whoever gives up, may have sent it, and in any case it is sent as
    /// a whole or not at all.
    ///
    /// `before` is called once the message is certain to be written, or to be given to the task of the socket, and
    /// before any of it is written. It is not called for a message that is refused or given up before. It runs while the
    /// socket is locked: it must be quick and must not use the socket.
    pub async fn send_announced(
        &self,
        message: SocketMessage,
        within: Duration,
        before: &mut (dyn FnMut() + Send),
    ) -> Result<Duration, SocketFailure> {
        let since = Instant::now();
        let (length, most) = (message.length(), self.state.limits().waiting);
        if length > most {
            let detail = format!("the message has {length} bytes, and at most {most} may be sent");
            return Err(bad_request(detail, since));
        }
        let begun = match self.task.write_now(&message, since, before) {
            WrittenNow::Taken(took) => return Ok(took),
            WrittenNow::Begun(taken) => Some(taken),
            WrittenNow::No => None,
        };
        match timeout(within, self.taken(&message, since, begun, before)).await {
            Ok(sent) => sent,
            Err(_) => Err(SocketFailure::of_open(
                SocketFailureKind::Timeout,
                format!(
                    "the target did not take the frame within {}: it does not read what was sent before",
                    duration::exact(within)
                ),
                since,
            )),
        }
    }

    /// Waits until the kernel has a message, which is given to the task of the socket if it was not begun.
    async fn taken(
        &self,
        message: &SocketMessage,
        since: Instant,
        begun: Option<oneshot::Receiver<Duration>>,
        before: &mut (dyn FnMut() + Send),
    ) -> Result<Duration, SocketFailure> {
        let taken = match begun {
            Some(taken) => Ok(taken),
            None => self.state.push_when_possible(message, since, before).await,
        };
        if let Ok(taken) = taken
            && let Ok(took) = taken.await
        {
            return Ok(took);
        }
        let closed = self.state.ended().await;
        Err(SocketFailure::closed(&closed, since))
    }

    /// Lets whoever waits for a message read the socket itself, until the reader is dropped. There is one at a time.
    pub fn reader(&self) -> SocketReader<'_> {
        self.task.reader()
    }

    /// Closes the socket and waits for the target's answer, for no longer than `within`. What was given to
    /// [`send`](Self::send) before is sent before. A close of the target that was not read yet counts as the answer.
    ///
    /// A target that does not answer is a failure of the kind
    /// [`Timeout`](super::SocketFailureKind::Timeout); a socket that has ended by itself is one of the kind
    /// [`Closed`](super::SocketFailureKind::Closed).
    pub async fn close(
        &self,
        code: u16,
        reason: &str,
        within: Duration,
    ) -> Result<ClosedSocket, SocketFailure> {
        let asked_at = Instant::now();
        check_close(code, reason).map_err(|detail| bad_request(detail, asked_at))?;
        let was_open = self.state.closed().is_none();
        self.state.ask_to_close(CloseRequest {
            code,
            reason: reason.to_owned(),
            deadline: asked_at + within,
            why: ClosedWhy::Asked,
        });
        let closed = self.state.ended().await;
        match closed.why {
            ClosedWhy::Asked if was_open => Ok((*closed).clone()),
            ClosedWhy::NoAnswer => Err(SocketFailure::of_open(
                SocketFailureKind::Timeout,
                format!(
                    "the target did not answer the close within {}",
                    duration::exact(within)
                ),
                asked_at,
            )),
            _ => Err(SocketFailure::closed(&closed, asked_at)),
        }
    }

    /// How it ended, if it has.
    pub fn closed(&self) -> Option<ClosedSocket> {
        self.state.closed().as_deref().cloned()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.state.ask_to_close(CloseRequest {
            code: GOING_AWAY,
            reason: String::new(),
            deadline: Instant::now() + ANSWER_TO_DROP_WITHIN,
            why: ClosedWhy::Dropped,
        });
    }
}

/// Without what waits to be sent, which may be confidential.
impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = self.state.closed();
        f.debug_struct("Socket")
            .field("closed", &closed)
            .finish_non_exhaustive()
    }
}

/// What a close frame may say: RFC 6455, sections 5.5 and 7.4.
fn check_close(code: u16, reason: &str) -> Result<(), String> {
    if !CloseCode::from(code).is_allowed() {
        return Err(format!(
            "{code} is no code of a close frame; those are 1000 to 1003, 1007 to 1013 and 3000 to 4999"
        ));
    }
    if reason.len() > LONGEST_REASON {
        return Err(format!(
            "the reason of the close has {} bytes, and at most {LONGEST_REASON} fit in a frame",
            reason.len()
        ));
    }
    Ok(())
}

fn bad_request(detail: String, asked_at: Instant) -> SocketFailure {
    SocketFailure::of_open(SocketFailureKind::BadRequest, detail, asked_at)
}
