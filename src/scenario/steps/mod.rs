//! The entries of lists of steps. Each kind has a file here that holds what is read of it, and how.

mod choose;
mod end;
mod nth;
mod otherwise;
mod reader;
mod repeat;
mod rotation;
mod step;

use super::{Expression, Pause};

pub use choose::{Branch, Choose};
pub use end::ChatEnd;
pub use nth::Nth;
pub use otherwise::{Otherwise, Retry};
pub(super) use reader::StepReader;
pub use repeat::Repeat;
pub use rotation::Turn;
pub use step::{DEFAULT_TIMEOUT, Step};

/// One entry of a list of steps.
#[derive(Debug)]
pub enum Item {
    /// A step with an outcome.
    Step(Box<Step>),
    /// A pause.
    Think(Pause),
    /// Entries that run several times.
    Repeat(Repeat),
    /// One of several lists of entries.
    Choose(Choose),
    /// The end of the steps of a chat.
    End(Box<ChatEnd>),
}

impl Item {
    /// Calls `visit` for every step in here, in the order written.
    pub fn each_step<'a>(&'a self, visit: &mut impl FnMut(&'a Step)) {
        if let Self::Step(step) = self {
            visit(step);
        }
        for item in self.inner_lists().into_iter().flatten() {
            item.each_step(visit);
        }
    }

    /// The lists of entries that stand inside it, in the order written.
    pub(super) fn inner_lists(&self) -> Vec<&[Self]> {
        match self {
            Self::Step(step) => step.otherwise.items().into_iter().collect(),
            Self::Think(_) | Self::End(_) => Vec::new(),
            Self::Repeat(repeat) => vec![&repeat.items],
            Self::Choose(choice) => {
                let branches = choice.branches.iter();
                branches.map(|branch| &*branch.items).collect()
            }
        }
    }

    /// Whether it runs at all.
    pub(super) fn when(&self) -> Option<&Expression> {
        match self {
            Self::Step(step) => step.when.as_ref(),
            Self::Think(pause) => pause.when.as_ref(),
            Self::Repeat(repeat) => repeat.when.as_ref(),
            Self::Choose(choice) => choice.when.as_ref(),
            Self::End(end) => end.when.as_ref(),
        }
    }

    /// Whether its own condition, counts and times mention a variable. What stands inside it is not looked at.
    pub(super) fn mentions(&self, variable: &str) -> bool {
        let is_setting = match self {
            Self::Step(step) => step.timeout.mentions(variable),
            Self::Think(pause) => pause.settings().any(|setting| setting.mentions(variable)),
            Self::Repeat(repeat) => repeat.count.mentions(variable),
            Self::Choose(_) | Self::End(_) => false,
        };
        is_setting || self.when().is_some_and(|when| when.mentions(variable))
    }

    /// How many entries it is, with all that stand inside it.
    pub(super) fn count(&self) -> u64 {
        let inside = self.inner_lists().into_iter().flatten();
        inside.map(Self::count).fold(1, u64::saturating_add)
    }
}
