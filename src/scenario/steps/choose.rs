//! `choose`: one of several lists of entries, shared out among the chats by weights.

use std::sync::Arc;

use super::{
    Item, Nth,
    reader::StepReader,
    rotation::{Rotation, Turn},
};
use crate::{
    document::{Mapping, Node, Value},
    scenario::Expression,
};

/// The most branches of one choice.
const MOST_BRANCHES: usize = 100;
/// The largest weight.
const LARGEST_WEIGHT: u64 = 1_000_000;

/// `choose:` with branches.
#[derive(Debug)]
pub struct Choose {
    /// Whether a branch is taken at all.
    pub when: Option<Expression>,
    /// One of them is taken.
    pub branches: Vec<Branch>,
    spread: Spread,
}

/// One branch of a choice.
#[derive(Debug)]
pub struct Branch {
    /// How often it is taken, compared with the others.
    pub weight: u64,
    /// What it does.
    pub items: Vec<Item>,
}

/// How branches are shared out among chats.
#[derive(Debug)]
enum Spread {
    /// In turn.
    Even(Rotation),
    /// By chance.
    Random,
}

impl Choose {
    /// Which branch is taken by whoever comes here as the one with this number, counted from zero, and which number it has
    /// among those that take this branch. That number stays as it is where the branch is drawn.
    pub fn turn(&self, sequence: u64, random: &mut fastrand::Rng) -> Turn {
        match &self.spread {
            Spread::Even(rotation) => rotation.at(sequence),
            Spread::Random => Turn {
                index: self.draw(random),
                sequence,
            },
        }
    }

    fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let sum: u64 = self.branches.iter().map(|branch| branch.weight).sum();
        let mut drawn = random.u64(..sum.max(1));
        let is_drawn = |branch: &Branch| {
            let found = drawn < branch.weight;
            drawn = drawn.wrapping_sub(branch.weight);
            found
        };
        self.branches.iter().position(is_drawn).unwrap_or_default()
    }
}

/// Adds the names that are not there.
fn add_new(names: impl Iterator<Item = Arc<str>>, all: &mut Vec<Arc<str>>) {
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
}

impl StepReader<'_> {
    pub(super) fn read_choose(
        &mut self,
        node: &Node,
        when: Option<Expression>,
        mut map: Mapping<'_>,
    ) -> Option<Choose> {
        let before = self.problems.count();
        if !self.names.part().is_chat() {
            self.problems.add(
                map.place,
                "only a chat can `choose`, by its number; `setup` and `teardown` run once per run",
            );
        }
        let spread = map.get("spread");
        let is_random = spread.is_some_and(|node| self.is_random(node));
        map.finish();
        let branches = self.read_branches(node);
        if self.problems.count() > before {
            return None;
        }
        let spread = if is_random {
            Spread::Random
        } else {
            Spread::Even(self.rotation(node, &branches)?)
        };
        Some(Choose {
            when,
            branches,
            spread,
        })
    }

    fn rotation(&self, node: &Node, branches: &[Branch]) -> Option<Rotation> {
        let weights: Vec<_> = branches.iter().map(|branch| branch.weight).collect();
        let rotation = Rotation::of(&weights);
        if rotation.is_none() {
            let (sum, most) = (weights.iter().sum::<u64>(), Rotation::LONGEST);
            self.problems.add(
                &node.place,
                format!(
                    "these weights are shared out exactly only once in {sum} chats, and {most} is the most; use rounder weights, or `spread: random`"
                ),
            );
        }
        rotation
    }

    fn is_random(&self, node: &Node) -> bool {
        let word = match &node.value {
            Value::Text(word) => word.as_str(),
            _ => "",
        };
        if !["even", "random"].contains(&word) {
            let what = node.shown();
            self.problems.add(
                &node.place,
                format!("{what} is no way to share out branches; write `even`, which is the default, or `random`"),
            );
        }
        word == "random"
    }

    fn read_branches(&mut self, node: &Node) -> Vec<Branch> {
        let nodes = node.list(
            "a list of branches such as `{ weight: 2, steps: [...] }`",
            self.problems,
        );
        if matches!(&node.value, Value::List(list) if list.is_empty() || list.len() > MOST_BRANCHES)
        {
            self.problems.add(
                &node.place,
                format!("a `choose` has at least one branch, and at most {MOST_BRANCHES}"),
            );
            return Vec::new();
        }
        let known = self.names.captured().clone();
        let mut known_behind = known.clone();
        let sockets = self.sockets.clone();
        let mut sockets_behind = sockets.clone();
        let streams = self.streams.clone();
        let mut streams_behind = streams.clone();
        let first = self.read.len();
        let mut branches = Vec::new();
        for (index, branch) in nodes.iter().enumerate() {
            self.names.know_captures(known.clone());
            self.sockets.clone_from(&sockets);
            self.streams.clone_from(&streams);
            let begin = self.read.len();
            self.branches.push(Nth::of(index, nodes.len()));
            branches.extend(self.read_branch(branch));
            self.branches.pop();
            // A chat in another branch has not performed the steps of this one.
            self.read[begin..]
                .iter_mut()
                .for_each(|step| step.elsewhere = true);
            known_behind.extend(self.names.captured().iter().cloned());
            add_new(self.sockets.drain(..), &mut sockets_behind);
            add_new(self.streams.drain(..), &mut streams_behind);
        }
        // Behind it, any branch may have been taken.
        self.read[first..]
            .iter_mut()
            .for_each(|step| step.elsewhere = false);
        self.names.know_captures(known_behind);
        self.sockets = sockets_behind;
        self.streams = streams_behind;
        branches
    }

    fn read_branch(&mut self, node: &Node) -> Option<Branch> {
        let mut map = Mapping::open(
            node,
            "a branch such as `{ weight: 2, steps: [...] }`",
            self.problems,
        )?;
        let weight = match map.get("weight") {
            Some(node) => node.whole_number_in(1..=LARGEST_WEIGHT, self.problems),
            None => Some(1),
        };
        let steps = map.need("steps");
        map.finish();
        let items = self.read_list(steps?);
        Some(Branch {
            weight: weight?,
            items,
        })
    }
}
