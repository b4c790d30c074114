//! Deliveries to members of rooms in the reports of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Quantiles, add_counts,
    averages::{most, weight, weighted},
    measurements::DeliveryCounts,
    quantiles::quantile,
};
use crate::event::DeliveryFate;

/// The deliveries of a run: expected = delivered + lost + excused + open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryReport {
    /// Messages that chats published and that were tracked.
    pub messages: u64,
    /// Deliveries that were expected of them: one for each other member of the room.
    pub expected: u64,
    /// What became of deliveries: `delivered`, `lost`, `excused`; besides those that were expected `duplicate` and
    /// `untracked`.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<DeliveryFate, u64>,
    /// Expected deliveries of which it is not known yet what becomes of them.
    pub open: u64,
    /// From the publication to the arrival, of what was delivered, in seconds.
    pub latency: Quantiles,
}

/// The deliveries of a run in one second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeliverySample {
    /// Messages that were published in it and tracked.
    pub messages: u64,
    /// Deliveries that were expected of them.
    pub expected: u64,
    /// Deliveries that were settled in it, whenever they were expected, by fate.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub by_fate: BTreeMap<DeliveryFate, u64>,
    /// The median of what was delivered, in seconds.
    pub p50: Option<f64>,
    /// 95 of 100 deliveries were as quick, in seconds.
    pub p95: Option<f64>,
    /// 99 of 100 deliveries were as quick, in seconds.
    pub p99: Option<f64>,
    /// The slowest delivery, in seconds.
    pub max: Option<f64>,
}

impl DeliveryReport {
    pub(super) fn of(counts: &DeliveryCounts) -> Self {
        Self {
            messages: counts.messages,
            expected: counts.expected,
            by_fate: counts.by_fate.clone(),
            open: counts.expected.saturating_sub(counts.settled()),
            latency: Quantiles::of(&counts.latency),
        }
    }

    /// How many have this fate.
    pub fn of_fate(&self, fate: DeliveryFate) -> u64 {
        self.by_fate.get(&fate).copied().unwrap_or_default()
    }
}

impl DeliverySample {
    /// Takes in what happened next.
    pub(super) fn join(&mut self, next: &Self) {
        let median = |sample: &Self| {
            let delivered = sample.of_fate(DeliveryFate::Delivered);
            (sample.p50, weight(delivered))
        };
        self.p50 = weighted([median(self), median(next)]);
        self.p95 = most(self.p95, next.p95);
        self.p99 = most(self.p99, next.p99);
        self.max = most(self.max, next.max);
        self.messages += next.messages;
        self.expected += next.expected;
        add_counts(&mut self.by_fate, &next.by_fate);
    }

    /// How many have this fate.
    pub fn of_fate(&self, fate: DeliveryFate) -> u64 {
        self.by_fate.get(&fate).copied().unwrap_or_default()
    }

    /// `None` where nothing happened to deliveries.
    pub(super) fn of(counts: &DeliveryCounts) -> Option<Self> {
        (!counts.is_empty()).then(|| Self {
            messages: counts.messages,
            expected: counts.expected,
            by_fate: counts.by_fate.clone(),
            p50: quantile(&counts.latency, 0.5),
            p95: quantile(&counts.latency, 0.95),
            p99: quantile(&counts.latency, 0.99),
            max: quantile(&counts.latency, 1.0),
        })
    }
}
