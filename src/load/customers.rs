//! `{ customers: 200, for: 10m, ramp: 1m, ramp_down: 1m, pace: 30s }`: so many at any time, chat after chat.

use std::time::Duration;

use super::{
    keys::{LoadForm, Ramp, some_time},
    segment::MOST_CHATS,
};
use crate::{
    document::{Mapping, Node, Problems},
    units::duration,
};

/// How many customers chat at any moment, each beginning a new chat when the last one ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customers {
    count: u64,
    /// They come in evenly over this time, the first at once.
    ramp: Duration,
    /// They leave evenly over this time before the end, each at the end of a chat.
    ramp_down: Duration,
    length: Duration,
    /// The least time from one start of a customer to the next.
    pace: Option<Duration>,
    /// What was asked for later, in the order of time; each replaces all before it.
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    at: Duration,
    customers: u64,
}

impl Customers {
    /// So many all the time.
    pub(super) fn steady(count: u64, length: Duration) -> Self {
        Self {
            count,
            ramp: Duration::ZERO,
            ramp_down: Duration::ZERO,
            length,
            pace: None,
            changes: Vec::new(),
        }
    }

    /// The least time from one start of a customer to the next.
    pub fn pace(&self) -> Option<Duration> {
        self.pace
    }

    /// How many customers there are at that moment; none once the time is over.
    pub fn wanted_at(&self, elapsed: Duration) -> u64 {
        if elapsed >= self.length {
            return 0;
        }
        let wanted = match self.changes.iter().rfind(|change| change.at <= elapsed) {
            Some(change) => change.customers,
            None => self.ramped_in(elapsed),
        };
        self.ramped_out(wanted, elapsed)
    }

    /// When no chat begins any more.
    pub fn duration(&self) -> Duration {
        self.length
    }

    /// The most customers there are at any moment, or more.
    pub fn peak(&self) -> u64 {
        let changed = self.changes.iter().map(|change| change.customers);
        changed.fold(self.count, u64::max)
    }

    /// The same before `elapsed`, from then on so many customers until the same end. None at all
    /// is silence: the chats in progress end, and no other begins.
    #[must_use]
    pub fn with_customers(&self, elapsed: Duration, customers: u64) -> Self {
        let mut changed = self.clone();
        changed.changes.retain(|change| change.at < elapsed);
        changed.changes.push(Change {
            at: elapsed,
            customers,
        });
        changed
    }

    fn ramped_in(&self, elapsed: Duration) -> u64 {
        if elapsed >= self.ramp {
            return self.count;
        }
        let share = u128::from(self.count) * elapsed.as_nanos() / self.ramp.as_nanos();
        // One more, because the first is there from the beginning.
        u64::try_from(share + 1).map_or(self.count, |there| there.min(self.count))
    }

    /// How many of these have not left; the last one leaves at the end.
    fn ramped_out(&self, customers: u64, elapsed: Duration) -> u64 {
        let left = self.length.saturating_sub(elapsed);
        if left >= self.ramp_down {
            return customers;
        }
        let share = u128::from(customers) * left.as_nanos();
        let staying = share.div_ceil(self.ramp_down.as_nanos());
        u64::try_from(staying).map_or(customers, |staying| staying.min(customers))
    }
}

pub(super) fn read(
    customers: &Node,
    load: &mut Mapping<'_>,
    problems: &Problems,
) -> Option<LoadForm<Customers>> {
    let customers = customers.whole_number_in(1..=MOST_CHATS, problems);
    let length = load.need("for").and_then(|node| some_time(node, problems));
    let ramp = Ramp::read("ramp", load, problems);
    let ramp_down = Ramp::read("ramp_down", load, problems);
    let pace = match load.get("pace") {
        Some(node) => some_time(node, problems).map(Some),
        None => Some(None),
    };
    let (customers, length, pace) = (customers?, length?, pace?);
    let (ramp, ramp_down) = (ramp?, ramp_down?);
    let time = duration::format(length);
    if let Some(place) = ramp_down.place.or(ramp.place)
        && ramp.time.saturating_add(ramp_down.time) > length
    {
        let ramps = [("a ramp", ramp.time), ("a ramp down", ramp_down.time)];
        let ramps = ramps.iter().filter(|(_, time)| !time.is_zero());
        let ramps = ramps.map(|(what, time)| format!("{what} of {}", duration::format(*time)));
        let ramps: Vec<_> = ramps.collect();
        let verb = if ramps.len() == 1 { "does" } else { "do" };
        problems.add(
            place,
            format!("{} {verb} not fit into `for: {time}`", ramps.join(" and ")),
        );
        return None;
    }
    let paced = pace.map_or_else(String::new, |pace| {
        format!(", pace: {}", duration::format(pace))
    });
    Some(LoadForm {
        written: format!("{{ customers: {customers}, for: {time}{ramp}{ramp_down}{paced} }}"),
        load: Customers {
            count: customers,
            ramp: ramp.time,
            ramp_down: ramp_down.time,
            length,
            pace,
            changes: Vec::new(),
        },
        max_active: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::{
        Shape,
        testing::{profile, refused},
    };

    fn customers(text: &str) -> Customers {
        match profile(text).shape() {
            Shape::Customers(customers) => customers.clone(),
            Shape::Arrivals(_) => panic!("{text} is not about customers"),
        }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn all_customers_are_there_until_the_time_is_over() {
        let customers = customers("{ customers: 200, for: 10m }");
        assert_eq!(customers.wanted_at(s(0)), 200);
        assert_eq!(
            customers.wanted_at(Duration::from_nanos(599_999_999_999)),
            200
        );
        assert_eq!(customers.wanted_at(s(600)), 0);
        assert_eq!(customers.duration(), s(600));
    }

    #[test]
    fn a_ramp_brings_them_in_evenly() {
        let customers = customers("{ customers: 4, for: 10m, ramp: 40s }");
        let there: Vec<_> = [0, 9, 10, 25, 30, 40, 599]
            .map(|second| customers.wanted_at(s(second)))
            .into();
        assert_eq!(there, [1, 1, 2, 3, 4, 4, 4]);
    }

    #[test]
    fn a_ramp_down_lets_them_leave_evenly_whatever_was_changed() {
        let customers = customers("{ customers: 4, for: 10m, ramp: 1m, ramp_down: 40s }");
        let there = |customers: &Customers, seconds: [u64; 7]| {
            seconds.map(|second| customers.wanted_at(s(second)))
        };
        let seconds = [559, 560, 569, 570, 581, 599, 600];
        assert_eq!(there(&customers, seconds), [4, 4, 4, 3, 2, 1, 0]);
        let changed = customers.with_customers(s(300), 8);
        assert_eq!(there(&changed, seconds), [8, 8, 7, 6, 4, 1, 0]);
    }

    #[test]
    fn a_change_holds_from_its_moment_and_the_last_one_wins() {
        let ramped = customers("{ customers: 4, for: 10m, ramp: 40s }");
        let changed = ramped.with_customers(s(20), 9).with_customers(s(30), 0);
        assert_eq!(changed.wanted_at(s(10)), 2);
        assert_eq!(changed.wanted_at(s(20)), 9);
        assert_eq!(changed.wanted_at(s(30)), 0);
        assert_eq!(changed.peak(), 9);
        assert_eq!(changed.with_customers(s(20), 5).wanted_at(s(35)), 5);
        assert_eq!(changed.with_customers(s(700), 5).wanted_at(s(700)), 0);
    }

    #[test]
    fn bad_customers_are_told_with_their_place() {
        assert_eq!(
            refused("{ customers: many }"),
            [
                "a.yaml:1:1: the key `for` is missing here",
                "a.yaml:1:14: expected a whole number of at least 1 and at most 10000000000, found `many`",
            ]
        );
        assert_eq!(
            refused("{ customers: 5, for: 1m, ramp: 90s }"),
            ["a.yaml:1:32: a ramp of 1m30s does not fit into `for: 1m`"]
        );
        assert_eq!(
            refused("{ customers: 5, for: 1m, ramp: 30s, ramp_down: 31s, pace: 0s }"),
            ["a.yaml:1:59: expected a duration above zero, found `0s`"]
        );
        assert_eq!(
            refused("{ customers: 5, for: 1m, ramp: 30s, ramp_down: 31s }"),
            ["a.yaml:1:48: a ramp of 30s and a ramp down of 31s do not fit into `for: 1m`"]
        );
        assert_eq!(
            refused("{ customers: 5, for: 0s, max_active: 3 }"),
            [
                "a.yaml:1:22: expected a duration above zero, found `0s`",
                "a.yaml:1:26: unknown key `max_active`; known here: `customers`, `for`, `ramp`, `ramp_down`, `pace`, `graceful_stop`",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_ramp_never_sends_a_customer_away(
            count in 1_u64..100_000,
            ramp in 0_u64..10_000,
            (early, later) in (0_u64..10_000, 0_u64..10_000),
        ) {
            let customers = Customers {
                count,
                ramp: s(ramp),
                ramp_down: Duration::ZERO,
                length: s(10_000),
                pace: None,
                changes: Vec::new(),
            };
            let (early, later) = (early.min(later), early.max(later));
            prop_assert!(customers.wanted_at(s(early)) <= customers.wanted_at(s(later)));
            prop_assert!((1..=count).contains(&customers.wanted_at(s(early))));
            prop_assert!(later < ramp || customers.wanted_at(s(later)) == count);
        }
    }
}
