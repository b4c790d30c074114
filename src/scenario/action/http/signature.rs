//! What the headers that sign a request know of it.

use std::collections::BTreeMap;

use minijinja::Value;
use url::{Position, Url};

use crate::{
    driver::HttpRequest,
    scenario::{
        View,
        look::{VisibleName, VisibleNames},
    },
};

/// What the headers of a request look at.
pub(super) const REQUEST: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new("request", "it is known in the `headers` of an `http` step")
            .with_fields(&["method", "url", "path", "query", "body"]),
    ],
    of_chat: true,
};

/// `request`: the request that is being made, without its headers.
pub(super) struct RequestView(Value);

impl RequestView {
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self(described(request))
    }
}

impl View for RequestView {
    fn value_of(&self, name: &str) -> Option<Value> {
        (name == "request").then(|| self.0.clone())
    }

    fn describe(&self, _: &dyn Fn(&str) -> bool) -> String {
        String::new()
    }
}

fn described(request: &HttpRequest) -> Value {
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
