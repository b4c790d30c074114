//! The entries of lists of steps. Each kind has a file here that holds what is read of it, and how.

mod barrier;
mod choose;
mod end;
mod nth;
mod otherwise;
mod reader;
mod repeat;
mod rotation;
mod step;
mod together;
mod track_connections;
mod wait_until;

use super::{Expression, Pause};

pub use barrier::Barrier;
pub use choose::{Branch, Choose};
pub use end::ChatEnd;
pub use nth::Nth;
pub use otherwise::{Otherwise, Retry};
pub(super) use reader::StepReader;
pub use repeat::Repeat;
pub use rotation::{Rotation, Turn};
pub use step::{DEFAULT_TIMEOUT, Step};
pub use together::{NamedTrack, Together};
pub use wait_until::WaitUntil;

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
    /// Tracks that go on side by side.
    Together(Together),
    /// A pause of a track until something holds that others capture. In a box, as it is larger than most entries.
    WaitUntil(Box<WaitUntil>),
    /// A place where the chats of a run wait for each other. Likewise.
    Barrier(Box<Barrier>),
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

    /// The same for steps that are changed.
    fn each_step_mut(&mut self, visit: &mut impl FnMut(&mut Step)) {
        let inside: Vec<&mut [Self]> = match self {
            Self::Step(step) => {
                visit(step);
                step.otherwise.items_mut().into_iter().collect()
            }
            Self::Think(_) | Self::End(_) | Self::WaitUntil(_) | Self::Barrier(_) => return,
            Self::Repeat(repeat) => vec![&mut repeat.items],
            Self::Choose(choice) => {
                let branches = choice.branches.iter_mut();
                branches.map(|branch| &mut *branch.items).collect()
            }
            Self::Together(together) => {
                let tracks = together.tracks.iter_mut();
                tracks.map(|track| track.items.as_mut_slice()).collect()
            }
        };
        let items = inside.into_iter().flatten();
        items.for_each(|item| item.each_step_mut(visit));
    }

    /// The lists of entries that stand inside it, in the order written.
    pub(super) fn inner_lists(&self) -> Vec<&[Self]> {
        match self {
            Self::Step(step) => step.otherwise.items().into_iter().collect(),
            Self::Think(_) | Self::End(_) | Self::WaitUntil(_) | Self::Barrier(_) => Vec::new(),
            Self::Repeat(repeat) => vec![&repeat.items],
            Self::Choose(choice) => {
                let branches = choice.branches.iter();
                branches.map(|branch| &*branch.items).collect()
            }
            Self::Together(together) => {
                let tracks = together.tracks.iter();
                tracks.map(|track| track.items.as_slice()).collect()
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
            Self::Together(together) => together.when.as_ref(),
            Self::WaitUntil(wait) => wait.when.as_ref(),
            Self::Barrier(barrier) => barrier.when.as_ref(),
        }
    }

    /// Whether its own condition, counts and times mention a variable. What stands inside it is not looked at.
    pub(super) fn mentions(&self, variable: &str) -> bool {
        let is_setting = match self {
            Self::Step(step) => step.timeout.mentions(variable),
            Self::Think(pause) => pause.settings().any(|setting| setting.mentions(variable)),
            Self::Repeat(repeat) => repeat.count.mentions(variable),
            Self::Choose(_) | Self::End(_) | Self::Together(_) => false,
            Self::WaitUntil(wait) => wait.timeout.mentions(variable),
            Self::Barrier(barrier) => barrier.timeout.mentions(variable),
        };
        is_setting || self.when().is_some_and(|when| when.mentions(variable))
    }

    /// Whether it is such an entry, or has one inside it.
    pub(super) fn has(&self, is_wanted: fn(&Self) -> bool) -> bool {
        let mut inside = self.inner_lists().into_iter().flatten();
        is_wanted(self) || inside.any(|item| item.has(is_wanted))
    }

    /// How many entries it is, with all that stand inside it.
    pub(super) fn count(&self) -> u64 {
        let inside = self.inner_lists().into_iter().flatten();
        inside.map(Self::count).fold(1, u64::saturating_add)
    }
}
