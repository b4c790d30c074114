//! Why a step failed that is about a socket.

use crate::{
    driver::{ClosedSocket, SocketFailure, SocketFailureKind},
    scenario::{
        Reason,
        action::{Failed, Unperformed},
    },
};

/// The failure of a step whose socket could not be opened, or could not do what it was asked for.
pub(in crate::scenario::action) fn failed(failure: &SocketFailure) -> Unperformed {
    let is_late = matches!(
        failure.kind,
        SocketFailureKind::Connect | SocketFailureKind::Timeout
    );
    let quote = match &failure.kind {
        SocketFailureKind::Status(answer) => {
            Some(String::from_utf8_lossy(&answer.body.beginning()).into_owned())
        }
        _ => None,
    };
    Unperformed::Failed(Box::new(Failed {
        reason: reason_of(&failure.kind),
        detail: failure.detail.clone(),
        quote,
        unreached_since: is_late.then_some(failure.sent_at),
    }))
}

/// The failure of a step whose socket had ended.
pub(super) fn ended(closed: &ClosedSocket) -> Unperformed {
    Unperformed::failed(
        reason_of_end(closed),
        format!("the socket has ended: {closed}"),
    )
}

fn reason_of(kind: &SocketFailureKind) -> Reason {
    match kind {
        SocketFailureKind::Dns => Reason::Dns,
        SocketFailureKind::Connect => Reason::Connect,
        SocketFailureKind::Tls => Reason::Tls,
        SocketFailureKind::Timeout => Reason::Timeout,
        SocketFailureKind::BadRequest => Reason::Template,
        SocketFailureKind::AnswerTooLarge => Reason::Expectation,
        SocketFailureKind::Exhausted => Reason::Internal,
        SocketFailureKind::Status(_) => Reason::Status,
        SocketFailureKind::Handshake(_) => Reason::Handshake,
        SocketFailureKind::Closed(closed) => reason_of_end(closed),
    }
}

/// The reason of a step that needs a socket that ended like this.
pub(in crate::scenario::action) fn reason_of_end(closed: &ClosedSocket) -> Reason {
    if closed.why.is_violation() {
        Reason::Protocol
    } else {
        Reason::Closed
    }
}
