use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::Method;

use crate::driver::Origins;

/// A request. It is not `Debug`: headers and body may hold credentials.
#[derive(Clone)]
pub struct HttpRequest {
    /// Any method, standard or not.
    pub method: Method,
    /// An absolute `http` or `https` URL; it may have a query of its own. A user and password in it are sent as
    /// basic authentication.
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
    /// Which redirects are followed; none without it.
    pub redirects: Option<Redirects>,
    /// Whether an answer that is an event stream is handed over while it comes.
    pub streams_events: bool,
}

/// Which redirects of a request are followed.
#[derive(Clone)]
pub struct Redirects {
    /// How many at most.
    pub most: usize,
    /// Servers that they may lead to besides the one that answers with them.
    pub allowed: Arc<Origins>,
    /// Whether a body has something that only the server may see to which it was sent first.
    pub is_confidential: fn(&[u8]) -> bool,
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
