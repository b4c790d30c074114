//! What is sent, byte by byte.

use super::{entry, head};
use crate::push::{influx, remote_write};

fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_remote_write_has_each_series_once_with_sorted_labels_and_its_samples_in_their_order() {
    let first = head(
        1,
        remote_write::head("m", &labels(&[("a", "b"), ("B", "c")])),
    );
    let second = head(2, remote_write::head("n", &[]));
    let entries = [
        entry(&first, 1.0, 300),
        entry(&second, 2.0, 300),
        entry(&first, remote_write::stale(), 301),
    ];
    let body = remote_write::body(&entries).unwrap();
    let request = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let label = |name: &str, value: &str| {
        let mut label = vec![0x0a, u8::try_from(name.len()).unwrap()];
        label.extend(name.as_bytes());
        label.extend([0x12, u8::try_from(value.len()).unwrap()]);
        label.extend(value.as_bytes());
        [vec![0x0a, u8::try_from(label.len()).unwrap()], label].concat()
    };
    let sample = |value: u64, at: [u8; 2]| {
        let value = value.to_le_bytes();
        [&[0x12, 12, 0x09][..], &value, &[0x10], &at].concat()
    };
    let one = [
        label("B", "c"),
        label("__name__", "m"),
        label("a", "b"),
        sample(1.0_f64.to_bits(), [0xac, 0x02]),
        sample(0x7ff0_0000_0000_0002, [0xad, 0x02]),
    ]
    .concat();
    let two = [
        label("__name__", "n"),
        sample(2.0_f64.to_bits(), [0xac, 0x02]),
    ]
    .concat();
    let series =
        |series: Vec<u8>| [vec![0x0a, u8::try_from(series.len()).unwrap()], series].concat();
    assert_eq!(request, [series(one), series(two)].concat());
}

#[test]
fn lines_have_sorted_tags_and_what_is_special_in_them_is_escaped() {
    let made = influx::head("m", &labels(&[("site", "a, b=c d"), ("le", "+Inf")]));
    let made = head(1, made);
    let entries = [
        entry(&made, 1.5, 1_000),
        // Which lines have no form for.
        entry(&made, remote_write::stale(), 1_500),
        entry(&made, 12_345_678_901.0, 2_000),
    ];
    let lines = String::from_utf8(influx::body(&entries)).unwrap();
    assert_eq!(
        lines,
        "m,le=+Inf,site=a\\,\\ b\\=c\\ d value=1.5 1000\n\
         m,le=+Inf,site=a\\,\\ b\\=c\\ d value=12345678901 2000\n"
    );
}
