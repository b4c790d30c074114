//! How large the head of an answer may be.

/// Of the head of an answer, in bytes: what hyper takes by itself.
pub(in crate::driver) const MAX_BYTES: usize = 8192 + 4096 * 100;

/// Headers of an answer. hyper has room for so many at every answer, 64 bytes each, of which it touches what it
/// uses only; with more, the allocator would fetch that room from the system every time.
pub(in crate::driver) const MAX_HEADERS: usize = 1000;
