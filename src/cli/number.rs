use std::num::NonZeroUsize;

use crate::units::seed;

/// A seed of the pauses of a run.
pub(super) fn seed_of_run(text: &str) -> Result<u64, String> {
    let seed = text.parse().ok().filter(|seed| *seed <= seed::LARGEST);
    seed.ok_or_else(|| {
        format!(
            "expected a whole number of at least 0 and at most {}",
            seed::LARGEST
        )
    })
}

/// Any seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse();
    seed.map_err(|_| {
        format!(
            "expected a whole number of at least 0 and at most {}",
            u64::MAX
        )
    })
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse();
    threads.map_err(|_| "expected a whole number of at least 1".to_owned())
}
