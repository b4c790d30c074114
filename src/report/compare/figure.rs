//! What is compared, and by which test.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// The mean of those that passed.
    Mean,
    /// The median of those that passed.
    P50,
    /// 95 of 100 that passed were as quick.
    P95,
    /// 99 of 100 that passed were as quick.
    P99,
    /// The share that failed.
    Failed,
    /// The share of deliveries that was lost.
    Lost,
    /// The share of the sockets that ended which the target closed.
    ClosedByTarget,
}

/// What tells a change from chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Fisher's exact test of the counts, in runs that are too short for anything else: chats are taken as independent.
    Exact,
    /// What varies within a run, by its batches; for shares Fisher's test has to agree.
    Batches,
    /// What varies within a run and from one baseline to another.
    Runs,
}

impl Figure {
    /// Those of whole chats and of steps.
    pub(super) const OF_STEPS: [Self; 5] =
        [Self::Mean, Self::P50, Self::P95, Self::P99, Self::Failed];
    /// Those of deliveries.
    pub(super) const OF_DELIVERIES: [Self; 5] =
        [Self::Mean, Self::P50, Self::P95, Self::P99, Self::Lost];

    /// Whether it is a share, and not a latency.
    pub const fn is_share(self) -> bool {
        matches!(self, Self::Failed | Self::Lost | Self::ClosedByTarget)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::ClosedByTarget => "closed by the target",
        }
    }

    /// How many have to be measured in each run: ten beyond a quantile.
    pub(super) const fn least(self) -> u64 {
        match self {
            Self::P50 | Self::Failed | Self::Lost | Self::ClosedByTarget => 20,
            Self::Mean => 30,
            Self::P95 => 200,
            Self::P99 => 1000,
        }
    }
}

impl Method {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact test",
            Self::Batches => "batches",
            Self::Runs => "runs",
        }
    }
}
