//! What a target answers to the opening of a socket, as expressions see it.

use std::time::Duration;

use minijinja::Value;

use crate::{
    driver::HandshakeAnswer,
    scenario::{
        Answer, View,
        look::{VisibleName, VisibleNames},
    },
};

const OF_HANDSHAKE: &str = "it is known in `expect` and `capture` of a `connect` step";

/// What expressions look at that see the answer to an opening.
pub(super) const HANDSHAKE: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new("status", OF_HANDSHAKE),
        VisibleName::new("headers", OF_HANDSHAKE),
        VisibleName::new("headers_all", OF_HANDSHAKE),
        VisibleName::new("protocol", OF_HANDSHAKE),
        VisibleName::new("elapsed", "it is known in `expect` and `capture`"),
    ],
    of_chat: true,
};

/// The answer to an opening.
pub(super) struct Handshake {
    answer: Answer,
    protocol: Option<String>,
}

impl Handshake {
    pub(super) fn new(answer: &HandshakeAnswer, elapsed: Duration) -> Self {
        let (headers, body) = (answer.headers.clone(), answer.body.clone());
        Self {
            answer: Answer::new(answer.status, headers, body, elapsed),
            protocol: answer.protocol.clone(),
        }
    }
}

impl View for Handshake {
    fn value_of(&self, name: &str) -> Option<Value> {
        match name {
            "protocol" => self.protocol.as_deref().map(Value::from),
            _ => self.answer.value_of(name),
        }
    }

    fn describe(&self, mentions: &dyn Fn(&str) -> bool) -> String {
        self.answer.describe(mentions)
    }
}
