//! Requests for a proxy that reads them and passes them on.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Uri,
    header::{HeaderValue, PROXY_AUTHORIZATION},
    http::uri::PathAndQuery,
};

use crate::driver::transport::Proxy;

/// How requests are written for a proxy that reads them and passes them on: with the whole address, as
/// [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112), section 3.2.2 says.
pub(super) struct Forwarding {
    server: Uri,
    authorization: Option<HeaderValue>,
}

impl Forwarding {
    pub(super) fn new(proxy: &Proxy, server: &Uri) -> Self {
        Self {
            server: server.clone(),
            authorization: proxy.authorization.clone(),
        }
    }

    pub(super) fn apply(&self, request: &mut Request<Full<Bytes>>) {
        let mut parts = self.server.clone().into_parts();
        let asked = request.uri().path_and_query().cloned();
        parts.path_and_query = asked.or_else(|| Some(PathAndQuery::from_static("/")));
        if let Ok(whole) = Uri::from_parts(parts) {
            *request.uri_mut() = whole;
        }
        if let Some(authorization) = &self.authorization {
            let headers = request.headers_mut();
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
    }
}
