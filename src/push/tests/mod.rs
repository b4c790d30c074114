mod catalogue;
mod encoding;
mod queue;
mod series;
mod settings;

use std::sync::Arc;

use super::queue::{Point, PushEntry, SeriesHead};

fn head(number: u64, bytes: Vec<u8>) -> Arc<SeriesHead> {
    Arc::new(SeriesHead { number, bytes })
}

fn entry(head: &Arc<SeriesHead>, value: f64, at_ms: u64) -> PushEntry {
    let head = head.clone();
    PushEntry::new(vec![Point { head, value }], at_ms)
}
