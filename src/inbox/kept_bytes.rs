use std::{collections::HashMap, sync::Arc};

use super::Inbound;
use crate::scenario::Delivery;

/// What kept events take in memory, in bytes. A delivery that several of them share counts once.
#[derive(Debug, Default)]
pub struct KeptBytes {
    total: usize,
    /// In a box, because most scenarios keep no deliveries.
    shared: Option<Box<SharedDeliveries>>,
}

/// How many of the events share each delivery, by its address, at which it stays as long as one of them is kept.
#[derive(Debug, Default)]
struct SharedDeliveries(HashMap<usize, usize>);

impl KeptBytes {
    /// What the events take together.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Counts an event that is kept from now on. `besides`: what is kept with it.
    pub fn add(&mut self, inbound: &Inbound, besides: usize) {
        self.total += inbound.bytes + besides;
        if let Some(delivery) = &inbound.delivery
            && self.shared.get_or_insert_default().add(delivery)
        {
            self.total += delivery.bytes;
        }
    }

    /// Counts an event no longer that was added with the same `besides`.
    pub fn remove(&mut self, inbound: &Inbound, besides: usize) {
        self.total -= inbound.bytes + besides;
        if let Some(delivery) = &inbound.delivery
            && self.shared.get_or_insert_default().remove(delivery)
        {
            self.total -= delivery.bytes;
        }
    }
}

impl SharedDeliveries {
    /// Counts one more event with this delivery. Whether it is the first.
    fn add(&mut self, delivery: &Arc<Delivery>) -> bool {
        let events = self.0.entry(address(delivery)).or_default();
        *events += 1;
        *events == 1
    }

    /// Counts one event less with this delivery. Whether that was the last.
    fn remove(&mut self, delivery: &Arc<Delivery>) -> bool {
        let address = address(delivery);
        let Some(events) = self.0.get_mut(&address) else {
            return false;
        };
        *events -= 1;
        let is_last = *events == 0;
        if is_last {
            self.0.remove(&address);
        }
        is_last
    }
}

fn address(delivery: &Arc<Delivery>) -> usize {
    Arc::as_ptr(delivery).addr()
}

#[cfg(test)]
mod tests {
    use minijinja::Value;
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::scenario::InboundSource;

    fn delivery(bytes: usize) -> Arc<Delivery> {
        Arc::new(Delivery {
            method: Value::UNDEFINED,
            query: Value::UNDEFINED,
            headers: Value::UNDEFINED,
            whole: Value::UNDEFINED,
            raw_body: Value::UNDEFINED,
            bytes,
        })
    }

    proptest! {
        #[test]
        fn what_is_kept_counts_once_in_whatever_order_it_comes_and_goes(
            turns in prop::collection::vec((0..4_usize, 0..100_usize, any::<bool>()), 1..100)
        ) {
            let deliveries = [1_000, 10_000, 100_000].map(delivery);
            let mut bytes = KeptBytes::default();
            let mut kept = Vec::<(Inbound, usize)>::new();
            for (of, size, goes) in turns {
                if goes && !kept.is_empty() {
                    let (inbound, besides) = kept.swap_remove(size % kept.len());
                    bytes.remove(&inbound, besides);
                } else {
                    let inbound = Inbound {
                        arrived: Instant::now(),
                        source: InboundSource::Callback,
                        event: Value::UNDEFINED,
                        delivery: deliveries.get(of).cloned(),
                        bytes: size,
                    };
                    bytes.add(&inbound, of);
                    kept.push((inbound, of));
                }
                let own: usize = kept.iter().map(|(inbound, besides)| inbound.bytes + besides).sum();
                let shared = deliveries.iter().filter(|delivery| {
                    let mut with = kept.iter().filter_map(|(inbound, _)| inbound.delivery.as_ref());
                    with.any(|kept| Arc::ptr_eq(kept, delivery))
                });
                let shared: usize = shared.map(|delivery| delivery.bytes).sum();
                prop_assert_eq!(bytes.total(), own + shared);
            }
        }
    }
}
