//! A kind of action that exists in tests only: what it takes to add one.

use std::{sync::Arc, time::Duration};

use minijinja::Value;
use tokio::time::Instant;

use super::{ActionKind, ActionReading, Performed, Task, Unperformed, kind::StepKey};
use crate::{
    document::Node,
    scenario::{
        EvaluationError, Observation, Reason, Sessions, Template, View,
        look::{VisibleName, VisibleNames},
    },
};

/// `flip: TEMPLATE`, which turns a text around, and with `heads: true` refuses one that begins with a capital.
#[derive(Debug)]
pub struct ToyAction {
    text: Template,
    heads: bool,
}

/// `flipped`.
struct Flipped(String);

impl View for Flipped {
    fn value_of(&self, name: &str) -> Option<Value> {
        (name == "flipped").then(|| self.0.as_str().into())
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        format!("; flipped to {}", self.0)
    }
}

impl ActionKind for ToyAction {
    const KEY: &'static str = "flip";
    const STEP_KEYS: &'static [StepKey] = &[StepKey {
        name: "heads",
        misplaced: Some("`heads` belongs to a `flip`"),
    }];
    const LOOK: VisibleNames = VisibleNames {
        names: &[VisibleName::new(
            "flipped",
            "it is known in `expect` and `capture` of a `flip` step",
        )],
        of_chat: true,
    };

    fn read(node: &Node, reading: &mut ActionReading<'_, '_>) -> Option<Self> {
        let heads = reading.map.get("heads");
        let heads = heads.and_then(|node| node.boolean(reading.problems));
        Some(Self {
            text: Template::read(node, reading.names, reading.problems)?,
            heads: heads.unwrap_or_default(),
        })
    }

    fn reasons(&self, _: Option<Observation>) -> Vec<Reason> {
        vec![Reason::Disconnected]
    }

    fn requests(&self) -> u64 {
        0
    }

    async fn perform(
        &self,
        _: &mut Sessions,
        task: Task<'_>,
    ) -> Result<Performed, EvaluationError> {
        let text = self.text.render(task.scope)?;
        if self.heads && text.starts_with(char::is_uppercase) {
            let why =
                Unperformed::failed(Reason::Disconnected, format!("`{text}` fell on its head"));
            return Ok(Performed::without(why));
        }
        Ok(Performed {
            known_at: Some(Instant::now()),
            view: Some(Arc::new(Flipped(text.chars().rev().collect()))),
            ..Performed::with(Duration::from_millis(3))
        })
    }
}
