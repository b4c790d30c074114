//! A request as it goes out.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};

use super::{HttpBody, HttpRequest, failure::Cause};
use crate::driver::transport::{Destination, request_headers, unless_given};

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
    *prepared.headers_mut() = request_headers(origin, &request.headers, cookie)?;
    let headers = prepared.headers_mut();
    unless_given(headers, ACCEPT, &ANYTHING);
    match &request.body {
        Some(HttpBody::Json(_)) => unless_given(headers, CONTENT_TYPE, &JSON),
        Some(HttpBody::Form(_)) => unless_given(headers, CONTENT_TYPE, &FORM),
        Some(HttpBody::Text(_)) | None => {}
    }
    if says_empty {
        unless_given(headers, CONTENT_LENGTH, &ZERO);
    }
    Ok(prepared)
}
