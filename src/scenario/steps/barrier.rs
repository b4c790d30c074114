//! `barrier`: a place where the chats of a run wait for each other.

use std::{sync::Arc, time::Duration};

use super::reader::StepReader;
use crate::{
    document::{Mapping, Node, Place},
    scenario::{Expression, Setting, is_name},
};

/// `barrier: NAME`.
#[derive(Debug)]
pub struct Barrier {
    /// Whether the chat waits there at all.
    pub when: Option<Expression>,
    /// By which the chats of a run know it.
    pub name: Arc<str>,
    /// Where it is declared.
    pub place: Place,
    /// How long a chat waits for the others.
    pub timeout: Setting<Duration>,
}

impl StepReader<'_> {
    pub(super) fn read_barrier(
        &mut self,
        node: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<Barrier> {
        let before = self.problems.count();
        let timeout = self.read_timeout(&mut map);
        map.finish();
        let name = node.text("the name of the barrier", self.problems);
        if name.is_some_and(|name| !is_name(name)) {
            let shown = node.shown();
            self.problems.add(
                &node.place,
                format!("{shown} cannot be the name of a barrier; use letters, digits and `_`, a letter first"),
            );
        }
        if !self.names.part().is_steps() {
            self.problems.add(
                &node.place,
                "a `barrier` belongs into `steps`: the chats of a run wait there for each other",
            );
        }
        if self.problems.count() > before {
            return None;
        }
        Some(Barrier {
            when,
            name: name?.into(),
            place: node.place.clone(),
            timeout: timeout?,
        })
    }
}
