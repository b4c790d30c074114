//! The catalogue of what is pushed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::series::{second, series, tags_of};
use crate::{
    event::{DeliveryFate, Fate, Mode, Verdict},
    push::{address::PushFormat, queue::PushEntry},
    runner::{DeliverySample, MachineSample, Sample, SocketSample, WholeSecond},
    scenario::SocketEnd,
};

const CATALOGUE: &str = include_str!("../../../docs/pushing.md");

/// Names of series and of the labels that are their own.
type Rows = BTreeMap<String, BTreeSet<String>>;

fn written() -> Rows {
    let rows = CATALOGUE.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `chatprobe_run_")?.split('|').collect();
        let name = format!("chatprobe_run_{}", cells[0].trim().trim_end_matches('`'));
        let labels = cells[2].trim().split(", ");
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        Some((name, labels.collect()))
    });
    rows.collect()
}

fn made(entries: &[PushEntry]) -> Rows {
    let mut rows = Rows::new();
    for point in entries.iter().flat_map(|entry| &entry.points) {
        let (name, tags) = tags_of(point);
        let ends = ["_bucket", "_sum", "_count"];
        let base = ends.iter().find_map(|end| name.strip_suffix(end));
        let labels = tags.iter().map(|(name, _)| name.clone());
        let labels = labels.filter(|name| name != "le").collect();
        rows.insert(base.unwrap_or(&name).to_owned(), labels);
    }
    rows
}

/// A second in which everything happened.
fn eventful() -> WholeSecond {
    let plain = second(1.0, 1);
    let sample = Sample {
        due: Some(2),
        customers: Some(3),
        received: 1,
        by_fate: [(Fate::Consumed, 1)].into(),
        sockets: Some(Box::new(SocketSample {
            opened: 1,
            closed: [(SocketEnd::Us, 1)].into(),
            ..SocketSample::default()
        })),
        deliveries: Some(Box::new(DeliverySample {
            by_fate: [(DeliveryFate::Lost, 1)].into(),
            ..DeliverySample::default()
        })),
        start_late: Some(0.1),
        sent_late: Some(0.1),
        machine: Some(MachineSample {
            cpu_wait: Some(0.1),
            host_busy: Some(0.1),
            memory_bytes: Some(1),
            files: Some(1),
            ..MachineSample::default()
        }),
        ..Sample::clone(&plain.sample)
    };
    WholeSecond {
        sample: Arc::new(sample),
        ..plain
    }
}

#[test]
fn the_catalogue_says_what_is_pushed_and_what_it_says_is_pushed() {
    let (mut series, _) = series(Mode::Burst, PushFormat::Influx);
    let mut entries = vec![series.begin()];
    entries.extend(series.add(&eventful()));
    entries.extend(series.end(Some(Verdict::Passed)));
    assert_eq!(made(&entries), written());
}
