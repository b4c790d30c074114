//! `else`: what happens where a step has failed.

use super::{Item, Nth, reader::StepReader};
use crate::{
    document::{Mapping, Node, Value},
    scenario::Pause,
};

/// The most attempts after the first.
const MOST_RETRIES: u64 = 1_000;

/// What happens where a step has failed. Its failure counts as one of the step, whatever comes next.
#[derive(Debug, Default)]
pub enum Otherwise {
    /// The chat has failed.
    #[default]
    End,
    /// The chat goes on with what follows.
    Continue,
    /// The step is attempted again, and ends the chat only if that fails too.
    Retry(Box<Retry>),
    /// The chat performs these, and goes on with what follows.
    Perform(Vec<Item>),
}

/// Further attempts at a step.
#[derive(Debug)]
pub struct Retry {
    /// How many, after the first.
    pub times: u32,
    /// How long the chat waits before each of them.
    pub pause: Option<Pause>,
}

impl Otherwise {
    /// What is performed where the step has failed.
    pub(super) fn items(&self) -> Option<&[Item]> {
        match self {
            Self::Perform(items) => Some(items),
            Self::End | Self::Continue | Self::Retry(_) => None,
        }
    }

    /// The same for entries that are changed.
    pub(super) fn items_mut(&mut self) -> Option<&mut [Item]> {
        match self {
            Self::Perform(items) => Some(items),
            Self::End | Self::Continue | Self::Retry(_) => None,
        }
    }

    /// Whether the chat may pass although this attempt, counted from one, has failed.
    pub fn tolerates(&self, attempt: u32) -> bool {
        match self {
            Self::End => false,
            Self::Continue | Self::Perform(_) => true,
            Self::Retry(_) => attempt < self.attempts(),
        }
    }

    /// Which attempt this one is, counted from one, if there can be several.
    pub fn attempt(&self, number: u32) -> Option<Nth> {
        let of = self.attempts();
        (of > 1).then_some(Nth { number, of })
    }

    /// How many attempts at the step there are at most.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Retry(retry) => retry.times.saturating_add(1),
            Self::End | Self::Continue | Self::Perform(_) => 1,
        }
    }
}

impl StepReader<'_> {
    /// Reads what stands behind `else` of the step that was read last.
    pub(super) fn read_else(&mut self, node: &Node) -> Option<Otherwise> {
        match &node.value {
            Value::Text(word) if word == "continue" => Some(Otherwise::Continue),
            Value::Map(_) => {
                let mut map = Mapping::open(node, "a mapping", self.problems)?;
                match map.one_of(&["retry", "steps"])? {
                    ("retry", times) => self.read_retry(times, map),
                    (_, steps) => {
                        map.finish();
                        Some(Otherwise::Perform(self.read_list(steps)))
                    }
                }
            }
            _ => {
                let what = node.shown();
                self.problems.add(
                    &node.place,
                    format!(
                        "{what} is nothing that can happen after a failure; write `continue`, `{{ retry: 3, pause: 1s }}` or `{{ steps: [...] }}`, or leave `else` out to end the chat"
                    ),
                );
                None
            }
        }
    }

    fn read_retry(&mut self, times: &Node, mut map: Mapping<'_>) -> Option<Otherwise> {
        let pause = map.get("pause").map(|node| {
            let pause = Pause::read(node, None, &self.names, self.problems)?;
            let step = self.read.last().map(|step| step.name.clone());
            Some(pause.behind(step))
        });
        map.finish();
        let times = times.whole_number_in(1..=MOST_RETRIES, self.problems);
        let pause = match pause {
            Some(pause) => Some(pause?),
            None => None,
        };
        Some(Otherwise::Retry(Box::new(Retry {
            times: u32::try_from(times?).ok()?,
            pause,
        })))
    }
}
