use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Method;
use url::{Position, Url};

use crate::scenario::Origins;

/// A request with every template rendered. It is not `Debug`: headers and body may hold credentials.
#[derive(Clone)]
pub struct HttpRequest {
    /// Any method, standard or not.
    pub method: Method,
    /// An absolute `http` or `https` URL; it may have a query of its own. URLs of scenarios have no user and
    /// password; those in a URL of the command line are sent as basic authentication.
    pub url: String,
    /// Sent as they are, repeated names included.
    pub headers: Vec<(String, String)>,
    /// Appended to the query of the URL.
    pub query: Vec<(String, String)>,
    /// What is sent after the headers.
    pub body: Option<HttpBody>,
    /// From the wait for a connection to the last byte of the answer's body, resends and redirects
    /// included.
    pub timeout: Duration,
    /// The longest body of an answer that is taken, in bytes, compressed and decompressed. `None` if nobody
    /// looks at the body: then it may be of any size, and its beginning is kept.
    pub body_limit: Option<usize>,
    /// Redirects that are followed at most.
    pub follow: usize,
    /// Servers that redirects may lead to besides the one that answers with them.
    pub redirects_to: Option<Arc<Origins>>,
}

/// The body of a request.
#[derive(Clone)]
pub enum HttpBody {
    /// Serialized JSON; its `Content-Type` is `application/json` unless a header says otherwise.
    Json(Bytes),
    /// Encoded fields; its `Content-Type` is `application/x-www-form-urlencoded` unless a header says
    /// otherwise.
    Form(Bytes),
    /// Anything else; its `Content-Type` is what the headers say, if they do.
    Text(Bytes),
}

impl HttpBody {
    /// What is sent.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Json(bytes) | Self::Form(bytes) | Self::Text(bytes) => bytes,
        }
    }
}

impl HttpRequest {
    /// The address with its query, as it is asked for.
    fn whole_url(&self) -> Option<Url> {
        let mut url = Url::parse(&self.url).ok()?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
    }

    /// `request`, for the headers that sign it.
    pub(super) fn described(&self) -> minijinja::Value {
        let url = self.whole_url();
        let part = |part: fn(&Url) -> &str| url.as_ref().map_or("", part).to_owned();
        let body = self.body.as_ref().map_or(&[][..], |body| body.bytes());
        BTreeMap::from([
            ("method", self.method.to_string()),
            ("url", part(|url| &url[..Position::AfterQuery])),
            ("path", part(Url::path)),
            ("query", part(|url| url.query().unwrap_or_default())),
            ("body", String::from_utf8_lossy(body).into_owned()),
        ])
        .into()
    }
}
