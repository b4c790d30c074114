//! Sockets of a chat: connections over which both sides send frames whenever they like.
//!
//! A `connect` opens one and hands what comes to a [`watcher`] of its own, which counts, answers by the
//! [rules](super::SocketRules) of the scenario and gives frames to the inbox of the chat; `send`, `receive` and `close` name it.

mod close;
mod connect;
mod handshake;
mod receive;
mod room_entry;
mod send;
mod watcher;

use std::sync::Arc;

pub use self::{
    close::CloseAction, connect::ConnectAction, receive::ReceiveAction, room_entry::RoomEntry,
    send::SendAction,
};
use super::{ActionReading, kind::StepKey};
use crate::document::Node;

/// Which socket a step is about.
const SOCKET: StepKey = StepKey {
    name: "socket",
    misplaced: Some("`socket` belongs to a `send`, `receive` or `close`: it names the socket"),
};

/// Notes why a step that needs a socket cannot have one; whether it can.
fn needs_socket(key: &str, node: &Node, reading: &ActionReading<'_, '_>) -> bool {
    let message = if !reading.names.part().is_chat() {
        format!("a `{key}` belongs to a chat; it cannot stand in `setup` or `teardown`")
    } else if reading.sockets.is_empty() {
        format!("no step above this `{key}` says `connect`, so there is no socket for it")
    } else {
        return true;
    };
    reading.problems.add(&node.place, message);
    false
}

/// What `socket: NAME` says.
enum NamedSocket {
    /// It is not there.
    Unnamed,
    /// A socket that a step above connects.
    Known(Arc<str>),
    /// Something else, which has been noted.
    Unknown,
}

/// Reads `socket: NAME`.
fn read_socket(reading: &mut ActionReading<'_, '_>) -> NamedSocket {
    let Some(node) = reading.map.get(SOCKET.name) else {
        return NamedSocket::Unnamed;
    };
    let Some(name) = node.text("the name of a socket", reading.problems) else {
        return NamedSocket::Unknown;
    };
    if let Some(found) = reading.sockets.iter().find(|known| ***known == *name) {
        return NamedSocket::Known(found.clone());
    }
    // Without any, that was noted.
    if !reading.sockets.is_empty() {
        let known = reading.sockets.iter().map(|name| &**name);
        let hint = reading.problems.hint(name, known);
        let message = format!("no step above connects a socket named `{name}`{hint}");
        reading.problems.add(&node.place, message);
    }
    NamedSocket::Unknown
}

/// Reads which socket a `send` or `close` is about: that with the name, or without one the only one.
fn read_one_socket(
    key: &str,
    node: &Node,
    reading: &mut ActionReading<'_, '_>,
) -> Option<Arc<str>> {
    let is_possible = needs_socket(key, node, reading);
    match read_socket(reading) {
        NamedSocket::Known(name) => return Some(name),
        NamedSocket::Unnamed if is_possible => {}
        NamedSocket::Unnamed | NamedSocket::Unknown => return None,
    }
    let [only] = &reading.sockets[..] else {
        let known: Vec<_> = reading.sockets.iter().map(|it| format!("`{it}`")).collect();
        let message = format!(
            "there are several sockets: {}; say with `socket:` which one this is about",
            known.join(", ")
        );
        reading.problems.add(&node.place, message);
        return None;
    };
    Some(only.clone())
}

#[cfg(test)]
mod tests;
