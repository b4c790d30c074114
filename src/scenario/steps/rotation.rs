//! Turns that are shared out by weights, as evenly as possible.

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Whose, from zero in the order of the weights.
    pub index: usize,
    /// How many turns the same one has had before.
    pub sequence: u64,
}

/// Whose turn comes when. It repeats after as many turns as the sum of the weights without a common divisor, so that any so
/// many turns in a row are shared out exactly.
#[derive(Debug)]
pub struct Rotation {
    /// Of one period.
    turns: Box<[PeriodTurn]>,
    /// How many turns each has in a period.
    shares: Box<[u16]>,
}

#[derive(Debug)]
struct PeriodTurn {
    index: u16,
    /// How many turns the same one has had before in the period.
    before: u16,
}

impl Rotation {
    /// The longest period.
    pub const LONGEST: u64 = 1_000;

    /// The rotation of these weights; `None` if its period is too long, or there is nobody to have a turn.
    ///
    /// Each turn goes to the one whose next turn is due first, of those who may have it already: the `k`-th turn of one with
    /// `w` of `n` turns belongs between the turns `k * n / w` (rounded down) and `(k + 1) * n / w` (rounded up), counted from
    /// zero. No share then ever differs from its exact part of the turns so far by a whole turn: Baruah and others,
    /// "Proportionate progress", Algorithmica 15 (1996).
    pub fn of(weights: &[u64]) -> Option<Self> {
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor);
        let shares: Vec<u64> = weights
            .iter()
            .map(|weight| weight / divisor.max(1))
            .collect();
        let period = shares.iter().copied().fold(0, u64::saturating_add);
        if period == 0 || period > Self::LONGEST {
            return None;
        }
        let mut had = vec![0_u64; shares.len()];
        let turns = (0..period).filter_map(|at| {
            let candidates = (0..shares.len()).filter(|index| {
                let (had, share) = (had[*index], shares[*index]);
                had < share && had * period / share <= at
            });
            let due = |index: &usize| ((had[*index] + 1) * period).div_ceil(shares[*index]);
            let index = candidates.min_by_key(due)?;
            let before = u16::try_from(had[index]).ok()?;
            had[index] += 1;
            Some(PeriodTurn {
                index: u16::try_from(index).ok()?,
                before,
            })
        });
        let turns: Box<[_]> = turns.collect();
        let shares = { shares.iter() }.map(|share| u16::try_from(*share));
        Some(Self {
            turns,
            shares: shares.collect::<Result<_, _>>().ok()?,
        })
    }

    /// Whose turn this one is, counted from zero.
    pub fn at(&self, sequence: u64) -> Turn {
        let period = self.turns.len() as u64;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "less than the period, which is at most LONGEST"
        )]
        let turn = &self.turns[(sequence % period) as usize];
        let index = usize::from(turn.index);
        let share = u64::from(self.shares[index]);
        Turn {
            index,
            sequence: (sequence / period) * share + u64::from(turn.before),
        }
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn turns(weights: &[u64], turns: u64) -> Vec<usize> {
        let rotation = Rotation::of(weights).unwrap();
        (0..turns).map(|turn| rotation.at(turn).index).collect()
    }

    #[test]
    fn turns_are_interleaved() {
        assert_eq!(turns(&[1, 2], 6), [1, 0, 1, 1, 0, 1]);
        assert_eq!(turns(&[2, 4], 3), [1, 0, 1], "as 1:2");
        assert_eq!(turns(&[3, 3], 4), [0, 1, 0, 1]);
        assert_eq!(turns(&[7], 3), [0; 3]);
    }

    #[test]
    fn a_rotation_has_a_bounded_period() {
        assert!(Rotation::of(&[1, Rotation::LONGEST - 1]).is_some());
        assert!(Rotation::of(&[Rotation::LONGEST * 3, Rotation::LONGEST * 3]).is_some());
        assert!(Rotation::of(&[1, Rotation::LONGEST]).is_none());
        assert!(Rotation::of(&[u64::MAX, u64::MAX - 1]).is_none());
        assert!(Rotation::of(&[]).is_none());
    }

    proptest! {
        #[test]
        fn every_share_is_exact_in_any_period_and_even_at_all_times(
            weights in vec(1_u64..60, 1..12),
            begin in 0_u64..10_000,
        ) {
            let rotation = Rotation::of(&weights).unwrap();
            let period = rotation.turns.len() as u64;
            let sum: u64 = weights.iter().sum();
            let mut had = vec![0_u64; weights.len()];
            for turn in 0..2 * period {
                let Turn { index, sequence } = rotation.at(turn);
                prop_assert_eq!(sequence, had[index], "turns of one are counted without a gap");
                had[index] += 1;
                for (had, weight) in had.iter().zip(&weights) {
                    // Less than one turn from the exact share.
                    let (had, exact) = (had * sum, (turn + 1) * weight);
                    prop_assert!(had.abs_diff(exact) < sum, "{weights:?}: turn {turn}");
                }
            }
            let mut had = vec![0_u64; weights.len()];
            (begin..begin + period).for_each(|turn| had[rotation.at(turn).index] += 1);
            for (had, weight) in had.iter().zip(&weights) {
                prop_assert_eq!(had * sum, weight * period);
            }
        }

        #[test]
        fn turns_of_turns_are_exact_too(
            outer in vec(1_u64..9, 1..5),
            inner in vec(1_u64..9, 1..5),
            begin in 0_u64..10_000,
        ) {
            let (around, within) = (Rotation::of(&outer).unwrap(), Rotation::of(&inner).unwrap());
            let turns = (around.turns.len() * within.turns.len()) as u64;
            for index in 0..outer.len() {
                let of_index = (begin..begin + turns).map(|turn| around.at(turn));
                let of_index = of_index.filter(|turn| turn.index == index);
                let mut had = vec![0_u64; inner.len()];
                let mut count = 0;
                for turn in of_index {
                    had[within.at(turn.sequence).index] += 1;
                    count += 1;
                }
                for (had, weight) in had.iter().zip(&inner) {
                    prop_assert_eq!(had * inner.iter().sum::<u64>(), weight * count);
                }
            }
        }
    }
}
