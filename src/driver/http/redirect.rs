//! Where a redirect leads, and what of a request may go there.

use hyper::{Method, header::HeaderMap};
use url::Url;

use super::{failure::Cause, origin::unusable};
use crate::{
    plain_words,
    scenario::{
        HttpBody, HttpRequest, Origin, has_credentials, location, note_confidential, shown_address,
    },
};

/// Headers of a scenario that are sent to another server too. All others are left out there, because they may hold
/// credentials of the first server.
const HARMLESS: [&str; 9] = [
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
const OF_BODY: [&str; 4] = [
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
];

/// The request that an answer asks for instead; `None` if it asks for none, or does not say where.
pub(super) fn follow(
    request: &HttpRequest,
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
    check_server(request, status, &from, &to)?;
    let mut next = request.clone();
    next.query.clear();
    if becomes_get(status, &request.method) {
        next.method = Method::GET;
        next.body = None;
        keep_headers(&mut next, |name| !OF_BODY.contains(&name));
    }
    if same_server(&from, &to) {
        if to.username().is_empty() && to.password().is_none() {
            // Neither can fail: both addresses have a host.
            to.set_username(from.username()).ok();
            to.set_password(from.password()).ok();
        }
    } else {
        check_body(next.body.as_ref(), &from, &to)?;
        keep_headers(&mut next, |name| HARMLESS.contains(&name));
    }
    next.url = to.into();
    Ok(Some(next))
}

/// A server may send a request to itself, and elsewhere only where the scenario or the target allows it.
fn check_server(request: &HttpRequest, status: u16, from: &Url, to: &Url) -> Result<(), Cause> {
    let brings = (to.username(), to.password()) != (from.username(), from.password());
    if brings && has_credentials(to) {
        return Err(Cause::redirect(&format!(
            "answered {status} with a `location` that has a user or a password; such an address is not asked"
        )));
    }
    let allowed = (request.redirects_to.as_ref()).is_some_and(|allowed| allowed.admit(to));
    if allowed || same_server(from, to) {
        return Ok(());
    }
    let server = Origin::of(to).map_or_else(String::new, |server| server.to_string());
    Err(Cause::redirect(&format!(
        "answered {status} with a redirect to `{server}`, which neither the scenario nor the target names; to follow \
         it, write in the target: `also: [\"{server}\"]`"
    )))
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
fn check_body(body: Option<&HttpBody>, from: &Url, to: &Url) -> Result<(), Cause> {
    let Some(body) = body.map(HttpBody::bytes) else {
        return Ok(());
    };
    let why = if from.scheme() == "https" && to.scheme() == "http" {
        "the redirect would send the body without TLS"
    } else {
        let mut confidential = Vec::new();
        note_confidential(&String::from_utf8_lossy(body), &mut confidential);
        if confidential.is_empty() {
            return Ok(());
        }
        "the redirect would send a body with confidential fields to another server"
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
        "redirected more than {most} times, now to `{next}`: a loop, or `follow` of the step is too low"
    ))
}
