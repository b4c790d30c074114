//! What the headers that sign a request know of it.

use std::collections::BTreeMap;

use url::{Position, Url};

use crate::driver::HttpRequest;

/// `request`, for the headers that sign it.
pub(super) fn described(request: &HttpRequest) -> minijinja::Value {
    let url = whole_url(request);
    let part = |part: fn(&Url) -> &str| url.as_ref().map_or("", part).to_owned();
    let body = request.body.as_ref().map_or(&[][..], |body| body.bytes());
    BTreeMap::from([
        ("method", request.method.to_string()),
        ("url", part(|url| &url[..Position::AfterQuery])),
        ("path", part(Url::path)),
        ("query", part(|url| url.query().unwrap_or_default())),
        ("body", String::from_utf8_lossy(body).into_owned()),
    ])
    .into()
}

/// The address with its query, as it is asked for.
fn whole_url(request: &HttpRequest) -> Option<Url> {
    let mut url = Url::parse(&request.url).ok()?;
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    Some(url)
}
