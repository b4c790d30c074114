use std::{borrow::Cow, collections::BTreeMap, sync::OnceLock, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, header::CONTENT_TYPE};
use minijinja::Value;

use crate::{
    body::{NotJson, Received, decode, read_json},
    driver::{location, shown_address},
    scenario::{
        View,
        look::{VisibleName, VisibleNames},
    },
};

const OF_ANSWER: &str = "it is known in `expect` and `capture` of an `http` step";

/// What expressions look at that see an answer.
pub(super) const ANSWER: VisibleNames = VisibleNames {
    names: &[
        VisibleName::new("status", OF_ANSWER),
        VisibleName::new("headers", OF_ANSWER),
        VisibleName::new("headers_all", OF_ANSWER),
        VisibleName::new("body", OF_ANSWER),
        VisibleName::new("elapsed", "it is known in `expect` and `capture`"),
    ],
    of_chat: true,
};

/// What a target answered, as expressions see it. What none of them looks at is not read: most
/// answers are asked for their status only.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// From the request to the last byte of the answer.
    pub elapsed: Duration,
    raw_headers: HeaderMap,
    received: Received,
    /// What is there of the body.
    raw_body: Bytes,
    /// The addresses that redirects led to, the last of which gave this answer.
    redirects: Vec<String>,
    headers: OnceLock<Value>,
    headers_all: OnceLock<Value>,
    body: OnceLock<Result<Value, (Value, NotJson)>>,
}

impl Answer {
    /// An answer as it came.
    pub fn new(status: u16, headers: HeaderMap, body: Received, elapsed: Duration) -> Self {
        Self {
            status,
            elapsed,
            raw_headers: headers,
            raw_body: body.beginning(),
            received: body,
            redirects: Vec::new(),
            headers: OnceLock::new(),
            headers_all: OnceLock::new(),
            body: OnceLock::new(),
        }
    }

    /// The same answer after redirects to these addresses.
    #[must_use]
    pub fn after_redirects(mut self, redirects: Vec<String>) -> Self {
        self.redirects = redirects;
        self
    }

    /// The addresses that redirects led to.
    pub fn redirects(&self) -> &[String] {
        &self.redirects
    }

    /// The status for people, with where a redirect leads that was not followed and which ones were.
    pub fn describe_status(&self) -> String {
        let followed = self.redirects.last().map_or(String::new(), |last| {
            let count = self.redirects.len();
            let plural = if count == 1 { "" } else { "s" };
            format!(
                " after {count} redirect{plural}, at `{}`",
                shown_address(last)
            )
        });
        let leads = location(self.status, &self.raw_headers).map_or(String::new(), |location| {
            let location = shown_address(&String::from_utf8_lossy(location));
            format!(" (a redirect to `{location}`, not followed: a step of a scenario follows with `follow: 5`)")
        });
        format!("{}{followed}{leads}", self.status)
    }

    /// The length of the body in bytes as it was received, if only a part of it is there.
    pub fn length_of_part(&self) -> Option<u64> {
        let whole = self.received.as_whole().is_some();
        (!whole).then(|| self.received.length())
    }

    /// The headers as they came.
    pub fn raw_headers(&self) -> &HeaderMap {
        &self.raw_headers
    }

    /// What is there of the body as text; see [`decode`].
    pub fn text(&self) -> Cow<'_, str> {
        decode(&self.raw_body, self.content_type())
    }

    /// By names in lower case; of several with one name, the last.
    fn headers(&self) -> &Value {
        self.headers.get_or_init(|| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = self.raw_headers.iter();
            headers
                .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
                .collect::<BTreeMap<_, _>>()
                .into()
        })
    }

    /// By names in lower case, the values of each in the order of the answer.
    fn headers_all(&self) -> &Value {
        self.headers_all.get_or_init(|| {
            let names = self.raw_headers.keys();
            let values = |name| {
                let values = self.raw_headers.get_all(name).iter();
                let texts =
                    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                texts.collect::<Vec<_>>()
            };
            names
                .map(|name| (name.as_str().to_owned(), values(name)))
                .collect::<BTreeMap<_, _>>()
                .into()
        })
    }

    /// The whole body: JSON as its value, anything else as text.
    fn whole_body(&self) -> Option<&Value> {
        self.received.as_whole().map(|_| self.body())
    }

    /// What is there of the body, likewise.
    fn body(&self) -> &Value {
        match self.read() {
            Ok(json) => json,
            Err((text, _)) => text,
        }
    }

    /// Why the body is not JSON.
    fn not_json(&self) -> Option<&NotJson> {
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

impl View for Answer {
    fn value_of(&self, name: &str) -> Option<Value> {
        Some(match name {
            "status" => self.status.into(),
            "headers" => self.headers().clone(),
            "headers_all" => self.headers_all().clone(),
            "body" => self.whole_body()?.clone(),
            "elapsed" => self.elapsed.as_secs_f64().into(),
            _ => return None,
        })
    }

    fn describe(&self, mentions: &dyn Fn(&str) -> bool) -> String {
        let why = self.not_json().filter(|_| mentions("body"));
        let why = why.map_or(String::new(), |why| format!(", {why}"));
        let status = self.describe_status();
        let body = serde_json::to_string(self.body()).unwrap_or_default();
        format!("; answered {status}{why}: {body}")
    }

    fn why_unusable(&self, mentions: &dyn Fn(&str) -> bool) -> Option<String> {
        let why = self.received.why_unusable()?;
        if !mentions("body") {
            return None;
        }
        let hint = if why.is_too_large() {
            "; `body_limit` on the step allows more"
        } else {
            ""
        };
        Some(format!("the body of the answer: {why}{hint}"))
    }
}
