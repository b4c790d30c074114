use std::time::Duration;

use crate::{
    document::{Mapping, Node, Problems},
    units::Share,
};

/// What a probe holds its target to. Alerts and dashboards compare what was measured with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objectives {
    /// So many chats pass.
    pub success: Share,
    /// So many customers see an agent join in time, of all who wait for one.
    pub agent_join: InTime,
    /// So many requests are answered well in time, of all that are sent.
    pub steps: InTime,
}

/// A share that has to be fast, and what is fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InTime {
    /// At most so long is fast.
    pub within: Duration,
    /// So many have to be.
    pub share: Share,
}

impl Default for Objectives {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "these are percentages")]
        let share = |text: &str| text.parse().expect("a share");
        Self {
            success: share("99%"),
            agent_join: InTime {
                within: Duration::from_secs(15),
                share: share("95%"),
            },
            steps: InTime {
                within: Duration::from_secs(2),
                share: share("95%"),
            },
        }
    }
}

impl Objectives {
    pub(super) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        let wanted = "objectives such as `{ success: 99%, agent_join: { within: 10s } }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        let mut objectives = Self::default();
        if let Some(node) = map.get("success") {
            objectives.success = read_share(node, problems)?;
        }
        for (key, in_time) in [
            ("agent_join", &mut objectives.agent_join),
            ("steps", &mut objectives.steps),
        ] {
            if let Some(node) = map.get(key) {
                in_time.read(node, problems);
            }
        }
        map.finish();
        Some(objectives)
    }
}

impl InTime {
    fn read(&mut self, node: &Node, problems: &Problems) {
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
            self.within = within;
        }
        if let Some(share) = map.get("share").and_then(|node| read_share(node, problems)) {
            self.share = share;
        }
        map.finish();
    }
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
