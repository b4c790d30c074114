use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use bytes::Bytes;
use hyper::HeaderMap;
use minijinja::Value;

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
    body: OnceLock<Value>,
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

    /// The body as it came.
    pub fn raw_body(&self) -> &Bytes {
        &self.raw_body
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
        self.body.get_or_init(|| {
            serde_json::from_slice(&self.raw_body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&self.raw_body).into_owned().into())
        })
    }
}
