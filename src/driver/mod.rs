//! Drivers: what carries one step of a scenario over the wire.

mod http;

pub use http::{
    Connections, Customer, HttpAnswer, HttpClient, HttpDriver, HttpFailure, HttpFailureKind,
    HttpSetupError, MAX_ANSWER_BYTES, Sharing,
};
