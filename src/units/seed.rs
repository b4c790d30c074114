//! Seeds of random numbers, each of which any JSON reader takes for the number that it is.

/// The largest one: beyond it, a reader that keeps numbers as doubles loses digits.
pub const LARGEST: u64 = (1 << 53) - 1;

/// A seed that nobody chose.
pub fn draw() -> u64 {
    fastrand::u64(..=LARGEST)
}
