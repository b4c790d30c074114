//! config
mod target;
pub use target::Target;
