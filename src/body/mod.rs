//! The body of a received answer or event: decompressed, and read as text and as JSON. No I/O.

mod compression;
mod json;
mod text;

pub use compression::{Compression, CompressionError};
pub use json::{NotJson, read_json};
pub use text::decode;
