use prometheus::{Histogram, IntCounter};

use super::{
    Boundaries, MetricsError,
    family::{Family, Maker, SUBJECT},
};
use crate::event::{DeliveryEvent, DeliveryFate};

/// The metrics about what members of rooms are to receive.
pub(super) struct DeliveryFamilies {
    latency: Family<Histogram>,
    deliveries: Family<IntCounter>,
}

impl DeliveryFamilies {
    pub(super) fn new(make: &Maker<'_>, boundaries: &Boundaries) -> Result<Self, MetricsError> {
        Ok(Self {
            latency: make.histograms(
                "chatprobe_delivery_seconds",
                "From the moment at which a chat published a message to its arrival at a member of the room, of what was delivered in time.",
                SUBJECT,
                &boundaries.delivery_seconds(),
            )?,
            deliveries: make.counters(
                "chatprobe_deliveries_total",
                "Deliveries of messages to members of rooms, by disposition.",
                &["scenario", "target", "mode", "fate"],
            )?,
        })
    }

    /// Those of a subject; they begin at 0.
    pub(super) fn series(&self, subject: &[&str; 3]) -> DeliverySeries {
        let [scenario, target, mode] = *subject;
        DeliverySeries {
            latency: self.latency.child(subject),
            by_fate: DeliveryFate::ALL.map(|fate| {
                let labels = [scenario, target, mode, fate.as_str()];
                self.deliveries.child(&labels)
            }),
        }
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.latency.remove(subject);
        self.deliveries.remove(subject);
    }
}

/// The deliveries of one run.
pub(super) struct DeliverySeries {
    latency: Histogram,
    /// In the order of [`DeliveryFate::ALL`].
    by_fate: [IntCounter; DeliveryFate::ALL.len()],
}

impl DeliverySeries {
    pub(super) fn count(&self, event: DeliveryEvent) {
        if let DeliveryEvent::Delivered { latency } = event {
            self.latency.observe(latency.as_secs_f64());
        }
        if let Some((fate, count)) = event.settles() {
            self.by_fate[fate as usize].inc_by(count);
        }
    }
}
