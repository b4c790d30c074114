//! What people may see of actions that were performed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What people may see of an action that was performed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionTrace {
    /// What was sent and answered.
    #[serde(flatten)]
    pub http: HttpTrace,
    /// Events that it looked at.
    pub events: Vec<EventTrace>,
}

/// What people may see of a request and its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HttpTrace {
    /// What was sent.
    pub request: Option<RequestTrace>,
    /// How often it was sent once more, because the target closed the connection under it.
    #[serde(default)]
    pub resent: u32,
    /// How many requests the step had sent with this one, if it polls; this is the last of them.
    #[serde(default)]
    pub polled: u32,
    /// What the time of the request went into; without lookup, connect and TLS if its connection was open
    /// already.
    #[serde(default)]
    pub phases: Vec<PhaseTrace>,
    /// What was answered.
    pub answer: Option<AnswerTrace>,
}

/// A request of a failed chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestTrace {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body; null without one.
    pub body: Option<Excerpt>,
}

/// A phase of a request of a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PhaseTrace {
    /// `lookup`, `connect`, `tls` or `first_byte`.
    pub phase: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it was finished; the request failed in the other one.
    pub finished: bool,
}

/// An answer to a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerTrace {
    /// The status code.
    pub status: u16,
    /// How long it took, in seconds, from when it was asked for.
    pub seconds: f64,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The addresses that redirects led to, the last of which gave this answer.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// The body.
    pub body: Excerpt,
}

/// An event for a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventTrace {
    /// When it arrived, in seconds after the chat began; null where that is not known.
    pub arrived: Option<f64>,
    /// Whether it is what the step waited for.
    pub wanted: bool,
    /// What it says, as JSON.
    pub event: Excerpt,
}

/// The beginning of a text, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Excerpt {
    /// Up to 2 KB of it.
    pub text: String,
    /// The length of the whole, in bytes.
    pub bytes: usize,
}
