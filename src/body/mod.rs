//! What was received: the body of an answer or an event as text and as JSON. No I/O.

mod json;
mod text;

pub use json::{NotJson, read_json};
pub use text::decode;
