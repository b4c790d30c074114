//! Answers of the simulators: what becomes of a request on purpose, and bodies as they are read.

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    fault_shapes::RequestFate,
    request_counts::{RequestEntry, RequestOutcome},
    requests::{RequestRefusal, read},
};
use crate::{listener::Reset, units::BoundsSwapped};

/// Bytes of a request body; more is answered 413.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// A body as it came in.
pub(super) type RequestBody = Result<Bytes, BytesRejection>;

/// The body of a request, or why there is none.
pub(super) fn whole(body: RequestBody) -> Result<Bytes, RequestRefusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => RequestRefusal::TooLarge,
        _ => RequestRefusal::Malformed(rejection.body_text()),
    })
}

/// Answers one request as its fate says: carries it out or not, late or not; and counts it.
pub(super) async fn answer<K: Copy + Ord>(
    fate: RequestFate,
    entry: RequestEntry<'_, K>,
    shutdown: &CancellationToken,
    carry_out: impl Future<Output = Response>,
) -> Response {
    let response = match fate {
        RequestFate::Reset => {
            entry.close(RequestOutcome::Reset);
            let mut response = Response::default();
            response.extensions_mut().insert(Reset);
            return response;
        }
        RequestFate::Refused(status) => {
            let status =
                StatusCode::from_u16(status.into()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            RequestRefusal::Fault(status).into_response()
        }
        RequestFate::Served { late } => {
            let response = carry_out.await;
            if !late.is_zero() {
                shutdown.run_until_cancelled(sleep(late)).await;
            }
            response
        }
    };
    entry.close(RequestOutcome::Status(response.status().as_u16()));
    response
}

/// Puts the faults in a body in force, and answers with them.
pub(super) fn replace_faults<F: DeserializeOwned + Serialize + Clone>(
    body: RequestBody,
    validate: impl FnOnce(&F) -> Result<(), BoundsSwapped>,
    put: impl FnOnce(F),
) -> Response {
    let checked = whole(body).and_then(|body| {
        let faults: F = read(&body)?;
        validate(&faults).map_err(|error| RequestRefusal::Malformed(error.to_string()))?;
        Ok(faults)
    });
    match checked {
        Ok(faults) => {
            put(faults.clone());
            Json(faults).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}
