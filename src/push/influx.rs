//! Lines of `InfluxDB`: `measurement,tag=value field=value time`.
//!
//! A series is a measurement of its name whose labels are tags, and `value` is its only field. Source:
//! <https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/>.

use std::io::Write as _;

use super::queue::PushEntry;

/// The measurement and the tags. Tags have no form for a text that is empty or ends in a backslash: labels are neither.
pub(super) fn head(name: &str, labels: &[(String, String)]) -> Vec<u8> {
    let mut head = Vec::new();
    put_escaped(&mut head, name);
    let mut sorted: Vec<_> = labels.iter().collect();
    // As the documentation asks for: it takes the database less time.
    sorted.sort_unstable();
    for (name, value) in sorted {
        head.push(b',');
        put_escaped(&mut head, name);
        head.push(b'=');
        put_escaped(&mut head, value);
    }
    head
}

/// The lines of all samples of these entries.
pub(super) fn body(entries: &[PushEntry]) -> Vec<u8> {
    let mut lines = Vec::new();
    for entry in entries {
        // There is no form for what is no number.
        for point in entry.points.iter().filter(|point| point.value.is_finite()) {
            lines.extend_from_slice(&point.head.bytes);
            // Writing to a vector cannot fail.
            let _ = writeln!(lines, " value={} {}", point.value, entry.at_ms);
        }
    }
    lines
}

fn put_escaped(to: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        if [b',', b'=', b' '].contains(&byte) {
            to.push(b'\\');
        }
        to.push(byte);
    }
}
