use std::time::Duration;

use crate::units::Share;

/// The objectives of a probe, with which alerts and dashboards compare what was measured.
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
