//! A request as it goes out.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, Entry, HOST, HeaderName,
        HeaderValue, USER_AGENT,
    },
};

use super::{HttpBody, HttpRequest, failure::Cause};
use crate::driver::transport::Destination;

static AGENT: HeaderValue =
    HeaderValue::from_static(concat!("chatprobe/", env!("CARGO_PKG_VERSION")));
static ANYTHING: HeaderValue = HeaderValue::from_static("*/*");
static JSON: HeaderValue = HeaderValue::from_static("application/json");
static ZERO: HeaderValue = HeaderValue::from_static("0");
static FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// The request to the rest of a URL at this origin.
pub(super) fn prepare(
    origin: &Destination,
    path: &str,
    request: &HttpRequest,
    cookie: Option<&str>,
) -> Result<Request<Full<Bytes>>, Cause> {
    let body = request.body.as_ref().map(HttpBody::bytes).cloned();
    let body = body.unwrap_or_default();
    // RFC 9110, section 8.6. hyper says nothing about a body that is not there.
    let says_empty =
        body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
    let mut prepared = Request::new(Full::new(body));
    *prepared.method_mut() = request.method.clone();
    *prepared.uri_mut() = origin.ask(path, &request.query)?;
    let headers = prepared.headers_mut();
    for (position, (name, value)) in request.headers.iter().enumerate() {
        // Not named: a whole `name: secret` may have ended up in the name.
        let name = HeaderName::try_from(name.as_str()).map_err(|_| {
            Cause::bad_request(format!("the name of header {} is not valid", position + 1))
        })?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| {
            Cause::bad_request(format!("the value of header `{name}` is not valid"))
        })?;
        headers.append(name, value);
    }
    let mut unless_given = |name: HeaderName, value: &HeaderValue| {
        if let Entry::Vacant(entry) = headers.entry(name) {
            entry.insert(value.clone());
        }
    };
    unless_given(HOST, &origin.host);
    unless_given(USER_AGENT, &AGENT);
    unless_given(ACCEPT, &ANYTHING);
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        unless_given(COOKIE, &cookie);
    }
    if let Some(authorization) = &origin.authorization {
        unless_given(AUTHORIZATION, authorization);
    }
    match &request.body {
        Some(HttpBody::Json(_)) => unless_given(CONTENT_TYPE, &JSON),
        Some(HttpBody::Form(_)) => unless_given(CONTENT_TYPE, &FORM),
        Some(HttpBody::Text(_)) | None => {}
    }
    if says_empty {
        unless_given(CONTENT_LENGTH, &ZERO);
    }
    Ok(prepared)
}
