use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::latencies::Latencies;

/// Latencies in seconds; null where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Half were as quick.
    pub p50: Option<f64>,
    /// 90 of 100 were as quick.
    pub p90: Option<f64>,
    /// 95 of 100 were as quick.
    pub p95: Option<f64>,
    /// 99 of 100 were as quick.
    pub p99: Option<f64>,
    /// The slowest.
    pub max: Option<f64>,
}

impl Quantiles {
    pub(super) fn of(latencies: &Latencies) -> Self {
        if latencies.count() == 0 {
            return Self::default();
        }
        let seconds = |duration: Duration| Some(duration.as_secs_f64());
        Self {
            count: latencies.count(),
            mean: seconds(latencies.mean()),
            p50: seconds(latencies.at(0.5)),
            p90: seconds(latencies.at(0.9)),
            p95: seconds(latencies.at(0.95)),
            p99: seconds(latencies.at(0.99)),
            max: seconds(latencies.longest()),
        }
    }
}

/// The duration that this share does not exceed, in seconds; `None` of nothing.
pub(super) fn quantile(latencies: &Latencies, share: f64) -> Option<f64> {
    (latencies.count() > 0).then(|| latencies.at(share).as_secs_f64())
}
