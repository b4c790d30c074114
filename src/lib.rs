//! chatprobe
pub mod document;
pub mod units;
