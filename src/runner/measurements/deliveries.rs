//! Messages published to rooms, and what became of their deliveries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::{DeliveryEvent, DeliveryFate},
    load::{Measure, Measured},
    runner::{latencies::Latencies, outcomes::add_counts},
};

/// How many deliveries there were. Of a part of a run more may have been settled than were expected.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::runner) struct DeliveryCounts {
    /// Messages that were tracked.
    pub(in crate::runner) messages: u64,
    /// Deliveries that were expected of them.
    pub(in crate::runner) expected: u64,
    pub(in crate::runner) by_fate: BTreeMap<DeliveryFate, u64>,
    /// Of what was delivered.
    pub(in crate::runner) latency: Latencies,
}

impl DeliveryCounts {
    pub(super) fn record(&mut self, event: DeliveryEvent) {
        match event {
            DeliveryEvent::Published { expected } => {
                self.messages += 1;
                self.expected += expected;
            }
            DeliveryEvent::Delivered { latency } => self.latency.record(latency),
            DeliveryEvent::Duplicate
            | DeliveryEvent::Lost(_)
            | DeliveryEvent::Excused(_)
            | DeliveryEvent::Untracked(_) => {}
        }
        if let Some((fate, count)) = event.settles() {
            *self.by_fate.entry(fate).or_default() += count;
        }
    }

    pub(in crate::runner) fn merge(&mut self, others: &Self) {
        self.messages += others.messages;
        self.expected += others.expected;
        add_counts(&mut self.by_fate, &others.by_fate);
        self.latency.merge(&others.latency);
    }

    pub(in crate::runner) fn is_empty(&self) -> bool {
        self.messages == 0 && self.by_fate.is_empty()
    }

    /// Forgets all of them and keeps the memory of the histogram.
    pub(super) fn clear(&mut self) {
        let mut latency = std::mem::take(self).latency;
        latency.clear();
        self.latency = latency;
    }

    pub(in crate::runner) fn of(&self, fate: DeliveryFate) -> u64 {
        self.by_fate.get(&fate).copied().unwrap_or_default()
    }

    /// Expected deliveries of which it is known what became of them.
    pub(in crate::runner) fn settled(&self) -> u64 {
        let expected = self.by_fate.iter().filter(|(fate, _)| fate.is_expected());
        expected.map(|(_, count)| count).sum()
    }

    /// What a measure makes of them: failed deliveries are lost ones.
    pub(in crate::runner) fn measured(&self, measure: Measure) -> Measured {
        let failed = self.of(DeliveryFate::Lost);
        let of = self.of(DeliveryFate::Delivered) + failed;
        match measure {
            Measure::Failed(_) if of > 0 => Measured::Share { failed, of },
            Measure::Latency { statistic, .. } => self.latency.measured(statistic),
            Measure::Failed(_) => Measured::Nothing,
        }
    }
}
