//! Prometheus remote write, version 1: a `WriteRequest` in protobuf, compressed with snappy.
//!
//! Its three messages are written by hand: `WriteRequest { repeated TimeSeries timeseries = 1 }`,
//! `TimeSeries { repeated Label labels = 1; repeated Sample samples = 2 }`, `Label { string name = 1; string value = 2 }`,
//! `Sample { double value = 1; int64 timestamp = 2 }`. Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>.

use std::collections::BTreeMap;

use super::queue::PushEntry;

/// The bits of the number that ends a series: what asks for its value finds none from then on.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

/// The value that ends a series.
pub(super) fn stale() -> f64 {
    f64::from_bits(STALE)
}

/// The labels of a series, as each message repeats them. The name of the metric is one of them.
pub(super) fn head(name: &str, labels: &[(String, String)]) -> Vec<u8> {
    let name = ("__name__", name);
    let labels = labels.iter().map(|(name, value)| (&**name, &**value));
    let mut sorted: Vec<_> = labels.chain([name]).collect();
    sorted.sort_unstable();
    let mut head = Vec::new();
    for (name, value) in sorted {
        let mut label = Vec::new();
        put_bytes(&mut label, 1, name.as_bytes());
        put_bytes(&mut label, 2, value.as_bytes());
        put_bytes(&mut head, 1, &label);
    }
    head
}

/// A request with all samples of these entries, those of a series in their order. An error if snappy has no
/// room for it, which needs more than 4 GiB.
pub(super) fn body(entries: &[PushEntry]) -> Result<Vec<u8>, snap::Error> {
    let mut series = BTreeMap::<u64, (&[u8], Vec<u8>)>::new();
    for entry in entries {
        for point in &entry.points {
            let head = &point.head;
            let (_, samples) = series
                .entry(head.number)
                .or_insert_with(|| (&head.bytes, Vec::new()));
            let mut sample = Vec::with_capacity(20);
            put_key(&mut sample, 1, FIXED64);
            sample.extend(point.value.to_le_bytes());
            put_key(&mut sample, 2, VARINT);
            put_varint(&mut sample, entry.at_ms);
            put_bytes(samples, 2, &sample);
        }
    }
    let mut request = Vec::new();
    for (head, samples) in series.values() {
        put_key(&mut request, 1, BYTES);
        put_varint(&mut request, (head.len() + samples.len()) as u64);
        request.extend_from_slice(head);
        request.extend_from_slice(samples);
    }
    snap::raw::Encoder::new().compress_vec(&request)
}

fn put_bytes(to: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(to, field, BYTES);
    put_varint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn put_key(to: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(to, field << 3 | wire_type);
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}
