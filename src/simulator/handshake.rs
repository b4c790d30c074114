//! The handshake of a socket (RFC 6455, 4.2).

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;
use serde_json::json;

/// What RFC 6455 has servers put behind the key.
const OF_PROTOCOL: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why there is no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HandshakeRefusal {
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

/// The headers of the answer that switches protocols; clients need not offer the subprotocol.
pub(super) fn switch(
    headers: &HeaderMap,
    subprotocol: &'static str,
) -> Result<HeaderMap, HandshakeRefusal> {
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
    let mut answer = HeaderMap::new();
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(value) = HeaderValue::from_str(&accept_key(key)) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    if names(headers, &header::SEC_WEBSOCKET_PROTOCOL, subprotocol) {
        let chosen = HeaderValue::from_static(subprotocol);
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
