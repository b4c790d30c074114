//! What a step does. A new protocol is one file here, one variant, and one driver.

mod http;
mod payload;
mod plain;
mod wait;

pub(super) use http::{AnswerLimits, read_headers};
pub use http::{HttpAction, explain_failure};
pub use payload::Payload;
pub use plain::{PlainRequest, PlainRequestError};
pub use wait::WaitAction;

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Sends a request and reads the answer.
    Http(HttpAction),
    /// Waits for an inbound event of this chat.
    WaitFor(WaitAction),
}
