//! What is wrong with a text, and where.

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// In bytes, from the beginning of the text.
    pub(super) at: usize,
    pub(super) message: String,
}
