//! `{ search: { from: 50/s, to: 2000/s, hold: 30s } }`: steps that climb until one breaks, and
//! then narrow down to where the limit is.

use std::{fmt, time::Duration};

use super::{
    ArrivalSpacing, Arrivals, Bracket, Customers, Level, Shape,
    arrivals::RateStage,
    keys::{ActiveLimit, LoadForm, noted, rate_of, some_time},
    segment::MOST_CHATS,
};
use crate::{
    document::{Mapping, Node, Problems},
    units::duration,
};

/// Of so many parts of a step the first is not judged.
const PARTS: u32 = 3;
/// No search narrows more often: see the tests.
const NARROWINGS: u32 = 5;

/// From where to where the limit is looked for, and how long each step takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Above zero and below `to`, and of the same kind.
    from: Level,
    to: Level,
    /// Above zero.
    hold: Duration,
    /// How the starts lie, if it is by rate.
    spacing: ArrivalSpacing,
}

impl Search {
    /// What the next step asks for, given where the limit is known to be; `None` once there is
    /// nothing left to find out.
    pub fn next(&self, bracket: Bracket) -> Option<Level> {
        match (bracket.held, bracket.broke) {
            (None, None) => Some(self.from),
            (None, Some(_)) => None,
            (Some(held), None) => held.above(self.to),
            (Some(held), Some(broke)) => held.between(broke),
        }
    }

    /// What the first step asks for.
    pub fn first(&self) -> Level {
        self.from
    }

    /// What no step exceeds.
    pub fn top(&self) -> Level {
        self.to
    }

    /// How long a step takes. After one that broke, the chats it left behind get as long to end:
    /// it asked for at most half as much again as what held, so a target that is at its limit is
    /// through with the rest after half of that.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// The part of a step that is not judged: until then chats of the step before are ending, and
    /// queues find their new length.
    pub fn warm_up(&self) -> Duration {
        self.hold / PARTS
    }

    /// The rest of it.
    pub fn judged(&self) -> Duration {
        self.hold.saturating_sub(self.warm_up())
    }

    /// When chats start in a step, counted from its beginning.
    ///
    /// # Panics
    /// The level is far above the top of this search.
    pub fn shape_at(&self, level: Level) -> Shape {
        let length = self.hold;
        match level {
            Level::Customers(count) => Shape::Customers(Customers::steady(count, length)),
            Level::Rate(rate) => {
                let (from, to) = (rate, rate);
                #[expect(
                    clippy::expect_used,
                    reason = "the reader made sure of it for the highest rate"
                )]
                let arrivals = Arrivals::open(&[RateStage { length, from, to }], self.spacing)
                    .expect("it fits");
                Shape::Arrivals(arrivals)
            }
        }
    }

    /// When it is over at the latest, unless it is paused.
    pub(super) fn longest(&self) -> Duration {
        let (mut climbing, mut level) = (1, self.from);
        while let Some(above) = level.above(self.to) {
            level = above;
            climbing += 1;
        }
        // Each narrowing may have to wait for what a broken step left behind.
        self.hold.saturating_mul(climbing + 2 * NARROWINGS)
    }
}

pub(super) fn read(
    node: &Node,
    load: &mut Mapping<'_>,
    problems: &Problems,
) -> Option<LoadForm<Search>> {
    let wanted = "a search such as `{ from: 50/s, to: 2000/s, hold: 30s }`";
    let mut map = Mapping::open(node, wanted, problems)?;
    let customers = map.get("customers");
    let levels = match customers {
        None => bounds(&mut map, rate, problems),
        Some(node) => {
            let wanted = "a range of customers such as `{ from: 10, to: 500 }`";
            Mapping::open(node, wanted, problems).and_then(|mut range| {
                let levels = bounds(&mut range, count, problems);
                range.finish();
                levels
            })
        }
    };
    let hold = map.need("hold").and_then(|node| some_time(node, problems));
    map.finish();
    // Customers are themselves the most chats at once.
    let limit = if customers.is_none() {
        ActiveLimit::read(load, problems)
    } else {
        Some(ActiveLimit { max_active: None })
    };
    let spacing = if customers.is_none() {
        ArrivalSpacing::read(load, problems)
    } else {
        Some(ArrivalSpacing::Even)
    };
    let ((from, to), spacing) = (levels?, spacing?);
    let search = Search {
        from,
        to,
        hold: hold?,
        spacing,
    };
    if let Level::Rate(rate) = to {
        let stage = RateStage {
            length: search.hold,
            from: rate,
            to: rate,
        };
        noted(Arrivals::open(&[stage], spacing), load.place, problems)?;
    }
    let limit = limit?;
    Some(LoadForm {
        written: format!("{{ search: {search}{limit}{spacing} }}"),
        load: search,
        max_active: limit.max_active,
    })
}

/// `from` and `to`, in this order and above zero.
fn bounds(
    map: &mut Mapping<'_>,
    read: fn(&Node, &Problems) -> Option<Level>,
    problems: &Problems,
) -> Option<(Level, Level)> {
    let from = map.need("from").and_then(|node| read(node, problems));
    let to = map.need("to");
    let place = to.map(|node| &node.place);
    let to = to.and_then(|node| read(node, problems));
    let (from, to, place) = (from?, to?, place?);
    if to.amount() <= from.amount() {
        problems.add(
            place,
            format!("a search climbs: `to` has to be above `from`, and {to} is not above {from}"),
        );
        return None;
    }
    Some((from, to))
}

fn rate(node: &Node, problems: &Problems) -> Option<Level> {
    let rate = rate_of(node, problems)?;
    if rate.as_per_second() <= 0.0 {
        problems.add(
            &node.place,
            format!("expected a rate above zero, found `{rate}`"),
        );
        return None;
    }
    Some(Level::Rate(rate))
}

fn count(node: &Node, problems: &Problems) -> Option<Level> {
    node.whole_number_in(1..=MOST_CHATS, problems)
        .map(Level::Customers)
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hold = duration::format(self.hold);
        match (self.from, self.to) {
            (Level::Customers(from), Level::Customers(to)) => write!(
                f,
                "{{ customers: {{ from: {from}, to: {to} }}, hold: {hold} }}"
            ),
            (from, to) => write!(f, "{{ from: {from}, to: {to}, hold: {hold} }}"),
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
