//! The request that opens a socket, and what a valid answer to it is: RFC 6455, section 4.1.

use std::{borrow::Cow, collections::HashSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    HeaderMap, Request,
    header::{
        CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::opening::Opening;
use crate::driver::transport::{Destination, TransportFailure, request_headers};

/// What is joined to the key of a request and hashed, so that nobody answers by accident: RFC 6455, section 1.3.
const SUFFIX_OF_KEY: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Headers that the handshake sets itself.
const OWN: [HeaderName; 8] = [
    CONNECTION,
    UPGRADE,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_EXTENSIONS,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
];

/// What a valid answer to a request has.
pub(super) struct ExpectedAnswer<'a> {
    /// Its `Sec-WebSocket-Accept`.
    accept: String,
    /// Its subprotocol, if it has any, is one of these.
    protocols: &'a [String],
}

/// The request that opens a socket, and what a valid answer to it has.
pub(super) fn prepare<'a>(
    destination: &Destination,
    opening: &'a Opening,
) -> Result<(Request<Empty<Bytes>>, ExpectedAnswer<'a>), TransportFailure> {
    let key = BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes());
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = destination.ask(&opening.url, &[])?;
    let cookies = opening.cookies.as_ref();
    let cookie = cookies.and_then(|cookies| cookies.header(&as_http(&opening.url)));
    let mut headers = request_headers(destination, &opening.headers, cookie.as_deref())?;
    if let Some(own) = OWN.iter().find(|own| headers.contains_key(*own)) {
        return Err(TransportFailure::bad_request(format!(
            "the header `{own}` is a part of the handshake, and cannot be given"
        )));
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let accept = accept_of(&key);
    let key = HeaderValue::try_from(key);
    headers.insert(
        SEC_WEBSOCKET_KEY,
        key.map_err(|_| invalid_header(&SEC_WEBSOCKET_KEY))?,
    );
    if let Some(protocols) = offered(&opening.protocols)? {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    *request.headers_mut() = headers;
    let protocols = &opening.protocols;
    Ok((request, ExpectedAnswer { accept, protocols }))
}

impl ExpectedAnswer<'_> {
    /// The subprotocol of an answer with status 101, or why that is not valid.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Option<String>, &'static str> {
        if !has_token(headers, &UPGRADE, "websocket") {
            return Err("the answer is 101 without `Upgrade: websocket`");
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err("the answer is 101 without `Connection: Upgrade`");
        }
        let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
        let Some(accept) = accept else {
            return Err("the answer has no `Sec-WebSocket-Accept`");
        };
        if accept.as_bytes().trim_ascii() != self.accept.as_bytes() {
            return Err("the answer has a `Sec-WebSocket-Accept` that is not that of the request");
        }
        let extensions = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        if extensions.iter().any(|extension| !extension.is_empty()) {
            return Err("the answer chooses an extension, and none was offered");
        }
        let mut chosen = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let (protocol, more) = (chosen.next(), chosen.next());
        let Some(protocol) = protocol else {
            return Ok(None);
        };
        let protocol = protocol.to_str().unwrap_or_default().trim();
        if more.is_some() || !self.protocols.iter().any(|offered| offered == protocol) {
            return Err("the answer chooses a subprotocol that was not offered");
        }
        Ok(Some(protocol.to_owned()))
    }
}

/// The address as cookies know it: they are the same for sockets and requests.
pub(super) fn as_http(url: &str) -> Cow<'_, str> {
    match url.split_at_checked(2) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => {
            Cow::Owned(format!("http{rest}"))
        }
        _ => Cow::Borrowed(url),
    }
}

fn accept_of(key: &str) -> String {
    let joined = format!("{key}{SUFFIX_OF_KEY}");
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, joined.as_bytes());
    BASE64_STANDARD.encode(hash)
}

/// The subprotocols in one header.
fn offered(protocols: &[String]) -> Result<Option<HeaderValue>, TransportFailure> {
    let mut known = HashSet::new();
    for (at, protocol) in protocols.iter().enumerate() {
        // Not named: a template may have made a secret of it.
        if !is_token(protocol) {
            return Err(TransportFailure::bad_request(format!(
                "subprotocol {} is not a word of letters, digits and the signs of tokens",
                at + 1
            )));
        }
        if !known.insert(protocol) {
            return Err(TransportFailure::bad_request(format!(
                "subprotocol {} is offered twice",
                at + 1
            )));
        }
    }
    if protocols.is_empty() {
        return Ok(None);
    }
    let joined = HeaderValue::try_from(protocols.join(", "));
    joined
        .map(Some)
        .map_err(|_| invalid_header(&SEC_WEBSOCKET_PROTOCOL))
}

fn invalid_header(name: &HeaderName) -> TransportFailure {
    TransportFailure::bad_request(format!("the value of header `{name}` is not valid"))
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let sign = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || sign(byte))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|known| known.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_accepted_as_the_standard_says() {
        // RFC 6455, section 1.3.
        assert_eq!(
            accept_of("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn sockets_and_requests_have_the_same_cookies() {
        for (url, as_cookies_know_it) in [
            ("ws://h/a", "http://h/a"),
            ("WSS://h:1/a", "httpS://h:1/a"),
            ("https://h/a", "https://h/a"),
            ("", ""),
        ] {
            assert_eq!(as_http(url), as_cookies_know_it);
        }
    }

    #[test]
    fn subprotocols_are_tokens_and_offered_once() {
        let offer = |protocols: &[&str]| {
            let protocols: Vec<_> = protocols.iter().copied().map(str::to_owned).collect();
            offered(&protocols)
        };
        assert_eq!(offer(&[]).unwrap(), None);
        assert_eq!(offer(&["xmpp"]).unwrap().unwrap(), "xmpp");
        let two = ["v12.stomp", "v11.stomp"];
        assert_eq!(offer(&two).unwrap().unwrap(), "v12.stomp, v11.stomp");
        for wrong in [&["a b"][..], &[""], &["a,b"], &["a", "a"], &["ü"]] {
            assert!(offer(wrong).is_err(), "{wrong:?}");
        }
    }
}
