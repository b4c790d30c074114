//! `{ chats: 20000, ramp: 60s }`: so many customers, one chat each.

use std::time::Duration;

use super::{
    Arrivals,
    keys::{LoadForm, Ramp, noted},
    segment::MOST_CHATS,
};
use crate::document::{Mapping, Node, Problems};

/// So many chats may begin in the same instant.
const ONE_INSTANT: u64 = 1_000;
/// More come one after the other, 25,000 a second: what is due all at once could only be late, and
/// nobody could tell who is to blame.
const BETWEEN: Duration = Duration::from_micros(40);

pub(super) fn read(
    chats: &Node,
    load: &mut Mapping<'_>,
    problems: &Problems,
) -> Option<LoadForm<Arrivals>> {
    let ramp = Ramp::read("ramp", load, problems);
    let chats = chats.whole_number_in(1..=MOST_CHATS, problems)?;
    let ramp = ramp?;
    let time = if ramp.time.is_zero() && chats > ONE_INSTANT {
        Duration::from_nanos_u128(BETWEEN.as_nanos() * u128::from(chats))
    } else {
        ramp.time
    };
    Some(LoadForm {
        load: noted(Arrivals::of_chats(chats, time), load.place, problems)?,
        written: format!("{{ chats: {chats}{ramp} }}"),
        max_active: None,
    })
}

/// One chat, at once.
pub(super) fn one() -> LoadForm<Arrivals> {
    #[expect(
        clippy::expect_used,
        reason = "one chat at once is neither too many nor too long"
    )]
    let load = Arrivals::of_chats(1, Duration::ZERO).expect("one chat");
    LoadForm {
        written: "{ chats: 1 }".to_owned(),
        load,
        max_active: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::{profile, refused};

    #[test]
    fn bad_chats_are_told_with_their_place() {
        assert_eq!(
            refused("{ chats: 0, ramp: -1s }"),
            [
                "a.yaml:1:10: expected a whole number of at least 1 and at most 10000000000, found 0",
                "a.yaml:1:19: `-1s` is negative; a duration is zero or more",
            ]
        );
        assert_eq!(
            refused("{ chats: 5, for: 1m }"),
            ["a.yaml:1:13: unknown key `for`; known here: `chats`, `ramp`, `graceful_stop`"]
        );
        assert_eq!(
            refused("{ chats: 20000000000 }"),
            [
                "a.yaml:1:10: expected a whole number of at least 1 and at most 10000000000, \
                 found 20000000000"
            ]
        );
        assert_eq!(
            refused("{ chats: 5, ramp: 10000h }"),
            ["a.yaml:1:1: this load would last longer than a year"]
        );
    }

    #[test]
    fn a_number_is_told_as_it_was_written_and_why_it_does_not_fit() {
        let most = "expected a whole number of at least 1 and at most 10000000000, found";
        for (number, says) in [
            ("1e18", format!("{most} 1e18")),
            ("1e400", format!("{most} 1e400")),
            ("-1e18", format!("{most} -1e18")),
            ("2.50", format!("{most} 2.50")),
            ("1e-3", format!("{most} 1e-3")),
        ] {
            assert_eq!(
                refused(&format!("{{ chats: {number} }}")),
                [format!("a.yaml:1:10: {says}")]
            );
        }
        assert_eq!(profile("{ chats: 1e3 }"), profile("{ chats: 1000 }"));
        assert_eq!(profile("{ chats: 20.0 }"), profile("{ chats: 20 }"));
    }

    #[test]
    fn many_at_once_begin_within_a_second() {
        for (load, within, rate) in [
            ("{ chats: 1000 }", 0, 1_000.0),
            ("{ chats: 20000 }", 800, 20_000.0),
            ("{ chats: 100000, ramp: 0s }", 4_000, 25_000.0),
        ] {
            let profile = profile(load);
            assert_eq!(profile.duration(), Duration::from_millis(within), "{load}");
            let peak = profile.peak_rate().unwrap().as_per_second();
            assert!((peak - rate).abs() < 1.0, "{load}: {peak}");
        }
    }

    #[test]
    fn chats_of_a_given_number_are_a_closed_load_of_as_many_at_once() {
        let profile = profile("{ chats: 20000, ramp: 60s }");
        assert!(!profile.is_open());
        assert_eq!(profile.chats(), Some(20_000));
        assert_eq!(profile.peak_active(), Some(20_000));
        assert_eq!(profile.max_active(), None);
    }
}
