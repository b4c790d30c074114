//! Headers that every request has, whatever it asks for.

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE, Entry, HOST, HeaderName, HeaderValue, USER_AGENT},
};

use super::{destination::Destination, failure::TransportFailure};

static AGENT: HeaderValue =
    HeaderValue::from_static(concat!("chatprobe/", env!("CARGO_PKG_VERSION")));

/// The headers of a request as they were written, with those that every request to this server has unless they are
/// given.
pub(in crate::driver) fn request_headers(
    origin: &Destination,
    written: &[(String, String)],
    cookie: Option<&str>,
) -> Result<HeaderMap, TransportFailure> {
    let mut headers = HeaderMap::new();
    for (position, (name, value)) in written.iter().enumerate() {
        // Not named: a whole `name: secret` may have ended up in the name.
        let name = HeaderName::try_from(name.as_str()).map_err(|_| {
            TransportFailure::bad_request(format!(
                "the name of header {} is not valid",
                position + 1
            ))
        })?;
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| {
            TransportFailure::bad_request(format!("the value of header `{name}` is not valid"))
        })?;
        headers.append(name, value);
    }
    unless_given(&mut headers, HOST, &origin.host);
    unless_given(&mut headers, USER_AGENT, &AGENT);
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        unless_given(&mut headers, COOKIE, &cookie);
    }
    if let Some(authorization) = &origin.authorization {
        unless_given(&mut headers, AUTHORIZATION, authorization);
    }
    Ok(headers)
}

/// Adds a header that is not there.
pub(in crate::driver) fn unless_given(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: &HeaderValue,
) {
    if let Entry::Vacant(entry) = headers.entry(name) {
        entry.insert(value.clone());
    }
}
