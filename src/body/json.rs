use std::{borrow::Cow, fmt};

use encoding_rs::{Encoding, UTF_8};
use minijinja::Value;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use self::lenient::Reader;
pub use self::members::Members;
use self::members::ReadMembers;
use super::text::encoding;

mod lenient;
mod members;
#[cfg(test)]
mod tests;

/// A body that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {reason} at byte {at}")]
pub struct NotJson {
    /// What is wrong there.
    pub reason: &'static str,
    /// How many bytes of the body come before it; of the text in UTF-8 where the body has another encoding.
    pub at: usize,
}

/// The value of a JSON body, read as a browser reads one: a byte order mark is passed over, what is no
/// UTF-8 and half of a surrogate pair become U+FFFD, and of several members with one name the last counts.
/// UTF-16 with a byte order mark and the `charset` of the content type are understood where the body is
/// no UTF-8.
///
/// Whole numbers keep all their digits: those that need more than 128 bits become their text.
pub fn read_json(body: &[u8], content_type: Option<&str>) -> Result<Value, NotJson> {
    // What is wrong with it is told by the second reading, which also takes what browsers take.
    match serde_json::from_slice::<Plain>(body) {
        Ok(Plain(value)) => Ok(value),
        Err(_) => read_leniently(body, content_type),
    }
}

fn read_leniently(body: &[u8], content_type: Option<&str>) -> Result<Value, NotJson> {
    let (encoding, mark) = match Encoding::for_bom(body) {
        Some((encoding, mark)) => (encoding, mark),
        None if std::str::from_utf8(body).is_ok() && !body.contains(&0) => (UTF_8, 0),
        None => (encoding(content_type), 0),
    };
    let text = &body[mark..];
    if encoding == UTF_8 {
        let located = |error: NotJson| NotJson {
            at: error.at + mark,
            ..error
        };
        return Reader::new(text).read().map_err(located);
    }
    let text: Cow<'_, str> = encoding.decode_without_bom_handling(text).0;
    Reader::new(text.as_bytes()).read()
}

/// From here on not every whole number has a double of its own.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// A value as [`Value`] reads it, but refused where a number may have lost digits.
struct Plain(Value);

struct PlainVisitor;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::from(()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.abs() < FIRST_INEXACT {
            Ok(value.into())
        } else {
            Err(E::custom("a number that may have lost digits"))
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut list = ReadMembers::new();
        while let Some((Plain(name), Plain(value))) = members.next_entry()? {
            list.push((name, value));
        }
        Ok(Members::from(list).into())
    }
}
