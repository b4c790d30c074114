//! The handshake of a socket (RFC 6455, 4.2).

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use serde::Deserialize;
use serde_json::json;

use super::{
    house::House,
    protocol::ClientFrame,
    socket::{self, ClientPlace},
};
use crate::listener::{Upgrade, Upgraded};

/// The subprotocol; clients need not offer it.
const SUBPROTOCOL: &str = "rooms";
/// What RFC 6455 has servers put behind the key.
const OF_PROTOCOL: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why there is no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum HandshakeRefusal {
    #[error(
        "this is the address of a WebSocket: the headers `upgrade` and `connection` have to ask for one"
    )]
    NotAsked,
    #[error("the header `sec-websocket-version` has to be 13")]
    Version,
    #[error("the header `sec-websocket-key` has to be 16 bytes in base64")]
    Key,
    #[error("too many open sockets; try again later")]
    Full,
    #[error("a simulated fault")]
    Fault(StatusCode),
}

impl HandshakeRefusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NotAsked | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault(status) => status,
        }
    }
}

impl IntoResponse for HandshakeRefusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "status": self.status().as_u16(), "error": self.to_string() }));
        let wanted = [
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
        ];
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            (self.status(), wanted, body).into_response()
        } else {
            (self.status(), body).into_response()
        }
    }
}

/// What may stand behind the address.
#[derive(Debug, Deserialize)]
pub(super) struct AddressQuery {
    /// The room that the client is a member of from the beginning.
    room: Option<String>,
    name: Option<String>,
}

/// Answers a handshake; the socket lives in the task of its connection. The client is taken in before it has the
/// answer, so that from then on it gets what is said.
pub(super) async fn handshake(
    State(house): State<Arc<House>>,
    Query(query): Query<AddressQuery>,
    headers: HeaderMap,
) -> Response {
    let accepted = accept(&house, &headers).and_then(|answer| {
        let place = ClientPlace::take(&house).ok_or(HandshakeRefusal::Full)?;
        Ok((answer, place))
    });
    let response = match accepted {
        Ok((answer, place)) => {
            if let Some(room) = query.room {
                house.carry_out(place.id, ClientFrame::join(room, query.name));
            }
            let mut response = (StatusCode::SWITCHING_PROTOCOLS, answer).into_response();
            let place = Mutex::new(Some(place));
            let upgrade = Upgrade::new(move |upgraded: Upgraded| {
                let place = place.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    // The listener asks once.
                    if let Some(place) = place {
                        socket::serve(place, upgraded).await;
                    }
                }
            });
            response.extensions_mut().insert(upgrade);
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    house.statistics.handshake(response.status().as_u16());
    response
}

fn accept(house: &House, headers: &HeaderMap) -> Result<HeaderMap, HandshakeRefusal> {
    if let Some(status) = house.refuses() {
        let status = StatusCode::from_u16(status.into());
        return Err(HandshakeRefusal::Fault(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        ));
    }
    if !names(headers, &header::UPGRADE, "websocket")
        || !names(headers, &header::CONNECTION, "upgrade")
    {
        return Err(HandshakeRefusal::NotAsked);
    }
    if !names(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(HandshakeRefusal::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.map(HeaderValue::as_bytes).unwrap_or_default();
    if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
        return Err(HandshakeRefusal::Key);
    }
    if house.shutdown.is_cancelled() {
        return Err(HandshakeRefusal::Full);
    }
    let mut answer = HeaderMap::new();
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(value) = HeaderValue::from_str(&accept_key(key)) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    if names(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        let chosen = HeaderValue::from_static(SUBPROTOCOL);
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    Ok(answer)
}

/// Whether one of the values of a header, separated by commas, is this one, in any case of letters.
fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut values = values.filter_map(|value| value.to_str().ok());
    values.any(|value| {
        let mut parts = value.split(',');
        parts.any(|part| part.trim().eq_ignore_ascii_case(wanted))
    })
}

/// What shows the client that its key was read.
fn accept_key(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(OF_PROTOCOL.as_bytes());
    STANDARD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_has_the_answer_of_the_standard() {
        let answer = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_header_may_name_more_than_one_thing_in_any_case() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONNECTION,
            HeaderValue::from_static("keep-alive, Upgrade"),
        );
        assert!(names(&headers, &header::CONNECTION, "upgrade"));
        assert!(!names(&headers, &header::CONNECTION, "keep"));
        assert!(!names(&headers, &header::UPGRADE, "websocket"));
    }
}
