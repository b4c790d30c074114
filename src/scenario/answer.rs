use std::{borrow::Cow, collections::BTreeMap, sync::OnceLock, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, header::CONTENT_TYPE};
use minijinja::Value;

use crate::body::{NotJson, decode, read_json};

/// What a target answered, as expressions see it. What none of them looks at is not read: most
/// answers are asked for their status only.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// From the request to the last byte of the answer.
    pub elapsed: Duration,
    raw_headers: HeaderMap,
    raw_body: Bytes,
    headers: OnceLock<Value>,
    body: OnceLock<Result<Value, (Value, NotJson)>>,
}

impl Answer {
    /// An answer as it came.
    pub fn new(status: u16, headers: HeaderMap, body: Bytes, elapsed: Duration) -> Self {
        Self {
            status,
            elapsed,
            raw_headers: headers,
            raw_body: body,
            headers: OnceLock::new(),
            body: OnceLock::new(),
        }
    }

    /// The headers as they came.
    pub fn raw_headers(&self) -> &HeaderMap {
        &self.raw_headers
    }

    /// The body as text; see [`decode`].
    pub fn text(&self) -> Cow<'_, str> {
        decode(&self.raw_body, self.content_type())
    }

    /// By names in lower case; of several with one name, the last.
    pub(super) fn headers(&self) -> &Value {
        self.headers.get_or_init(|| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = self.raw_headers.iter();
            headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
                .collect::<BTreeMap<_, _>>()
                .into()
        })
    }

    /// JSON as its value, anything else as text.
    pub(super) fn body(&self) -> &Value {
        match self.read() {
            Ok(json) => json,
            Err((text, _)) => text,
        }
    }

    /// Why the body is not JSON.
    pub(super) fn not_json(&self) -> Option<&NotJson> {
        self.read().as_ref().err().map(|(_, why)| why)
    }

    fn read(&self) -> &Result<Value, (Value, NotJson)> {
        self.body.get_or_init(|| {
            read_json(&self.raw_body, self.content_type()).map_err(|why| (self.text().into(), why))
        })
    }

    fn content_type(&self) -> Option<&str> {
        self.raw_headers.get(CONTENT_TYPE)?.to_str().ok()
    }
}
