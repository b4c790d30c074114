//! The text in the JSON of a frame by which a message is recognized, found without reading the rest of it into values:
//! every member of a room looks for it in every message.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::scenario::Expression;

/// `frame.json.a.b`: the names on the way to a text.
#[derive(Debug)]
pub(in crate::scenario::action) struct JsonField(Box<[Box<str>]>);

impl JsonField {
    /// Of an expression that is such a way and nothing else, of a frame that goes by this name.
    pub(super) fn of(expression: &Expression, frame: &str) -> Option<Self> {
        let [root, json, names @ ..] = expression.path()? else {
            return None;
        };
        let is_field = **root == *frame && **json == *"json" && !names.is_empty();
        is_field.then(|| Self(names.into()))
    }

    /// The text that is there. `None` if something else is there, or nothing, or if it is no JSON that every reader
    /// takes: then only the [expression](Expression) tells.
    pub(in crate::scenario::action) fn text_in(&self, json: &[u8]) -> Option<Box<str>> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let text = Way(&self.0).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        text
    }
}

/// What is left of the way.
struct Way<'a>(&'a [Box<str>]);

impl<'de> DeserializeSeed<'de> for Way<'_> {
    type Value = Option<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            deserializer.deserialize_str(self)
        } else {
            deserializer.deserialize_map(self)
        }
    }
}

impl<'de> Visitor<'de> for Way<'_> {
    type Value = Option<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a field")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then(|| text.into()))
    }

    /// Of several members with one name the last counts.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((name, rest)) = self.0.split_first() else {
            return Err(A::Error::custom("an object where a text was expected"));
        };
        let mut found = None;
        while let Some(is_next) = map.next_key_seed(Is(name))? {
            if is_next {
                found = map.next_value_seed(Way(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a name is this one.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{Problems, parse},
        scenario::Names,
    };

    fn field(source: &str) -> Option<JsonField> {
        let node = parse("s.yaml", &format!("{source:?}")).unwrap();
        let expression = Expression::read(&node, &Names::open(), &Problems::default());
        JsonField::of(&expression.unwrap(), "frame")
    }

    #[test]
    fn a_way_is_names_and_nothing_else() {
        for source in ["frame.json.id", "frame.json.message.id"] {
            assert!(field(source).is_some(), "{source}");
        }
        for source in [
            "frame.json",
            "frame.text",
            "event.json.id",
            "frame.json.id | string",
            "frame.json.a or frame.json.b",
        ] {
            assert!(field(source).is_none(), "{source}");
        }
    }

    #[test]
    fn the_text_is_found_and_what_is_no_text_is_left_to_the_expression() {
        let field = field("frame.json.of.id").unwrap();
        let text = |json: &str| field.text_in(json.as_bytes());
        let found = |text: &str| Some(Box::from(text));
        assert_eq!(
            text(r#"{"a":[{"id":"x"}],"of":{"id":"m-1","b":{}}}"#),
            found("m-1")
        );
        assert_eq!(text(r#"{"of":{"id":"a\n","id":"b"}}"#), found("b"));
        assert_eq!(
            text(r#"{"of":{"id":"a"},"of":{"id":"\u00e4"}}"#),
            found("\u{e4}")
        );
        for json in [
            r#"{"of":{"id":7}}"#,
            r#"{"of":{"id":""}}"#,
            r#"{"of":{}}"#,
            r#"{"id":"m"}"#,
            r#"{"of":"m"}"#,
            r#"["of"]"#,
            r#"{"of":{"id":"m"}"#,
            r#"{"of":{"id":"m"}} x"#,
            "",
        ] {
            assert_eq!(text(json), None, "{json}");
        }
    }
}
