//! `repeat`: entries that are performed several times.

use super::{Item, reader::StepReader};
use crate::{
    document::{Mapping, Node},
    scenario::{Expression, Setting},
};

/// `repeat: 3` with `steps:`.
#[derive(Debug)]
pub struct Repeat {
    /// Whether the rounds run at all.
    pub when: Option<Expression>,
    /// How many rounds.
    pub count: Setting<u64>,
    /// What one round does.
    pub items: Vec<Item>,
}

impl StepReader<'_> {
    pub(super) fn read_repeat(
        &mut self,
        count: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<Repeat> {
        let steps = map.need("steps");
        map.finish();
        let count = Setting::read(count, &self.names, self.problems);
        let steps = steps?;
        self.names.begin_repeat(steps);
        let items = self.read_list(steps);
        self.names.end_repeat();
        Some(Repeat {
            when,
            count: count?,
            items,
        })
    }
}
