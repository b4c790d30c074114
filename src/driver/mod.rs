//! Drivers: what carries one step of a scenario over the wire.

mod http;

pub use http::{
    HttpAnswer, HttpDriver, HttpFailure, HttpFailureKind, HttpSetupError, MAX_ANSWER_BYTES,
};
