//! `{ stages: [ { for: 1m, rate: 100/s }, { for: 5m, from: 100/s, rate: 400/s } ] }`: arrivals
//! whose rate changes with time.

use std::fmt;

use super::{
    ArrivalSpacing, Arrivals,
    arrivals::RateStage,
    keys::{ActiveLimit, LoadForm, noted, rate_of, some_time},
};
use crate::{
    document::{Mapping, Node, Problems},
    units::duration,
};

pub(super) fn read(
    stages: &Node,
    load: &mut Mapping<'_>,
    problems: &Problems,
) -> Option<LoadForm<Arrivals>> {
    let limit = ActiveLimit::read(load, problems);
    let spacing = ArrivalSpacing::read(load, problems);
    let wanted = "a list of stages such as `{ for: 1m, rate: 100/s }`";
    let before = problems.count();
    let list = stages.list(wanted, problems);
    if list.is_empty() && problems.count() == before {
        problems.add(&stages.place, "at least one stage is needed here");
    }
    // Every stage is read, so that every problem is found, before any bad one ends the reading.
    let stages: Vec<_> = list.iter().map(|node| stage(node, problems)).collect();
    let stages: Vec<RateStage> = stages.into_iter().collect::<Option<_>>()?;
    if stages.is_empty() {
        return None;
    }
    let (limit, spacing) = (limit?, spacing?);
    let listed: Vec<_> = stages.iter().map(ToString::to_string).collect();
    Some(LoadForm {
        load: noted(Arrivals::open(&stages, spacing), load.place, problems)?,
        written: format!("{{ stages: [ {} ]{limit}{spacing} }}", listed.join(", ")),
        max_active: limit.max_active,
    })
}

fn stage(node: &Node, problems: &Problems) -> Option<RateStage> {
    let mut mapping = Mapping::open(node, "a stage such as `{ for: 1m, rate: 100/s }`", problems)?;
    let length = mapping
        .need("for")
        .and_then(|node| some_time(node, problems));
    let to = mapping
        .need("rate")
        .and_then(|node| rate_of(node, problems));
    let from = match mapping.get("from") {
        Some(node) => rate_of(node, problems),
        None => to,
    };
    mapping.finish();
    Some(RateStage {
        length: length?,
        from: from?,
        to: to?,
    })
}

impl fmt::Display for RateStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ for: {}, ", duration::format(self.length))?;
        if self.from != self.to {
            write!(f, "from: {}, ", self.from)?;
        }
        write!(f, "rate: {} }}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use crate::load::testing::refused;

    #[test]
    fn bad_stages_are_told_all_at_once() {
        assert_eq!(
            refused(
                "{ stages: [ { for: 0s, rate: 1/s }, 5, { rat: 2/s, for: 1m } ], max_activ: 1 }"
            ),
            [
                "a.yaml:1:20: expected a duration above zero, found `0s`",
                "a.yaml:1:37: expected a stage such as `{ for: 1m, rate: 100/s }`, found a number",
                "a.yaml:1:40: the key `rate` is missing here",
                "a.yaml:1:42: unknown key `rat`; did you mean `rate`?",
                "a.yaml:1:65: unknown key `max_activ`; did you mean `max_active`?",
            ]
        );
        assert_eq!(
            refused("{ stages: [ { for: 1m, rate: 1/s, from: fast } ] }"),
            ["a.yaml:1:41: `fast` is not a rate; write for instance `500/s`, `30/m` or `10/h`"]
        );
    }

    #[test]
    fn stages_must_be_there_and_start_a_chat() {
        assert_eq!(
            refused("{ stages: [] }"),
            ["a.yaml:1:11: at least one stage is needed here"]
        );
        assert_eq!(
            refused("{ stages: 5 }"),
            [
                "a.yaml:1:11: expected a list of stages such as `{ for: 1m, rate: 100/s }`, \
                 found a number"
            ]
        );
        assert_eq!(
            refused("{ stages: [ { for: 1m, rate: 0/s }, { for: 1m, rate: 0/s } ] }"),
            ["a.yaml:1:1: this load never starts a chat; some rate must be above zero"]
        );
    }
}
