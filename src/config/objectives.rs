use crate::{
    document::{Mapping, Node, Problems},
    event::{InTime, Objectives},
    units::Share,
};

/// Reads the objectives of a probe.
pub(super) fn read(node: &Node, problems: &Problems) -> Option<Objectives> {
    let wanted = "objectives such as `{ success: 99%, agent_join: { within: 10s } }`";
    let mut map = Mapping::open(node, wanted, problems)?;
    let mut objectives = Objectives::default();
    if let Some(node) = map.get("success") {
        objectives.success = read_share(node, problems)?;
    }
    for (key, in_time) in [
        ("agent_join", &mut objectives.agent_join),
        ("steps", &mut objectives.steps),
    ] {
        if let Some(node) = map.get(key) {
            read_in_time(node, in_time, problems);
        }
    }
    map.finish();
    Some(objectives)
}

fn read_in_time(node: &Node, in_time: &mut InTime, problems: &Problems) {
    let wanted = "what is in time, such as `{ within: 10s, share: 95% }`";
    let Some(mut map) = Mapping::open(node, wanted, problems) else {
        return;
    };
    if let Some(node) = map.get("within")
        && let Some(within) = node.duration(problems)
    {
        if within.is_zero() {
            problems.add(&node.place, "nothing is done within no time");
        }
        in_time.within = within;
    }
    if let Some(share) = map.get("share").and_then(|node| read_share(node, problems)) {
        in_time.share = share;
    }
    map.finish();
}

/// Below 100 %: what may fail is the budget that alerts watch over, and nothing can be divided by
/// a budget of nothing.
fn read_share(node: &Node, problems: &Problems) -> Option<Share> {
    let share: Share = node.parsed("a share such as `99%`", str::parse, problems)?;
    if share.as_ratio() >= 1.0 {
        problems.add(
            &node.place,
            "an objective of 100% leaves no room for a single failure; write for instance `99.9%`",
        );
        return None;
    }
    Some(share)
}
