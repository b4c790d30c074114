//! A stretch of a schedule over which the rate is a straight line, in exact integers.
//!
//! Floating point would let "how many are due now" and "when is the i-th due" disagree by one. So
//! time is counted in [`Ticks`] and rates in 10⁻¹⁸ starts per second; their products are [`Parts`].

use std::time::Duration;

use super::LoadError;
use crate::units::Rate;

/// Half nanoseconds since the start of the schedule.
pub(super) type Ticks = u128;
/// Parts of a chat that have come due; [`CHAT`] of them make one.
pub(super) type Parts = u128;

/// One chat: 10¹⁸ rate units times the 2 × 10⁹ ticks of a second.
pub(super) const CHAT: Parts = 2_000_000_000 * 1_000_000_000_000_000_000;
/// Far above any real load, and low enough that no product overflows.
pub(super) const MOST_CHATS: u64 = 10_000_000_000;
const MOST: Parts = MOST_CHATS as Parts * CHAT;
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The first tick of a moment.
pub(super) fn ticks(moment: Duration) -> Ticks {
    moment.as_nanos() * 2
}

/// One stretch of a schedule. Invariant: `begins <= ends`, and both are below [`MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first tick.
    pub(super) start: Ticks,
    /// The tick after the last.
    pub(super) end: Ticks,
    /// What is due at `start`.
    begins: Parts,
    /// What is due at `end`.
    pub(super) ends: Parts,
    line: Line,
}

impl Segment {
    /// Goes from one rate to the other.
    pub(super) fn between(
        (start, end): (Ticks, Ticks),
        (from, to): (Rate, Rate),
        begins: Parts,
    ) -> Result<Self, LoadError> {
        if end > ticks(LONGEST) {
            return Err(LoadError::TooLong);
        }
        let line = Line {
            from: units(from),
            to: units(to),
            over: end - start,
        };
        let gain = line.whole().ok_or(LoadError::TooManyChats)?;
        let ends = snapped(begins + gain, gain, line.over).max(begins);
        if ends > MOST {
            return Err(LoadError::TooManyChats);
        }
        Ok(Self {
            start,
            end,
            begins,
            ends,
            line,
        })
    }

    /// Spreads `chats` evenly up to `end`; all are due at once if that is zero.
    pub(super) fn spreading(chats: u64, end: Ticks) -> Result<Self, LoadError> {
        if chats > MOST_CHATS {
            return Err(LoadError::TooManyChats);
        }
        if end > ticks(LONGEST) {
            return Err(LoadError::TooLong);
        }
        let ends = Parts::from(chats) * CHAT;
        let rate = ends.checked_div(end).unwrap_or(0);
        Ok(Self {
            start: 0,
            end,
            begins: 0,
            ends,
            line: Line::level(rate, end),
        })
    }

    /// Goes on from `start` at `rate` until `ends` is due.
    pub(super) fn reaching(
        ends: Parts,
        start: Ticks,
        rate: Rate,
        begins: Parts,
    ) -> Result<Self, LoadError> {
        let rate = units(rate);
        let over = (ends - begins)
            .checked_div(rate)
            .ok_or(LoadError::NeverEnds)?;
        let end = start.saturating_add(over);
        if end > ticks(LONGEST) {
            return Err(LoadError::TooLong);
        }
        // A schedule ends at a whole nanosecond.
        let end = end.next_multiple_of(2);
        Ok(Self {
            start,
            end,
            begins,
            ends,
            line: Line::level(rate, end - start),
        })
    }

    /// The same up to `cut`, and nothing behind it.
    pub(super) fn cut_at(self, cut: Ticks) -> Self {
        if cut >= self.end {
            return self;
        }
        Self {
            end: cut,
            ends: self.due_at(cut),
            ..self
        }
    }

    /// What is due at a tick of this segment or at its end; never falls.
    pub(super) fn due_at(&self, tick: Ticks) -> Parts {
        if tick >= self.end {
            return self.ends;
        }
        let gain = self.line.gain(tick - self.start);
        (self.begins + gain).min(self.ends)
    }

    /// The first tick at which more than `parts` is due, which must be less than `ends`.
    pub(super) fn first_above(&self, parts: Parts) -> Ticks {
        let (mut low, mut high) = (self.start, self.end);
        while low < high {
            let middle = low.midpoint(high);
            if self.due_at(middle) > parts {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The highest rate; `None` if the segment is a single moment.
    pub(super) fn peak(&self) -> Option<Rate> {
        let length = self.end - self.start;
        if length == 0 {
            return None;
        }
        rate_of(self.line.from.max(self.line.rate_at(length)))
    }

    /// The rate at a tick of this segment; `None` if the segment is a single moment.
    pub(super) fn rate_at(&self, tick: Ticks) -> Option<Rate> {
        if self.end == self.start {
            return None;
        }
        rate_of(
            self.line
                .rate_at(tick.clamp(self.start, self.end) - self.start),
        )
    }
}

/// Rate units in one start per second.
const UNITS_PER_ONE: f64 = 1e18;

/// Exact for whole rates. Saturates: a rate beyond all bounds is refused when it meets a length.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole or rounded, and never below zero"
)]
fn units(rate: Rate) -> u128 {
    let (whole, rest) = (rate.as_per_second().trunc(), rate.as_per_second().fract());
    let whole = (whole as u128).saturating_mul(UNITS_PER_ONE as u128);
    whole.saturating_add((rest * UNITS_PER_ONE).round() as u128)
}

/// The inverse of [`units`], as exact as a rate is.
fn rate_of(units: u128) -> Option<Rate> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is no more exact than this"
    )]
    Rate::per_second(units as f64 / UNITS_PER_ONE)
}

/// The whole chat that `parts` misses by no more than the inexactness of a rate: 100/m for 1m is
/// 100 chats, although 100/60 has no exact form. `gain` came up over `over` ticks.
fn snapped(parts: Parts, gain: Parts, over: Ticks) -> Parts {
    // A rate went through two roundings of 2⁻⁵³ of itself and one of half a unit.
    let tolerance = (gain >> 50) + over;
    let beyond = parts % CHAT;
    if beyond <= tolerance {
        parts - beyond
    } else if CHAT - beyond <= tolerance {
        parts + (CHAT - beyond)
    } else {
        parts
    }
}

/// A rate that goes linearly from one value to another, in rate units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    from: u128,
    to: u128,
    over: Ticks,
}

impl Line {
    fn level(rate: u128, over: Ticks) -> Self {
        Self {
            from: rate,
            to: rate,
            over,
        }
    }

    /// The gain over the whole line; `None` if the numbers on the way would overflow.
    fn whole(&self) -> Option<Parts> {
        let peak = self.from.max(self.to);
        peak.checked_mul(self.over)?.checked_mul(2)?;
        Some(self.gain(self.over))
    }

    /// What comes due in the first `at` ticks.
    fn gain(&self, at: Ticks) -> Parts {
        let Self { from, to, over } = *self;
        if from <= to {
            rise(from, to, over, at)
        } else {
            // A falling line is a rising one seen from its end; so rounding cannot make it sink.
            rise(to, from, over, over) - rise(to, from, over, over - at)
        }
    }

    fn rate_at(&self, at: Ticks) -> u128 {
        let Self { from, to, over } = *self;
        let change = from.abs_diff(to) * at / over;
        if from <= to {
            from + change
        } else {
            from - change
        }
    }
}

/// The area below a rising line, up to `at`.
fn rise(low: u128, high: u128, over: Ticks, at: Ticks) -> Parts {
    let gained = (high - low) * at / over;
    low * at + gained * at / 2
}
