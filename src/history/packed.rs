//! Histograms in few bytes, for the seconds of a run in progress.
//!
//! Each is the number of its buckets and then, for each bucket, how many microseconds its upper bound lies
//! above that of the one before, and its count. All of these are unsigned LEB128.

use std::time::Duration;

use crate::runner::Histogram;

/// A byte with this bit is not the last one of its number.
const MORE: u8 = 0x80;

pub(super) fn pack<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for histogram in histograms {
        write(histogram.buckets().count() as u64, &mut bytes);
        let mut before = 0;
        for (bound, count) in histogram.buckets() {
            let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
            write(bound - before, &mut bytes);
            write(count, &mut bytes);
            before = bound;
        }
    }
    bytes
}

/// `None` if these are not histograms.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<Histogram>> {
    let mut histograms = Vec::new();
    while !bytes.is_empty() {
        let buckets = read(&mut bytes)?;
        let mut bound = 0_u64;
        let buckets = (0..buckets).map(|_| {
            bound = bound.checked_add(read(&mut bytes)?)?;
            Some((Duration::from_micros(bound), read(&mut bytes)?))
        });
        histograms.push(buckets.collect::<Option<_>>()?);
    }
    Some(histograms)
}

fn write(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | MORE);
    }
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.split_off_first()?;
        let part = u64::from(byte & !MORE);
        if part.leading_zeros() < shift {
            return None;
        }
        number |= part << shift;
        if byte & MORE == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram() -> impl Strategy<Value = Histogram> {
        let bound = prop_oneof![0..100_000_u64, any::<u64>()].prop_map(Duration::from_micros);
        let bucket = (
            bound,
            prop_oneof![0..5_u64, any::<u32>().prop_map(u64::from)],
        );
        prop::collection::vec(bucket, 0..50).prop_map(Histogram::from_iter)
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out_again_and_half_of_it_is_refused(
            histograms in prop::collection::vec(histogram(), 0..5), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = pack(histograms.iter());
            prop_assert_eq!(unpack(&bytes), Some(histograms.clone()));
            if !bytes.is_empty() {
                let half = unpack(&bytes[..cut.index(bytes.len())]);
                prop_assert!(half.is_none_or(|half| half.len() < histograms.len()));
            }
        }

        #[test]
        fn whatever_else_is_read_breaks_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            unpack(&bytes);
        }
    }

    #[test]
    fn a_duration_takes_four_bytes_and_less_among_others() {
        let size = |apart: u64| {
            let bounds = (1..=1_000).map(|number| Duration::from_micros(apart * number));
            let histogram = bounds.map(|bound| (bound, 1)).collect();
            pack([&histogram].into_iter()).len()
        };
        let head = 2;
        // A second and a half, ten milliseconds, and as near as they are at 100 ms.
        assert_eq!(
            [1_500_000, 10_000, 64].map(size),
            [4, 3, 2].map(|each| head + each * 1_000)
        );
    }

    #[test]
    fn a_number_without_an_end_is_none() {
        assert_eq!(read(&mut &[0xff; 20][..]), None);
        let mut bytes = Vec::new();
        write(u64::MAX, &mut bytes);
        assert_eq!(read(&mut &*bytes), Some(u64::MAX));
        *bytes.last_mut().unwrap() = 2;
        assert_eq!(read(&mut &*bytes), None, "too large");
    }
}
