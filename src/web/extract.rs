//! What handlers take out of a request, refused in our own words.

use std::fmt::Write as _;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::FormRejection},
    http::{HeaderMap, Uri, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::document::{Problems, Value, of_parameters, parse, settings};

/// The one variable in the path: a name or an id.
pub(super) struct PathName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(no_such_name(&parts.uri)),
        }
    }
}

/// The two variables in the path.
pub(super) struct TwoNames(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for TwoNames {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path((one, other))) => Ok(Self(one, other)),
            Err(_) => Err(no_such_name(&parts.uri)),
        }
    }
}

/// What is not UTF-8 when it is decoded cannot be the name of anything.
fn no_such_name(uri: &Uri) -> Refusal {
    Refusal::NotFound(format!(
        "`{}` names nothing: a name or an id in a path is UTF-8",
        uri.path()
    ))
}

/// The parameters behind the `?`.
pub(super) struct QueryParameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(Refusal::malformed(plain(&error.body_text()))),
        }
    }
}

/// A body in JSON or YAML, as text.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let media_type = media_type(request.headers());
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Refusal::malformed(plain(&error.body_text())))?;
        // Without a body its type says nothing: some clients always name one.
        if !bytes.is_empty()
            && let Some(media_type) = &media_type
            && !READ.contains(&media_type.as_str())
        {
            return Err(Refusal::MediaType {
                given: media_type.clone(),
                read: "`application/json` or `application/yaml`",
            });
        }
        let Ok(text) = String::from_utf8(bytes.into()) else {
            return Err(Refusal::malformed("the body is not UTF-8".to_owned()));
        };
        if media_type.as_deref() == Some(JSON) {
            return Ok(Self(join_surrogates(&text)));
        }
        Ok(Self(text))
    }
}

const JSON: &str = "application/json";
/// The types of bodies that are read.
const READ: [&str; 5] = [
    JSON,
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
];

/// Without parameters such as `charset`.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let value = String::from_utf8_lossy(value.as_bytes());
    let essence = value.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

/// JSON may escape a character in two halves of 16 bits, which YAML does not know: it becomes the one
/// escape that YAML has for it. Half a character stays as it is, and is refused as no text.
fn join_surrogates(json: &str) -> String {
    let mut joined = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        let length = if let Some(character) = surrogates(escape) {
            // Nothing can go wrong with text in memory.
            let _ = write!(joined, "\\U{:08X}", u32::from(character));
            12
        } else {
            // The second of two backslashes begins no escape.
            let escaped = escape.chars().nth(1);
            let length = 1 + escaped.map_or(0, char::len_utf8);
            joined.push_str(&escape[..length]);
            length
        };
        rest = &escape[length..];
    }
    joined + rest
}

/// The character whose two halves begin here, such as `\ud83d\ude00`.
fn surrogates(escape: &str) -> Option<char> {
    let half = |from: usize| {
        let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let halves = [half(0)?, half(6)?];
    char::decode_utf16(halves)
        .next()?
        .ok()
        .filter(|character| character.len_utf16() == 2)
}

impl Text {
    /// The settings in it; an empty body, or `null`, has none.
    pub(super) fn settings<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        let node = parse("request", &self.0).map_err(Refusal::unreadable)?;
        if node.value == Value::Null {
            return Ok(T::default());
        }
        let problems = Problems::default();
        let read = settings(&node, &problems);
        problems.into_result().map_err(Refusal::unusable)?;
        // Without a problem there are settings: whatever is wrong is noted.
        read.ok_or_else(|| Refusal::unusable(Vec::new()))
    }
}

/// The body of a form of ours.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let media_type = media_type(request.headers());
        match axum::Form::from_request(request, state).await {
            Ok(axum::Form(given)) => Ok(Self(given)),
            Err(FormRejection::InvalidFormContentType(_)) => Err(Refusal::MediaType {
                given: media_type.unwrap_or_default(),
                read: "`application/x-www-form-urlencoded`",
            }),
            Err(error) => Err(Refusal::malformed(plain(&error.body_text()))),
        }
    }
}

/// What the library below says of parameters, a form or a body, in our own words.
fn plain(said: &str) -> String {
    if said.starts_with("Failed to buffer") {
        return "the body could not be read to its end".to_owned();
    }
    let beginnings = [
        "Failed to deserialize query string: ",
        "Failed to deserialize form body: ",
        "Failed to deserialize form: ",
    ];
    let said = beginnings
        .iter()
        .find_map(|begin| said.strip_prefix(begin))
        .unwrap_or(said);
    of_parameters(said)
}
