//! What a receiver said to a batch of samples.

use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use crate::driver::{HttpAnswer, HttpFailure, HttpFailureKind};

/// The longest that a receiver can ask to be left alone.
const MOST_RETRY_AFTER: Duration = Duration::from_mins(5);
/// Characters of an answer that are logged.
const MOST_TOLD: usize = 300;

static DATES: DateTimeParser = DateTimeParser::new();

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The receiver has it.
    Taken,
    /// It does not take it, whenever it is asked; why, in words.
    Refused(String),
    /// It may take it later.
    Later {
        /// Why not now, in words.
        why: String,
        /// When at the earliest, if it says so.
        after: Option<Duration>,
    },
}

impl Reply {
    pub(super) fn of(answered: Result<HttpAnswer, HttpFailure>) -> Self {
        match answered {
            Ok(answer) => Self::of_answer(&answer),
            Err(failure) => Self::of_failure(&failure),
        }
    }

    fn of_answer(answer: &HttpAnswer) -> Self {
        let status = answer.status;
        match status {
            200..=299 => Self::Taken,
            // Too late, too many and what the receiver itself calls its fault.
            408 | 425 | 429 | 500..=599 => Self::Later {
                why: format!("it answered {status}"),
                after: retry_after(&answer.headers),
            },
            _ => {
                let body = answer.body.beginning();
                let text = String::from_utf8_lossy(&body);
                let told: String = text.trim().chars().take(MOST_TOLD).collect();
                Self::Refused(format!("it answered {status}: {told}"))
            }
        }
    }

    fn of_failure(failure: &HttpFailure) -> Self {
        match failure.kind {
            // The same request would fail in the same way.
            HttpFailureKind::BadRequest
            | HttpFailureKind::AnswerTooLarge
            | HttpFailureKind::Redirect => Self::Refused(failure.to_string()),
            HttpFailureKind::Dns
            | HttpFailureKind::Connect
            | HttpFailureKind::Tls
            | HttpFailureKind::Timeout
            | HttpFailureKind::Exhausted => Self::Later {
                why: failure.to_string(),
                after: None,
            },
        }
    }
}

/// How long a receiver wants to be left alone: `Retry-After` in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let at = DATES.parse_timestamp(text).ok()?;
        let left = at.duration_since(Timestamp::now());
        Duration::try_from(left).unwrap_or_default()
    };
    Some(after.min(MOST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_in_seconds_or_by_a_date_when_it_wants_to_be_asked_again() {
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("86400"), Some(MOST_RETRY_AFTER));
        assert_eq!(after("soon"), None);
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after(&HeaderMap::new()), None);
        assert_eq!(
            after("Fri, 01 Jan 2100 00:00:00 GMT"),
            Some(MOST_RETRY_AFTER)
        );
    }
}
