//! Ways that not every chat goes: branches of choices, and what stands behind an `end`.

use std::{sync::Arc, time::Duration};

use super::{Counter, socket_name::SocketName};
use crate::scenario::{Bounds, ChatEnd, Choose, Otherwise, extent::Extent};

/// Whether the steps of a chat have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    No,
    /// Of some chats.
    Maybe,
    /// Of every chat.
    Yes,
}

impl Ends {
    /// The same where not every chat comes.
    pub(super) fn uncertain(self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Maybe | Self::Yes => Self::Maybe,
        }
    }

    /// How often a round is begun of this many, one of which may end the chat.
    pub(super) fn rounds(self, all: Bounds) -> Bounds {
        let least = all.least.min(1);
        match self {
            Self::No => all,
            Self::Maybe => Bounds { least, ..all },
            Self::Yes => Bounds {
                least,
                most: Some(all.most.map_or(1, |most| most.min(1))),
            },
        }
    }
}

impl<'a> Counter<'a> {
    /// What some chats do and others do not.
    pub(super) fn count_uncertain(&mut self, count: impl FnOnce(&mut Self) -> Extent) -> Extent {
        let captures = self.captures.clone();
        let around = std::mem::replace(&mut self.is_certain, false);
        let extent = count(self);
        self.is_certain = around;
        self.captures = captures;
        self.ends = self.ends.uncertain();
        extent.times(Bounds::up_to(Some(1)))
    }

    /// One of the branches: as little as the one that does least, and as much as the one that does most.
    pub(super) fn count_choose(&mut self, choice: &'a Choose) -> Extent {
        let applies = self.applies(choice.when.as_ref());
        if applies.most == Some(0) {
            return Extent::NONE;
        }
        if applies.least == 0 {
            return self.count_uncertain(|counter| counter.count_branches(choice));
        }
        self.count_branches(choice)
    }

    fn count_branches(&mut self, choice: &'a Choose) -> Extent {
        let (captures, sockets) = (self.captures.clone(), self.sockets.clone());
        let mut behind = Vec::new();
        let mut ends = Vec::new();
        let mut either: Option<Extent> = None;
        for branch in &choice.branches {
            self.captures.clone_from(&captures);
            self.sockets.clone_from(&sockets);
            let around = std::mem::replace(&mut self.ends, Ends::No);
            let extent = self.count_all(&branch.items);
            ends.push(std::mem::replace(&mut self.ends, around));
            behind.push((
                std::mem::take(&mut self.captures),
                std::mem::take(&mut self.sockets),
            ));
            either = Some(either.map_or(extent, |either| either.or(extent)));
        }
        // Certain is what every branch does.
        let is_captured =
            |name: &Arc<str>| behind.iter().all(|(captures, _)| captures.contains(name));
        let all = behind.iter().flat_map(|(captures, _)| captures);
        self.captures = all.filter(|name| is_captured(name)).cloned().collect();
        let names = behind.iter().flat_map(|(_, sockets)| sockets.keys());
        let is_opened = |name: &SocketName| {
            let mut sockets = behind.iter().map(|(_, sockets)| sockets.get(name));
            sockets.all(|certain| certain == Some(&true))
        };
        self.sockets = { names }
            .map(|name| (name.clone(), is_opened(name)))
            .collect();
        if ends.iter().any(|end| *end != Ends::No) {
            let all_end = ends.iter().all(|end| *end == Ends::Yes);
            self.ends = if all_end { Ends::Yes } else { Ends::Maybe };
        }
        either.unwrap_or(Extent::NONE)
    }

    /// An attempt at a step with what comes if it fails.
    pub(super) fn count_otherwise(&mut self, otherwise: &'a Otherwise, attempt: Extent) -> Extent {
        match otherwise {
            Otherwise::End | Otherwise::Continue => attempt,
            Otherwise::Perform(items) => {
                attempt.plus(self.count_uncertain(|counter| counter.count_all(items)))
            }
            Otherwise::Retry(retry) => {
                let pause = retry.pause.as_ref();
                let longest = pause.map_or(Some(Duration::ZERO), |pause| {
                    pause.longest(|setting| self.time_of(setting))
                });
                let pause = Extent {
                    longest,
                    stay: longest,
                    ..Extent::NONE
                };
                let retries = Bounds::up_to(Some(retry.times.into()));
                attempt.plus(pause.plus(attempt).times(retries))
            }
        }
    }

    /// It costs nothing, and what stands behind it may never come.
    pub(super) fn count_end(&mut self, end: &'a ChatEnd) -> Extent {
        let applies = self.applies(end.when.as_ref());
        if applies.most != Some(0) {
            self.ends = if applies.least > 0 {
                Ends::Yes
            } else {
                Ends::Maybe
            };
        }
        Extent::NONE
    }
}
