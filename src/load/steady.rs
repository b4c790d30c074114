//! `{ rate: 500/s, for: 10m, max_active: 20000 }`: arrivals at one rate, whatever the target does.

use super::{
    ArrivalSpacing, Arrivals,
    arrivals::RateStage,
    keys::{ActiveLimit, LoadForm, noted, rate_of, some_time},
};
use crate::{
    document::{Mapping, Node, Problems},
    units::duration,
};

const NO_RAMP: &str = "`ramp` does not go with `rate`; a rate climbs in a stage: \
                       `{ for: 1m, from: 0/s, rate: 500/s }`";
const NO_RAMP_DOWN: &str = "`ramp_down` does not go with `rate`; a rate falls in a stage: \
                            `{ for: 1m, from: 500/s, rate: 0/s }`";

pub(super) fn read(
    rate: &Node,
    load: &mut Mapping<'_>,
    problems: &Problems,
) -> Option<LoadForm<Arrivals>> {
    let rate = rate_of(rate, problems);
    let length = load.need("for").and_then(|node| some_time(node, problems));
    let limit = ActiveLimit::read(load, problems);
    let spacing = ArrivalSpacing::read(load, problems);
    for (key, why_not) in [("ramp", NO_RAMP), ("ramp_down", NO_RAMP_DOWN)] {
        if let Some(ramp) = load.get(key) {
            problems.add(&ramp.place, why_not);
        }
    }
    let (rate, length, limit, spacing) = (rate?, length?, limit?, spacing?);
    let stage = RateStage {
        length,
        from: rate,
        to: rate,
    };
    let length = duration::format(length);
    Some(LoadForm {
        load: noted(Arrivals::open(&[stage], spacing), load.place, problems)?,
        written: format!("{{ rate: {rate}, for: {length}{limit}{spacing} }}"),
        max_active: limit.max_active,
    })
}

#[cfg(test)]
mod tests {
    use crate::load::testing::{profile, refused};

    #[test]
    fn bad_rates_are_told_with_their_place() {
        assert_eq!(
            refused("{ rate: 500, max_active: 0 }"),
            [
                "a.yaml:1:1: the key `for` is missing here",
                "a.yaml:1:9: `500` is not a rate; write for instance `500/s`, `30/m` or `10/h`",
                "a.yaml:1:26: expected a whole number of at least 1 and at most 10000000000, found 0",
            ]
        );
        assert_eq!(
            refused("{ rate: 5/s, for: 0s }"),
            ["a.yaml:1:19: expected a duration above zero, found `0s`"]
        );
        assert_eq!(
            refused("{ rate: 0/s, for: 1m }"),
            ["a.yaml:1:1: this load never starts a chat; some rate must be above zero"]
        );
        assert_eq!(
            refused("{ rate: 1e12/s, for: 1m }"),
            ["a.yaml:1:1: this load would start more than 10000000000 chats"]
        );
        assert_eq!(
            refused("{ rate: 1e300/s, for: 1m }"),
            ["a.yaml:1:9: `1e300/s` is too high a rate; the highest is 1000000000000/s"]
        );
        assert_eq!(
            refused("{ rate: 1e-300/s, for: 1m }"),
            ["a.yaml:1:9: `1e-300/s` is too low a rate to be told from none; write `0/s` for none"]
        );
        assert_eq!(
            refused("{ rate: -5/s, for: 1m }"),
            ["a.yaml:1:9: `-5/s` is negative; a rate is zero or more"]
        );
        assert_eq!(
            refused("{ rate: [1], for: 1m }"),
            ["a.yaml:1:9: expected a rate such as `500/s`, found a list"]
        );
    }

    #[test]
    fn arrivals_are_even_or_drawn() {
        assert_eq!(
            profile("{ rate: 5/s, for: 1m, arrivals: even }"),
            profile("{ rate: 5/s, for: 1m }")
        );
        assert!(profile("{ rate: 5/s, for: 1m, arrivals: poisson }").is_drawn());
        assert_eq!(
            refused("{ rate: 5/s, for: 1m, arrivals: poison }"),
            [
                "a.yaml:1:33: arrivals are `even` or `poisson`, not `poison`; did you mean `poisson`?"
            ]
        );
        assert_eq!(
            refused("{ chats: 5, arrivals: poisson }"),
            ["a.yaml:1:13: unknown key `arrivals`; known here: `chats`, `ramp`, `graceful_stop`"]
        );
    }

    #[test]
    fn a_ramp_of_the_rate_is_shown_as_a_stage() {
        assert_eq!(
            refused("{ rate: 5/s, for: 1m, ramp: 10s }"),
            [
                "a.yaml:1:29: `ramp` does not go with `rate`; a rate climbs in a stage: \
                 `{ for: 1m, from: 0/s, rate: 500/s }`"
            ]
        );
        assert_eq!(
            refused("{ rate: 5/s, for: 1m, ramp_down: 10s }"),
            [
                "a.yaml:1:34: `ramp_down` does not go with `rate`; a rate falls in a stage: \
                 `{ for: 1m, from: 500/s, rate: 0/s }`"
            ]
        );
    }

    #[test]
    fn open_arrivals_are_bounded_only_by_max_active() {
        let bounded = profile("{ rate: 500/s, for: 10m, max_active: 20000 }");
        assert!(bounded.is_open());
        assert_eq!(bounded.chats(), Some(300_000));
        assert_eq!(bounded.peak_active(), Some(20_000));
        assert_eq!(profile("{ rate: 500/s, for: 10m }").peak_active(), None);
    }
}
