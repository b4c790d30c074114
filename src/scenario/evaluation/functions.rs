//! What expressions can use besides what minijinja has: encodings, signatures and the time.

use std::{borrow::Cow, fmt::Write as _};

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jiff::{Timestamp, fmt::strtime};
use minijinja::{Environment, Error, ErrorKind, State, Value, value::ValueKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{
    boolean_word,
    budget::{charge_value, exceeded},
    builtin::{Builtin, builtin},
};
use crate::{
    body::read_json,
    scenario::{
        limits::{MOST_TEXT, TEXT_TOO_LONG},
        scope::MOMENT,
    },
    units::duration,
};

/// What needs no encoding anywhere in an address or a form
/// ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a part of a format makes at most, in bytes: `%255Y` has as many digits.
const WIDEST: usize = 256;

/// Reads both alphabets of base64 once the special characters are those of the second.
const EITHER_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Filters.
pub(super) const FILTERS: &[Builtin] = &[
    builtin!("base64", Items, base64),
    builtin!("base64_decode", Items, base64_decode),
    builtin!("base64url", Items, base64url),
    builtin!("hmac_sha256", Items, hmac_sha256),
    builtin!("json", Items, json),
    builtin!("seconds", Items, seconds),
    builtin!("sha256", Items, sha256),
    builtin!("urlencode", Items, urlencode),
];

/// Adds the functions.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("now", now);
    environment.add_function("uuid", uuid);
    environment.add_function("timing_safe_equal", timing_safe_equal);
}

/// Compares a signature with the expected one: how long it takes does not tell how much of it is right.
fn timing_safe_equal(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<bool, Error> {
    charge_value(state, a)?;
    Ok(match (a.as_bytes(), b.as_bytes()) {
        (Some(a), Some(b)) => a.ct_eq(b).into(),
        _ => false,
    })
}

/// `inputs.limit | seconds`: a duration as a number, to compare with `elapsed`.
fn seconds(text: &str) -> Result<f64, Error> {
    duration::parse(text)
        .map(|duration| duration.as_secs_f64())
        .map_err(|error| refused(error.to_string()))
}

/// A value as a part of an address or a form; a mapping as a whole query.
fn urlencode(value: &Value) -> Result<String, Error> {
    if value.kind() != ValueKind::Map {
        return Ok(percent_encode(&bytes(value)?, ENCODED).to_string());
    }
    let mut query = String::new();
    for name in value.try_iter()? {
        let between = if query.is_empty() { "" } else { "&" };
        let field = value.get_item(&name)?;
        // Writing to a string cannot fail.
        let _ = write!(
            query,
            "{between}{}={}",
            percent_encode(&bytes(&name)?, ENCODED),
            percent_encode(&bytes(&field)?, ENCODED)
        );
    }
    Ok(query)
}

fn base64(value: &Value) -> Result<String, Error> {
    Ok(BASE64_STANDARD.encode(bytes(value)?))
}

fn base64url(value: &Value) -> Result<String, Error> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes(value)?))
}

/// Text where it is UTF-8, else bytes, as a key may be.
fn base64_decode(text: &str) -> Result<Value, Error> {
    let special = |c| match c {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    let text: String = text.trim().chars().map(special).collect();
    let decoded = EITHER_BASE64
        .decode(text)
        .map_err(|_| refused("this is not base64".to_owned()))?;
    Ok(match String::from_utf8(decoded) {
        Ok(text) => text.into(),
        Err(error) => Value::from_bytes(error.into_bytes()),
    })
}

fn sha256(value: &Value, encoding: Option<&str>) -> Result<Value, Error> {
    let digest = digest::digest(&digest::SHA256, &bytes(value)?);
    encoded(digest.as_ref(), encoding)
}

fn hmac_sha256(value: &Value, key: &Value, encoding: Option<&str>) -> Result<Value, Error> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(key)?);
    let tag = hmac::sign(&key, &bytes(value)?);
    encoded(tag.as_ref(), encoding)
}

/// Bytes in hexadecimal digits, two a byte.
pub(in crate::scenario) fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// As signatures are written: hexadecimal if nothing else is asked for.
fn encoded(bytes: &[u8], encoding: Option<&str>) -> Result<Value, Error> {
    Ok(match encoding.unwrap_or("hex") {
        "hex" => hexadecimal(bytes).into(),
        "base64" => BASE64_STANDARD.encode(bytes).into(),
        "base64url" => BASE64_URL_SAFE_NO_PAD.encode(bytes).into(),
        "bytes" => Value::from_bytes(bytes.to_vec()),
        other => {
            return Err(refused(format!(
                "there is no encoding `{other}`; there is `hex`, `base64`, `base64url`, `bytes`"
            )));
        }
    })
}

/// The time, which does not change while a step makes its request, nor while it looks at an answer or
/// event: what is signed and what is sent are the same.
fn now(state: &State<'_, '_>, format: Option<&str>) -> Result<Value, Error> {
    let moment = state
        .lookup(MOMENT)
        .and_then(|moment| i64::try_from(moment).ok())
        .and_then(|moment| Timestamp::from_microsecond(moment).ok())
        .unwrap_or_else(Timestamp::now);
    let format = match format.unwrap_or("rfc3339") {
        "seconds" => return Ok(moment.as_second().into()),
        "milliseconds" => return Ok(moment.as_millisecond().into()),
        "rfc3339" => "%Y-%m-%dT%H:%M:%S%.3fZ",
        "http" => "%a, %d %b %Y %H:%M:%S GMT",
        format if format.contains('%') => format,
        other => {
            return Err(refused(format!(
                "there is no format `{other}`; there is `seconds`, `milliseconds`, `rfc3339`, `http`, or one such as `%Y%m%dT%H%M%SZ`"
            )));
        }
    };
    let longest = format.matches('%').count().saturating_mul(WIDEST);
    if format.len().saturating_add(longest) > MOST_TEXT {
        return Err(exceeded(TEXT_TOO_LONG));
    }
    strtime::format(format, moment)
        .map(Value::from)
        .map_err(|error| refused(error.to_string()))
}

/// Another one every time.
fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// The value of a text that is JSON; undefined for any other.
fn json(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let read = value.as_bytes().map(|bytes| read_json(bytes, None));
    let Some(Ok(read)) = read else {
        return Ok(Value::UNDEFINED);
    };
    charge_value(state, &read)?;
    Ok(read)
}

/// The bytes of a text, of bytes, or of a value's text.
fn bytes(value: &Value) -> Result<Cow<'_, [u8]>, Error> {
    if value.is_undefined() || value.is_none() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            format!("there is no text: it is {value:?}"),
        ));
    }
    Ok(match value.as_bytes() {
        Some(bytes) => bytes.into(),
        None => match boolean_word(value) {
            Some(word) => word.as_bytes().into(),
            None => value.to_string().into_bytes().into(),
        },
    })
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests;
