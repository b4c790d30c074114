//! Why a step failed whose request got no answer.

use crate::{
    driver::{HttpFailure, HttpFailureKind, Remedy},
    scenario::Reason,
};

/// The reason, and the detail for people with what to write in order to have it otherwise.
pub(super) fn explain_failure(failure: &HttpFailure) -> (Reason, String) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::driver::{Origin, Phases};

    #[test]
    fn a_redirect_that_is_not_followed_says_what_to_write() {
        let explained = |remedy| {
            explain_failure(&HttpFailure {
                kind: HttpFailureKind::Redirect,
                detail: "h:80: answered 302".to_owned(),
                sent_at: Instant::now(),
                waited: Duration::ZERO,
                phases: Phases::default(),
                certificate_expires: None,
                remedy,
            })
        };
        let server = Origin::read("https://files.example.com").unwrap();
        let (reason, detail) = explained(Some(Box::new(Remedy::AllowServer(server))));
        assert_eq!(reason, Reason::Status);
        assert!(detail.starts_with("h:80: answered 302, "), "{detail}");
        assert!(
            detail.contains("`also: [\"https://files.example.com\"]`"),
            "{detail}"
        );
        let (_, detail) = explained(Some(Box::new(Remedy::FollowMore)));
        assert!(detail.contains("`follow`"), "{detail}");
        assert_eq!(explained(None).1, "h:80: answered 302");
    }
}
