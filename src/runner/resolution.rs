//! How finely a run is kept over time: second by second for four hours; in a longer run old seconds are joined with their
//! neighbours, so that the pieces are never more.

use std::ops::Range;

/// Pieces that a run is kept in at most: four hours of seconds.
pub const MOST_PIECES: usize = 4 * 3_600;
/// Seconds that stay alone however long the run is: whoever follows it is behind by less.
const RECENT: u64 = 3_600;
/// Pieces that all older seconds become at most, so that they are joined once in some hours.
const OLD: u64 = 7_200;

/// Which neighbours become one piece, of pieces of so many seconds each, the oldest first. All pieces are in one of the
/// ranges, in their order.
pub fn joined(seconds: &[u64]) -> Vec<Range<usize>> {
    let mut recent = 0;
    let old = seconds.iter().rposition(|piece| {
        recent += piece;
        recent > RECENT
    });
    let old = old.map_or(0, |last| last + 1);
    let total: u64 = seconds[..old].iter().sum();
    // Pieces that were joined before have such a length, too, and become whole parts of the next.
    let length = total.div_ceil(OLD).next_power_of_two();
    let mut ranges = Vec::new();
    let (mut begin, mut held) = (0, 0);
    for (place, piece) in seconds[..old].iter().enumerate() {
        held += piece;
        if held >= length {
            ranges.push(begin..place + 1);
            (begin, held) = (place + 1, 0);
        }
    }
    if begin < old {
        ranges.push(begin..old);
    }
    ranges.extend((old..seconds.len()).map(|place| place..place + 1));
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_piece_is_in_one_range_and_the_last_hour_stays_alone(
            seconds in prop::collection::vec(prop_oneof![Just(1_u64), 1..40_u64], 0..9_000),
        ) {
            let ranges = joined(&seconds);
            let places: Vec<_> = ranges.iter().cloned().flatten().collect();
            prop_assert!(places.into_iter().eq(0..seconds.len()));
            let long = ranges.iter().rposition(|range| range.len() > 1);
            let behind = long.map_or(0, |place| ranges[place].end);
            let alone: u64 = seconds[behind..].iter().sum();
            prop_assert!(long.is_none() || alone + 40 >= RECENT, "{}", alone);
            let old = seconds.len() as u64 - seconds.len().min(3_600) as u64;
            prop_assert!(ranges.len() as u64 <= OLD + 1 + seconds.len().min(3_600) as u64 || old == 0);
        }
    }

    #[test]
    fn pieces_grow_with_the_run() {
        let hours = |hours: usize| {
            let mut pieces = Vec::new();
            for _ in 0..hours * 3_600 {
                pieces.extend([1]);
                if pieces.len() > MOST_PIECES {
                    let ranges = joined(&pieces);
                    let lengths = ranges.into_iter().map(|range| pieces[range].iter().sum());
                    pieces = lengths.collect();
                }
            }
            assert_eq!(pieces.iter().sum::<u64>(), hours as u64 * 3_600);
            (
                pieces.len() <= MOST_PIECES,
                pieces[0],
                *pieces.last().unwrap(),
            )
        };
        let found = [3, 4, 5, 8, 48].map(hours);
        let lengths = [1, 1, 2, 4, 32];
        assert_eq!(found, lengths.map(|oldest| (true, oldest, 1)));
    }
}
