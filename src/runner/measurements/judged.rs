//! What thresholds judge.

use super::DeliveryCounts;
use crate::{
    load::{Measure, Measured},
    runner::outcomes::Outcomes,
};

/// What a threshold is about, as it was measured.
#[derive(Debug, Clone, Copy)]
pub(in crate::runner) enum Judged<'a> {
    /// How chats or a step ended.
    Outcomes(&'a Outcomes),
    /// What became of deliveries.
    Deliveries(&'a DeliveryCounts),
}

impl Judged<'_> {
    /// What a measure makes of it.
    pub(in crate::runner) fn measured(self, measure: Measure) -> Measured {
        match self {
            Self::Outcomes(outcomes) => outcomes.measured(measure),
            Self::Deliveries(deliveries) => deliveries.measured(measure),
        }
    }

    /// What a measure makes of it and of what was measured later of the same.
    pub(in crate::runner) fn measured_with(self, later: Self, measure: Measure) -> Measured {
        match (self, later) {
            (Self::Outcomes(sum), Self::Outcomes(more)) => {
                let mut sum = sum.clone();
                sum.merge(more);
                sum.measured(measure)
            }
            (Self::Deliveries(sum), Self::Deliveries(more)) => {
                let mut sum = sum.clone();
                sum.merge(more);
                sum.measured(measure)
            }
            (sum, _) => sum.measured(measure),
        }
    }
}
