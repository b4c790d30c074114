use std::fmt;

use crate::units::Rate;

/// How much more one step of a search asks for than the last that held. Large enough to be there
/// soon; and a target is never asked for much more than what it can do.
const FACTOR: f64 = 1.5;
/// The level that held and the one that broke are close enough: they differ by some 5%. Three
/// narrowings of [`FACTOR`] come to 5.2%, of rounded levels to a little more or less.
const CLOSE: f64 = 1.055;

/// What one step of a search asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// So many starts a second.
    Rate(Rate),
    /// So many customers at any time.
    Customers(u64),
}

/// Between which levels the limit lies, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bracket {
    /// The highest that held.
    pub held: Option<Level>,
    /// The lowest that broke.
    pub broke: Option<Level>,
}

impl Level {
    /// Starts a second, or customers.
    pub fn amount(self) -> f64 {
        match self {
            Self::Rate(rate) => rate.as_per_second(),
            #[expect(clippy::cast_precision_loss, reason = "fewer customers than 2^53")]
            Self::Customers(count) => count as f64,
        }
    }

    /// What to ask for once this held and nothing broke so far; `None` at the top.
    pub(super) fn above(self, top: Self) -> Option<Self> {
        if self.amount() >= top.amount() {
            return None;
        }
        let next = self.about(self.amount() * FACTOR);
        // A last step that is hardly one is taken together with the one before it.
        let reaches = next.amount() * CLOSE >= top.amount();
        Some(if reaches { top } else { next })
    }

    /// What to ask for once this held and `broke` did not; `None` if they are close enough.
    pub(super) fn between(self, broke: Self) -> Option<Self> {
        if broke.amount() <= self.amount() * CLOSE {
            return None;
        }
        let middle = self.about((self.amount() * broke.amount()).sqrt());
        let inside = middle.amount() > self.amount() && middle.amount() < broke.amount();
        inside.then_some(middle)
    }

    /// About so much of the same, as people would say it: three digits, whole customers.
    pub(super) fn about(self, amount: f64) -> Self {
        match self {
            Self::Rate(rate) => {
                // Through text, because it is the text that is to have three digits.
                let rounded = format!("{amount:.2e}").parse().ok();
                Self::Rate(rounded.and_then(Rate::per_second).unwrap_or(rate))
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rounded, not negative, and no more than the top of the search"
            )]
            Self::Customers(_) => Self::Customers(amount.round() as u64),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Customers(1) => f.write_str("1 customer"),
            Self::Customers(count) => write!(f, "{count} customers"),
        }
    }
}
