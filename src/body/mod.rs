//! The body of a received answer or event: decompressed, and read as text, as a form and as JSON. No I/O.

mod compression;
mod event_stream;
mod form;
mod json;
mod memory;
mod received;
mod text;

pub use compression::{Compression, CompressionError};
pub use event_stream::{EventStreamReader, EventTooLong, StreamedEvent};
pub use form::form_fields;
pub use json::{Members, NotJson, read_json};
pub use memory::bytes_in_memory;
pub use received::{KEPT_BYTES, Received, Unusable};
pub use text::decode;
