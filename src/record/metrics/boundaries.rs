use std::time::Duration;

/// Thresholds that become bucket boundaries, so that the share on either side of them is exact.
/// They add to the standard ones, and are fixed for the life of the process: histograms whose
/// boundaries change cannot be compared with themselves.
#[derive(Debug, Clone, Default)]
pub struct Boundaries {
    /// For the wait for an agent.
    pub agent_join: Vec<Duration>,
    /// For the steps.
    pub step: Vec<Duration>,
    /// For whole chats.
    pub chat: Vec<Duration>,
    /// For deliveries.
    pub delivery: Vec<Duration>,
}

// In milliseconds, but for lateness.
const AGENT_JOIN: &[u64] = &[
    500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000,
    180_000, 300_000,
];
const STEP: &[u64] = &[
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000,
];
const CHAT: &[u64] = &[
    100, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000,
    180_000, 300_000, 600_000,
];

const DELIVERY: &[u64] = &[
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
];

/// How late chats start and the runtime wakes, in seconds: a millisecond is a timer's own grain.
pub(super) const LATENESS_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// The phases of a request, in seconds.
pub(super) const PHASE_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// What a histogram has besides its boundaries: the bucket without an end, the sum and the count.
pub(super) const BESIDES_BOUNDARIES: usize = 3;

impl Boundaries {
    /// In seconds.
    pub(super) fn agent_join_seconds(&self) -> Vec<f64> {
        merge(AGENT_JOIN, &self.agent_join)
    }

    /// For the steps, in seconds.
    pub fn step_seconds(&self) -> Vec<f64> {
        merge(STEP, &self.step)
    }

    /// For whole chats, in seconds.
    pub fn chat_seconds(&self) -> Vec<f64> {
        merge(CHAT, &self.chat)
    }

    /// In seconds.
    pub(super) fn delivery_seconds(&self) -> Vec<f64> {
        merge(DELIVERY, &self.delivery)
    }
}

fn merge(standard: &[u64], thresholds: &[Duration]) -> Vec<f64> {
    let mut all: Vec<Duration> = standard
        .iter()
        .copied()
        .map(Duration::from_millis)
        .collect();
    // Nothing takes no time, so a bucket that ends at zero would stay empty.
    all.extend(thresholds.iter().filter(|threshold| !threshold.is_zero()));
    all.sort_unstable();
    all.dedup();
    all.iter().map(Duration::as_secs_f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_join_the_standard_boundaries_in_order_and_once() {
        let boundaries = Boundaries {
            agent_join: [7, 20, 0, 7, 600].map(Duration::from_secs).to_vec(),
            ..Boundaries::default()
        };
        assert_eq!(
            boundaries.agent_join_seconds(),
            [
                0.5, 1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0,
                300.0, 600.0
            ]
        );
        assert_eq!(boundaries.step_seconds().first(), Some(&0.001));
        assert_eq!(boundaries.step_seconds().last(), Some(&30.0));
    }
}
