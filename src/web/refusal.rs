//! Whatever is not done for a client, and the one place where that becomes an answer.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Denied;
use crate::{
    document::Problem,
    history::{BaselineError, HistoryError},
    printable,
    record::MetricsError,
    runner::OrderError,
    scheduler::{BurstRefused, OrderRefused, RunRefused},
};

/// What every refused request is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "error": "the request cannot be used",
    "problems": ["request:1:12: there is no burst named `nightli`; did you mean `nightly`?"]
}))]
pub struct ErrorBody {
    /// What is wrong, and what would be right.
    pub error: String,
    /// The same in detail, each with its place where there is one: `file:line:column: ...`.
    pub problems: Vec<String>,
}

/// Why a request is not followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It cannot be read at all.
    #[error("{error}")]
    Malformed {
        error: String,
        problems: Vec<Problem>,
    },
    /// Whoever asks may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// What it is about does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The path exists and does not take this method.
    #[error("{0}")]
    Method(String),
    /// It does not go with how things stand.
    #[error("{0}")]
    Conflict(String),
    /// Its body has more bytes than this.
    #[error("the body is too large; it may have {0} bytes")]
    TooLarge(usize),
    /// Its body is of a type that is not read here.
    #[error("a body of type `{given}` is not read here; send {read}")]
    MediaType {
        given: String,
        /// Types that are.
        read: &'static str,
    },
    /// It can be read and means nothing that can be done.
    #[error("{error}")]
    Unusable {
        error: String,
        problems: Vec<Problem>,
    },
    /// Not now.
    #[error("{0}")]
    Unavailable(String),
    /// Others have taken what there is of something.
    #[error("{error}")]
    Busy {
        error: String,
        /// After which time there may be capacity.
        again: Duration,
    },
    /// The disk.
    #[error("the history cannot be read: {0}; the log and `chatprobe_history_broken` tell more")]
    Unreadable(HistoryError),
    /// One row of the history, which the log has told already.
    #[error("{0}")]
    UnreadableRow(HistoryError),
    /// The same the other way round.
    #[error("the history cannot be written: {0}; the log and `chatprobe_history_broken` tell more")]
    Unwritable(HistoryError),
    /// A bug of ours.
    #[error("this is a bug of chatprobe: {0}")]
    Internal(String),
}

impl Refusal {
    pub(super) fn malformed(error: String) -> Self {
        Self::Malformed {
            error,
            problems: Vec::new(),
        }
    }

    pub(super) fn unreadable(problem: Problem) -> Self {
        Self::Malformed {
            error: "the body is neither JSON nor YAML".to_owned(),
            problems: vec![problem],
        }
    }

    pub(super) fn unusable(problems: Vec<Problem>) -> Self {
        Self::Unusable {
            error: "the request cannot be used".to_owned(),
            problems,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Denied(denied) if denied.asks_for_token() => StatusCode::UNAUTHORIZED,
            Self::Denied(Denied::Throttled { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unusable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) | Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_)
            | Self::UnreadableRow(_)
            | Self::Unwritable(_)
            | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The body goes along as an extension: people get a page of it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let again = match &self {
            Self::Busy { again, .. } | Self::Denied(Denied::Throttled { again }) => Some(*again),
            _ => None,
        };
        let has_been_logged = matches!(self, Self::UnreadableRow(_));
        // Requests beyond the limits, which get `Retry-After`, could fill the log.
        if status.is_server_error() && again.is_none() && !has_been_logged {
            tracing::warn!("{self}");
        }
        // It quotes the request, and goes to terminals and into pages.
        let shown = |text: String| printable::lines(&text).into_owned();
        let error = shown(self.to_string());
        let problems = match self {
            Self::Malformed { problems, .. } | Self::Unusable { problems, .. } => problems,
            _ => Vec::new(),
        };
        let problems = problems.iter().map(|one| shown(one.to_string())).collect();
        let body = ErrorBody { error, problems };
        let mut response = (status, Json(&body)).into_response();
        response.extensions_mut().insert(body);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"chatprobe\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(again) = again {
            // Whole seconds; a part of one is not up yet.
            let seconds = HeaderValue::from(again.as_secs() + u64::from(again.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<BurstRefused> for Refusal {
    fn from(refused: BurstRefused) -> Self {
        match refused {
            BurstRefused::Unusable(problems) => Self::unusable(problems),
            BurstRefused::NoCapacity { .. } | BurstRefused::TooMuch(_) => {
                Self::Conflict(refused.to_string())
            }
            BurstRefused::ShuttingDown => Self::Unavailable(refused.to_string()),
        }
    }
}

impl From<RunRefused> for Refusal {
    fn from(refused: RunRefused) -> Self {
        let error = refused.to_string();
        match refused {
            RunRefused::Unknown(_) => Self::NotFound(error),
            RunRefused::Running { .. } | RunRefused::Replaced(_) => Self::Conflict(error),
            RunRefused::ShuttingDown => Self::Unavailable(error),
        }
    }
}

impl From<OrderRefused> for Refusal {
    fn from(refused: OrderRefused) -> Self {
        let error = refused.to_string();
        match refused {
            OrderRefused::NoCapacity { .. }
            | OrderRefused::Run(OrderError::Ended | OrderError::Finishing) => Self::Conflict(error),
            OrderRefused::AboveCaps(_)
            | OrderRefused::Run(
                OrderError::NoRate
                | OrderError::NoCustomers
                | OrderError::NoStarts
                | OrderError::Searching
                | OrderError::Load(_),
            ) => Self::Unusable {
                error,
                problems: Vec::new(),
            },
        }
    }
}

/// How long whoever asked a disk that hangs is asked to stay away.
const DISK_AGAIN: Duration = Duration::from_secs(10);

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Slow(_) => Self::Busy {
                error: Self::Unreadable(error).to_string(),
                again: DISK_AGAIN,
            },
            HistoryError::Row { .. } => Self::UnreadableRow(error),
            _ => Self::Unreadable(error),
        }
    }
}

impl From<BaselineError> for Refusal {
    fn from(refused: BaselineError) -> Self {
        match refused {
            BaselineError::NoRun(_) | BaselineError::NoBaseline(_) => {
                Self::NotFound(refused.to_string())
            }
            BaselineError::NotKept | BaselineError::TooMany | BaselineError::TooLarge => {
                Self::Conflict(refused.to_string())
            }
            BaselineError::Slow(_) => Self::Busy {
                error: refused.to_string(),
                again: DISK_AGAIN,
            },
            BaselineError::ShuttingDown => Self::Unavailable(refused.to_string()),
            BaselineError::History(error) => Self::Unwritable(error),
        }
    }
}

impl From<MetricsError> for Refusal {
    fn from(error: MetricsError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_read_is_said_to_be_one_and_the_disk_is_not_blamed() {
        let error = serde_json::from_str::<u64>("no JSON").unwrap_err();
        let row = HistoryError::Row {
            table: "runs",
            row: "r-1".to_owned(),
            error: Box::new(error.into()),
        };
        let refusal = Refusal::from(row);
        assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let said = refusal.to_string();
        let beginning = "this row cannot be read: `r-1` of the table `runs` of the history: ";
        assert!(said.starts_with(beginning), "{said}");
        assert!(!said.contains("chatprobe_history_broken"), "{said}");
    }
}
