//! Where a redirect leads, and what of a request may go there.

use hyper::{
    Method,
    header::{HeaderMap, LOCATION},
};
use url::Url;

use super::{HttpBody, HttpRequest, Redirects, Remedy, failure::Cause};
use crate::{
    driver::{Origin, has_credentials, transport::unusable},
    plain_words,
};

/// Answers that ask for another request elsewhere, if they say where.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Headers of a request that are sent to another server too. All others are left out there, because they may hold
/// credentials of the first server.
const PASSED_ON_HEADERS: [&str; 9] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-type",
    "range",
    "user-agent",
];

/// Headers that describe a body.
const BODY_HEADERS: [&str; 4] = [
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
];

/// The request that an answer asks for instead; `None` if it asks for none, or does not say where.
pub(super) fn follow(
    request: &HttpRequest,
    redirects: &Redirects,
    status: u16,
    headers: &HeaderMap,
) -> Result<Option<HttpRequest>, Cause> {
    let Some(location) = location(status, headers) else {
        return Ok(None);
    };
    let from = Url::parse(&request.url).map_err(unusable)?;
    let location = String::from_utf8_lossy(location);
    let mut to = from.join(&location).map_err(|error| {
        Cause::redirect(&format!(
            "answered {status} with a `location` that is not valid: {}",
            plain_words::of_url(error)
        ))
    })?;
    if !["http", "https"].contains(&to.scheme()) || !to.has_host() {
        let scheme = to.scheme();
        return Err(Cause::redirect(&format!(
            "answered {status} with a `location` that begins with `{scheme}:`; only http and https are followed"
        )));
    }
    check_server(redirects, status, &from, &to)?;
    let mut next = request.clone();
    next.query.clear();
    if becomes_get(status, &request.method) {
        next.method = Method::GET;
        next.body = None;
        keep_headers(&mut next, |name| !BODY_HEADERS.contains(&name));
    }
    if same_server(&from, &to) {
        if to.username().is_empty() && to.password().is_none() {
            // Neither can fail: both addresses have a host.
            to.set_username(from.username()).ok();
            to.set_password(from.password()).ok();
        }
    } else {
        check_body(next.body.as_ref(), redirects, &from, &to)?;
        keep_headers(&mut next, |name| PASSED_ON_HEADERS.contains(&name));
    }
    next.url = to.into();
    Ok(Some(next))
}

/// A server may send a request to itself, and elsewhere only where that is allowed.
fn check_server(redirects: &Redirects, status: u16, from: &Url, to: &Url) -> Result<(), Cause> {
    let brings = (to.username(), to.password()) != (from.username(), from.password());
    if brings && has_credentials(to) {
        return Err(Cause::redirect(&format!(
            "answered {status} with a `location` that has a user or a password; such an address is not asked"
        )));
    }
    if redirects.allowed.admit(to) || same_server(from, to) {
        return Ok(());
    }
    let Some(server) = Origin::of(to) else {
        return Err(Cause::redirect(&format!(
            "answered {status} with a redirect to what is no server"
        )));
    };
    let detail = format!("answered {status} with a redirect to `{server}`");
    Err(Cause::redirect(&detail).with(Remedy::AllowServer(server)))
}

/// As browsers do: RFC 9110, sections 15.4.2 to 15.4.4.
fn becomes_get(status: u16, method: &Method) -> bool {
    match status {
        303 => ![Method::GET, Method::HEAD].contains(method),
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

/// Whether both addresses are of one server, which may see what is meant for it. So is one that moved
/// from `http` to `https`.
fn same_server(from: &Url, to: &Url) -> bool {
    let default_port = |url: &Url| url.port().is_none();
    let secured = from.scheme() == "http" && to.scheme() == "https";
    from.origin() == to.origin()
        || (secured && from.host() == to.host() && default_port(from) && default_port(to))
}

/// A body that stays with the request may be confidential, which headers are not asked about.
fn check_body(
    body: Option<&HttpBody>,
    redirects: &Redirects,
    from: &Url,
    to: &Url,
) -> Result<(), Cause> {
    let Some(body) = body.map(HttpBody::bytes) else {
        return Ok(());
    };
    let why = if from.scheme() == "https" && to.scheme() == "http" {
        "the redirect would send the body without TLS"
    } else if (redirects.is_confidential)(body) {
        "the redirect would send a body with confidential fields to another server"
    } else {
        return Ok(());
    };
    let to = shown_address(to.as_str());
    Err(Cause::redirect(&format!("{why}, to `{to}`")))
}

fn keep_headers(request: &mut HttpRequest, keep: impl Fn(&str) -> bool) {
    (request.headers).retain(|(name, _)| keep(&name.to_ascii_lowercase()));
}

/// Why a redirect is not followed that is one more than `most`.
pub(super) fn too_many(most: usize, next: &HttpRequest) -> Cause {
    let next = shown_address(&next.url);
    Cause::redirect(&format!(
        "redirected more than {most} times, now to `{next}`"
    ))
    .with(Remedy::FollowMore)
}

/// Where a redirect leads.
pub fn location(status: u16, headers: &HeaderMap) -> Option<&[u8]> {
    let location = headers
        .get(LOCATION)
        .filter(|_| REDIRECTS.contains(&status))?;
    Some(location.as_bytes()).filter(|location| !location.is_empty())
}

/// An address without its user, query and fragment, which may hold credentials.
pub fn shown_address(address: &str) -> String {
    let (before, cut) = address.split_at(address.find(['?', '#']).unwrap_or(address.len()));
    let begin = before.find("//").map_or(0, |slashes| slashes + 2);
    let end = before[begin..]
        .find(['/', '\\'])
        .map_or(before.len(), |slash| begin + slash);
    let host = before[begin..end]
        .rfind('@')
        .map_or(begin, |at| begin + at + 1);
    let more = if cut.is_empty() { "" } else { "?…" };
    format!("{}{}{more}", &before[..begin], &before[host..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_credentials() {
        for (address, shown) in [
            ("https://h/a?code=s3cret", "https://h/a?…"),
            ("https://h/a#s3cret", "https://h/a?…"),
            ("https://u:s3cret@h:1/a", "https://h:1/a"),
            ("https://u:s3cret@h", "https://h"),
            ("https://h?s3cret@x", "https://h?…"),
            ("//s3cret@h/a@b", "//h/a@b"),
            ("/a/b?x", "/a/b?…"),
            ("a//b@c", "a//c"),
            ("", ""),
        ] {
            assert_eq!(shown_address(address), shown);
        }
    }
}
