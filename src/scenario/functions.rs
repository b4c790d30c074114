//! What expressions can use besides what minijinja has: encodings, signatures and the time.

use std::{borrow::Cow, fmt::Write as _};

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jiff::{Timestamp, fmt::strtime};
use minijinja::{
    Environment, Error, ErrorKind, State, Value, filters, tests as checks,
    value::{Kwargs, StringInput, ValueKind},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use ring::{digest, hmac};

use super::{expression::boolean_word, limits::MOST_TEXT};
use crate::units::duration;

/// The variable that holds the moment of [`now`] in microseconds; nobody can write its name.
pub(super) const MOMENT: &str = " now";

/// What needs no encoding anywhere in an address or a form
/// ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986), section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Reads both alphabets of base64 once the special characters are those of the second.
const EITHER_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Adds all of it.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("seconds", seconds);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("base64", base64);
    environment.add_filter("base64url", base64url);
    environment.add_filter("base64_decode", base64_decode);
    environment.add_filter("sha256", sha256);
    environment.add_filter("hmac_sha256", hmac_sha256);
    environment.add_function("now", now);
    environment.add_filter("slice", slice);
    environment.add_filter("batch", batch);
    environment.add_filter("indent", indent);
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_test("divisibleby", is_divisible_by);
}

/// The test of this name; minijinja's own panics where the remainder of whole numbers does not exist.
fn is_divisible_by(value: &Value, divisor: &Value) -> Result<bool, Error> {
    // 0, 0.0 and `false`, which counts as 0.
    if !divisor.is_true() {
        return Err(refused("nothing is divisible by 0".to_owned()));
    }
    if *divisor == Value::from(-1) {
        // The least number divided by -1 has no result.
        return Ok(checks::is_divisibleby(value, &Value::from(1)));
    }
    Ok(checks::is_divisibleby(value, divisor))
}

/// Lists, or columns of white space, that one filter makes: fuel does not count them, and a machine has
/// not the memory for more than a billion.
const MOST_MADE: usize = 10_000;

fn check_made(count: usize) -> Result<(), Error> {
    if count > MOST_MADE {
        return Err(refused(format!(
            "{count} is too much here; at most {MOST_MADE}"
        )));
    }
    Ok(())
}

fn check_text(bytes: usize) -> Result<(), Error> {
    if bytes > MOST_TEXT {
        return Err(refused("this makes a text of more than 16 MiB".to_owned()));
    }
    Ok(())
}

/// The filter of this name, within [`MOST_TEXT`].
fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    named: Kwargs,
) -> Result<Value, Error> {
    let between = joiner.as_ref().map_or(0, |joiner| joiner.as_str().len());
    let mut bytes = 0_usize;
    for item in value.try_iter().into_iter().flatten() {
        let length = item.as_str().map_or(1, str::len);
        bytes = bytes.saturating_add(length).saturating_add(between);
        check_text(bytes)?;
    }
    if let Some(text) = value.as_str() {
        check_text(text.chars().count().saturating_mul(1 + between))?;
    }
    filters::join(state, value, joiner, attribute, named)
}

/// The filter of this name, within [`MOST_TEXT`].
fn replace(
    state: &mut State<'_, '_>,
    value: StringInput<'_>,
    from: StringInput<'_>,
    to: StringInput<'_>,
) -> Result<Value, Error> {
    let found = value.as_str().matches(from.as_str()).count();
    let more = found.saturating_mul(to.as_str().len());
    check_text(value.as_str().len().saturating_add(more))?;
    filters::replace(state, value, from, to)
}

/// The filter of this name, within [`MOST_MADE`].
fn slice(
    state: &State<'_, '_>,
    value: Value,
    count: usize,
    fill_with: Option<Value>,
) -> Result<Value, Error> {
    check_made(count)?;
    filters::slice(state, value, count, fill_with)
}

/// The filter of this name, within [`MOST_MADE`].
fn batch(
    state: &State<'_, '_>,
    value: Value,
    count: usize,
    fill_with: Option<Value>,
) -> Result<Value, Error> {
    check_made(count)?;
    filters::batch(state, value, count, fill_with)
}

/// The filter of this name, within [`MOST_MADE`].
fn indent(
    value: StringInput<'_>,
    width: Option<usize>,
    first_line: Option<bool>,
    blank_lines: Option<bool>,
    named: Kwargs,
) -> Result<Value, Error> {
    let width = match width {
        Some(width) => Some(width),
        None => named.get("width")?,
    };
    check_made(width.unwrap_or_default())?;
    filters::indent(value, width, first_line, blank_lines, named)
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

/// As signatures are written: hexadecimal if nothing else is asked for.
fn encoded(bytes: &[u8], encoding: Option<&str>) -> Result<Value, Error> {
    Ok(match encoding.unwrap_or("hex") {
        "hex" => {
            let mut hex = String::with_capacity(2 * bytes.len());
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
            }
            hex.into()
        }
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
    strtime::format(format, moment)
        .map(Value::from)
        .map_err(|error| refused(error.to_string()))
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
