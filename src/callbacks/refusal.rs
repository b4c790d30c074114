use std::time::Duration;

use crate::body::{CompressionError, NotJson};

/// Why a request on a callback path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefusal {
    /// No run has the path.
    #[error(
        "no run has this path: it was mistyped, its run ended long ago, or the address that leads here is wrong"
    )]
    NoSuchPath,
    /// The body is neither JSON nor announced as a form.
    #[error("{0}; a form needs the content type application/x-www-form-urlencoded")]
    NotJson(#[from] NotJson),
    /// The body cannot be decompressed.
    #[error("the body cannot be read: {0}")]
    Compressed(#[from] CompressionError),
    /// `accept` does not hold.
    #[error("not accepted: the condition `accept` of the scenario does not hold")]
    NotAccepted,
    /// `accept` cannot be computed.
    #[error("not accepted: the condition `accept` of the scenario cannot be computed")]
    AcceptBroken(String),
    /// `events` cannot be computed.
    #[error("the scenario's `events` cannot be computed")]
    EventsBroken(String),
    /// The answer to a verification cannot be made.
    #[error("the scenario's answer to this verification cannot be made")]
    AnswerBroken(String),
    /// More events than one delivery may have.
    #[error("more than {0} events in one delivery")]
    TooMany(usize),
    /// A body beyond the limit.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// A body that took too long.
    #[error("the body was not complete after {0:?}")]
    TooSlow(Duration),
    /// A body that ended before its end.
    #[error("the body broke off")]
    BrokenOff,
}

impl CallbackRefusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotJson(_)
            | Self::BrokenOff
            | Self::Compressed(CompressionError::Invalid { .. }) => 400,
            Self::NotAccepted | Self::AcceptBroken(_) => 401,
            Self::NoSuchPath => 404,
            Self::TooSlow(_) => 408,
            Self::TooLarge(_)
            | Self::TooMany(_)
            | Self::Compressed(CompressionError::TooLarge { .. }) => 413,
            Self::Compressed(_) => 415,
            Self::EventsBroken(_) | Self::AnswerBroken(_) => 500,
        }
    }

    /// What is for whoever wrote the scenario and not for the sender.
    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::AcceptBroken(detail)
            | Self::EventsBroken(detail)
            | Self::AnswerBroken(detail) => Some(detail),
            _ => None,
        }
    }
}
