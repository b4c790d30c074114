//! Why a step failed whose request got no answer.

use crate::{
    driver::{HttpFailure, HttpFailureKind, Remedy},
    scenario::Reason,
};

/// The reason, and the detail for people with what to write in order to have it otherwise.
pub fn explain_failure(failure: &HttpFailure) -> (Reason, String) {
    let remedy = match failure.remedy.as_deref() {
        Some(Remedy::AllowServer(server)) => format!(
            ", which neither the scenario nor the target names; to follow it, write in the target: \
             `also: [\"{server}\"]`"
        ),
        Some(Remedy::FollowMore) => ": a loop, or `follow` of the step is too low".to_owned(),
        None => String::new(),
    };
    (failure.kind.into(), format!("{}{remedy}", failure.detail))
}

impl From<HttpFailureKind> for Reason {
    fn from(kind: HttpFailureKind) -> Self {
        match kind {
            HttpFailureKind::Dns => Self::Dns,
            HttpFailureKind::Connect => Self::Connect,
            HttpFailureKind::Tls => Self::Tls,
            HttpFailureKind::Timeout => Self::Timeout,
            HttpFailureKind::BadRequest => Self::Template,
            HttpFailureKind::AnswerTooLarge => Self::Expectation,
            HttpFailureKind::Redirect => Self::Status,
            HttpFailureKind::Exhausted => Self::Internal,
        }
    }
}
