//! `end`: the steps of a chat are over here.

use super::reader::StepReader;
use crate::{
    document::{Mapping, Node, Place, Value},
    scenario::{Expression, Template},
};

/// `end: passed` or `end: { failed: TEXT }`.
#[derive(Debug)]
pub struct ChatEnd {
    /// Whether the chat ends here.
    pub when: Option<Expression>,
    /// Where it is declared.
    pub place: Place,
    /// Why the chat has failed; without it, it has passed.
    pub failed: Option<Template>,
}

impl StepReader<'_> {
    pub(super) fn read_end(
        &mut self,
        node: &Node,
        when: Option<Expression>,
        map: Mapping<'_>,
    ) -> Option<ChatEnd> {
        let before = self.problems.count();
        let place = map.place.clone();
        map.finish();
        if !self.names.is_in_steps() {
            self.problems.add(
                &place,
                "`end` ends the `steps` of a chat and stands nowhere else: `always` follows them, and `setup` and `teardown` run once per run",
            );
        }
        let failed = match &node.value {
            Value::Text(word) if word == "passed" => None,
            Value::Map(_) => {
                let mut map = Mapping::open(node, "a mapping", self.problems)?;
                let text = map.need("failed");
                map.finish();
                Some(Template::read(text?, &self.names, self.problems)?)
            }
            _ => {
                let what = node.shown();
                self.problems.add(
                    &node.place,
                    format!(
                        "a chat cannot end as {what}; write `passed` or `{{ failed: \"why\" }}`"
                    ),
                );
                return None;
            }
        };
        (self.problems.count() == before).then_some(ChatEnd {
            when,
            place,
            failed,
        })
    }
}
