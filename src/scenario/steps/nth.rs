use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One of several, such as the second branch of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nth {
    /// Which, from one.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Nth {
    /// The one at an index from zero.
    pub(super) fn of(index: usize, of: usize) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            number: count(index).saturating_add(1),
            of: count(of),
        }
    }
}
