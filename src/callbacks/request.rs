//! A request on a callback path, and the event in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
};
use minijinja::Value;

use super::CallbackRefusal;
use crate::{
    body::{Compression, form_fields, read_json},
    scenario::{Delivery, is_confidential, note_confidential},
};

/// A request whose body has been read.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Its method, as it came.
    pub method: &'a str,
    /// What stands behind the `?` of its address.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, as it came.
    pub body: Bytes,
}

impl<'a> Request<'a> {
    /// A `POST` without a query.
    pub fn post(headers: &'a HeaderMap, body: impl Into<Bytes>) -> Self {
        Self {
            method: "POST",
            query: None,
            headers,
            body: body.into(),
        }
    }

    /// The body without its compression.
    pub(super) fn content(&self, most: usize) -> Result<Bytes, CallbackRefusal> {
        let codings = self.headers.get_all(CONTENT_ENCODING).iter();
        let compression = Compression::read(codings.map(HeaderValue::as_bytes))?;
        Ok(compression.decode(self.body.clone(), most)?)
    }

    /// What stands under confidential names in its headers, its address and its body; `content` is the body without
    /// compression.
    pub(super) fn confidential_values(&self, content: &[u8]) -> Vec<String> {
        let mut values = Vec::new();
        for (name, value) in self.headers {
            if is_confidential(name.as_str()) {
                let value = String::from_utf8_lossy(value.as_bytes());
                // Expressions see it without the scheme that may stand before it, too.
                values.extend(value.split_whitespace().next_back().map(str::to_owned));
                values.push(value.into_owned());
            }
        }
        note_confidential(self.query.unwrap_or_default(), &mut values);
        note_confidential(&String::from_utf8_lossy(content), &mut values);
        values
    }

    /// What the request says, or nothing: some centres ask with an empty request whether anybody is
    /// there. `content` is its body without compression.
    pub(super) fn event(&self, content: &[u8]) -> Result<Option<Value>, CallbackRefusal> {
        if self.method == "HEAD" {
            return Ok(None);
        }
        let query = self.query.unwrap_or_default();
        let bare = content.trim_ascii_start();
        if bare.is_empty() {
            let event = (!query.is_empty()).then(|| fields(query.as_bytes(), value_of_field));
            return Ok(event);
        }
        let content_type = self.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        if is_form(content_type) && !begins_like_json(bare) {
            return Ok(Some(fields(content, value_of_field)));
        }
        Ok(Some(read_json(content, content_type)?))
    }

    /// The request as expressions see it; `content` is its body without compression, if one of them
    /// looks at it.
    pub(super) fn as_seen(&self, event: &Value, content: Option<&[u8]>) -> Delivery {
        let raw_body = content.map_or(Value::UNDEFINED, |content| {
            match std::str::from_utf8(content) {
                Ok(text) => text.into(),
                Err(_) => Value::from_bytes(content.to_vec()),
            }
        });
        Delivery {
            method: self.method.into(),
            query: fields(self.query.unwrap_or_default().as_bytes(), Value::from),
            headers: headers(self.headers),
            whole: event.clone(),
            raw_body,
            bytes: 0,
        }
    }
}

fn is_form(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|text| text.split(';').next());
    kind.is_some_and(|kind| {
        kind.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// Some centres send JSON with the content type of a form. A byte order mark begins no form either.
fn begins_like_json(content: &[u8]) -> bool {
    let marks: [&[u8]; 5] = [b"{", b"[", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    marks.iter().any(|mark| content.starts_with(mark))
}

/// By names in lower case; of several with one name, the last.
fn headers(headers: &HeaderMap) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect::<BTreeMap<_, _>>()
        .into()
}

/// The fields of a form or a query by name; one that comes several times is a list.
fn fields(form: &[u8], value: impl Fn(String) -> Value) -> Value {
    let mut fields: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, text) in form_fields(form) {
        fields.entry(name).or_default().push(value(text));
    }
    let fields = fields.into_iter().map(|(name, mut values)| {
        let value = match (values.pop(), values.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                values.extend(last);
                values.into()
            }
        };
        (name, value)
    });
    fields.collect::<BTreeMap<_, _>>().into()
}

/// Some centres send one field that holds the event as JSON.
fn value_of_field(text: String) -> Value {
    if text.starts_with(['{', '[']) {
        read_json(text.as_bytes(), None).unwrap_or_else(|_| text.into())
    } else {
        text.into()
    }
}
