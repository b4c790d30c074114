use prometheus::{Gauge, IntCounter};

use super::{
    MetricsError,
    family::{Family, Maker},
    own::float,
};
use crate::listener::{Closed, Figures, Name};

/// What clients take of the listeners of the process.
pub(super) struct ListenerSeries([Series; Name::ALL.len()]);

struct Series {
    connections: Gauge,
    limit: Gauge,
    bytes: Gauge,
    closed: [IntCounter; Closed::ALL.len()],
    waited: IntCounter,
    dropped: IntCounter,
}

impl ListenerSeries {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        let connections: Family<Gauge> = make.gauges(
            "chatprobe_listener_connections",
            "Connections from clients that are open.",
            &["listener"],
        )?;
        let limit: Family<Gauge> = make.gauges(
            "chatprobe_listener_max_connections",
            "Connections from clients that may be open at once; 0 where nothing listens.",
            &["listener"],
        )?;
        let bytes: Family<Gauge> = make.gauges(
            "chatprobe_listener_request_bytes",
            "Bytes of requests that are not answered yet.",
            &["listener"],
        )?;
        let closed: Family<IntCounter> = make.counters(
            "chatprobe_listener_closed_total",
            "Connections that the listener closed and their clients would have kept, by reason.",
            &["listener", "reason"],
        )?;
        let waited: Family<IntCounter> = make.counters(
            "chatprobe_listener_waits_total",
            "How often a connection had to wait because there was no capacity for it, or no file.",
            &["listener"],
        )?;
        let dropped: Family<IntCounter> = make.counters(
            "chatprobe_listener_dropped_connections_total",
            "Connections that the kernel dropped because the accept queue of the listener was full.",
            &["listener"],
        )?;
        Ok(Self(Name::ALL.map(|name| {
            let name = name.as_str();
            Series {
                connections: connections.child(&[name]),
                limit: limit.child(&[name]),
                bytes: bytes.child(&[name]),
                closed: Closed::ALL.map(|why| closed.child(&[name, why.as_str()])),
                waited: waited.child(&[name]),
                dropped: dropped.child(&[name]),
            }
        })))
    }

    pub(super) fn set(&self, now: &[Figures; Name::ALL.len()]) {
        for (series, figures) in self.0.iter().zip(now) {
            series.connections.set(float(figures.connections));
            series.limit.set(float(figures.limit));
            series.bytes.set(float(figures.bytes));
            for (counter, reading) in series.closed.iter().zip(figures.closed) {
                advance(counter, reading);
            }
            advance(&series.waited, figures.waited);
            advance(&series.dropped, figures.dropped);
        }
    }
}

/// Brings a counter to a reading.
fn advance(counter: &IntCounter, reading: u64) {
    counter.inc_by(reading.saturating_sub(counter.get()));
}
