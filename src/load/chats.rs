//! `{ chats: 20000, ramp: 60s }`: so many customers, one chat each.

use std::time::Duration;

use super::{
    Arrivals, Profile, Shape,
    keys::{Ramp, noted},
};
use crate::document::{Mapping, Node, Problems};

pub(super) fn read(chats: &Node, load: &mut Mapping<'_>, problems: &Problems) -> Option<Profile> {
    let ramp = Ramp::read(load, problems);
    let chats = chats.whole_number(1, problems)?;
    let ramp = ramp?;
    let arrivals = noted(Arrivals::of_chats(chats, ramp.time), load.place, problems)?;
    let written = format!("{{ chats: {chats}{ramp} }}");
    Some(Profile::new(written, Shape::Arrivals(arrivals), None))
}

/// One chat, at once.
pub(super) fn one() -> Profile {
    #[expect(
        clippy::expect_used,
        reason = "one chat at once is neither too many nor too long"
    )]
    let arrivals = Arrivals::of_chats(1, Duration::ZERO).expect("one chat");
    Profile::new("{ chats: 1 }".to_owned(), Shape::Arrivals(arrivals), None)
}

#[cfg(test)]
mod tests {
    use crate::load::testing::{profile, refused};

    #[test]
    fn bad_chats_are_told_with_their_place() {
        assert_eq!(
            refused("{ chats: 0, ramp: -1s }"),
            [
                "a.yaml:1:10: expected a whole number of at least 1, found 0",
                "a.yaml:1:19: `-1s` is negative; a duration is zero or more",
            ]
        );
        assert_eq!(
            refused("{ chats: 5, for: 1m }"),
            ["a.yaml:1:13: unknown key `for`; known here: `chats`, `ramp`"]
        );
        assert_eq!(
            refused("{ chats: 20000000000 }"),
            ["a.yaml:1:1: this load would start more than 10000000000 chats"]
        );
        assert_eq!(
            refused("{ chats: 5, ramp: 10000h }"),
            ["a.yaml:1:1: this load would last longer than a year"]
        );
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
