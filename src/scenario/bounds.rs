use serde::Serialize;
use utoipa::ToSchema;

use crate::units::counted;

/// A count that may depend on what is known only in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Bounds {
    /// The least that it can be.
    pub least: u64,
    /// The most that it can be; null if nothing bounds it.
    pub most: Option<u64>,
}

impl Bounds {
    pub(super) const ZERO: Self = Self::exactly(0);

    /// A number that is known.
    pub const fn exactly(number: u64) -> Self {
        Self {
            least: number,
            most: Some(number),
        }
    }

    /// A number that is not known, and is not larger than this.
    pub(super) const fn up_to(most: Option<u64>) -> Self {
        Self { least: 0, most }
    }

    /// Whether the number is known.
    pub fn is_exact(self) -> bool {
        self.most == Some(self.least)
    }

    /// With the noun: `1 request`, `at least 7 requests`, `3 to 7 requests`, `any number of requests`.
    pub fn of(self, noun: &str) -> String {
        let Self { least, most } = self;
        match most {
            Some(most) if least == most => counted(least, noun),
            Some(most) if least == 0 => format!("up to {}", counted(most, noun)),
            Some(most) => format!("{least} to {}", counted(most, noun)),
            None if least == 0 => format!("any number of {noun}s"),
            None => format!("at least {}", counted(least, noun)),
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |(a, b): (u64, u64)| a.saturating_add(b);
        Self {
            least: sum((self.least, other.least)),
            most: self.most.zip(other.most).map(sum),
        }
    }

    /// The product of both.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let product = |(a, b): (u64, u64)| a.saturating_mul(b);
        Self {
            least: product((self.least, other.least)),
            most: match (self.most, other.most) {
                (Some(0), _) | (_, Some(0)) => Some(0),
                (a, b) => a.zip(b).map(product),
            },
        }
    }
}
