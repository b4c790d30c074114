//! What is sent in a frame.

use std::{fmt::Display, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::payload::Payload;
use crate::{
    document::{Mapping, Node, Problems, Value},
    driver::SocketMessage,
    scenario::{EvaluationError, Names, Scope, Template},
};

/// `TEXT`, or `{ text: TEXT }`, `{ json: ... }`, `{ binary: { hex: TEXT } }`, `{ binary: { base64: TEXT } }`.
#[derive(Debug)]
pub(in crate::scenario::action) enum FrameContent {
    /// Text.
    Text(Template),
    /// JSON as text.
    Json(Payload),
    /// Bytes, and how a text tells them.
    Binary(Encoding, Template),
}

/// How a text tells bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario::action) enum Encoding {
    Hex,
    Base64,
}

const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];

impl FrameContent {
    pub(in crate::scenario::action) fn read(
        node: &Node,
        names: &Names,
        problems: &Problems,
    ) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return Template::read(node, names, problems).map(Self::Text);
        }
        let mut map = Mapping::open(node, "a text or a mapping", problems)?;
        let content = map.one_of(&["json", "text", "binary"]);
        map.finish();
        match content? {
            ("json", node) => Payload::read(node, names, problems).map(Self::Json),
            ("text", node) => Template::read(node, names, problems).map(Self::Text),
            (_, node) => Self::read_binary(node, names, problems),
        }
    }

    fn read_binary(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let wanted = "`{ hex: TEXT }` or `{ base64: TEXT }`";
        let mut map = Mapping::open(node, wanted, problems)?;
        let given = map.one_of(&ENCODINGS.map(|(key, _)| key));
        map.finish();
        let (key, node) = given?;
        let (_, encoding) = ENCODINGS.into_iter().find(|(known, _)| *known == key)?;
        let template = Template::read(node, names, problems)?;
        if let Some(Err(why)) = template.as_plain().map(|text| encoding.decode(text)) {
            problems.add(&node.place, why);
            return None;
        }
        Some(Self::Binary(encoding, template))
    }

    /// The message in a scope.
    pub(in crate::scenario::action) fn render(
        &self,
        scope: &Arc<Scope>,
    ) -> Result<SocketMessage, EvaluationError> {
        match self {
            Self::Text(template) => template.render(scope).map(SocketMessage::text),
            Self::Json(payload) => payload.render(scope).map(SocketMessage::text),
            Self::Binary(encoding, template) => {
                let bytes = encoding.decode(&template.render(scope)?);
                let bytes = bytes.map_err(|message| EvaluationError {
                    place: template.place().clone(),
                    message,
                    exceeded: false,
                })?;
                Ok(SocketMessage::Binary(bytes.into()))
            }
        }
    }
}

impl Encoding {
    fn decode(self, text: &str) -> Result<Vec<u8>, String> {
        let text: String = text.split_whitespace().collect();
        match self {
            Self::Hex => decode_hex(&text).ok_or_else(|| wrong("hexadecimal digits", "two a byte")),
            Self::Base64 => (BASE64_STANDARD.decode(text)).map_err(|error| wrong("base64", error)),
        }
    }
}

fn wrong(wanted: &str, why: impl Display) -> String {
    format!("these are no bytes in {wanted}: {why}")
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = digit(high)? * 16 + digit(low)?;
        u8::try_from(byte).ok()
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document::parse, scenario::scope::tests::scope};

    fn sent(yaml: &str) -> Result<SocketMessage, String> {
        let problems = Problems::default();
        let node = parse("s.yaml", yaml).unwrap();
        let content = FrameContent::read(&node, &Names::open(), &problems);
        if let Err(problems) = problems.into_result() {
            assert_eq!(problems.len(), 1, "{yaml}");
            return Err(problems[0].to_string());
        }
        let content = content.unwrap();
        let scope = scope(&[("id", 7.into()), ("code", "0a 0B".into())]);
        content.render(&scope).map_err(|error| error.to_string())
    }

    #[test]
    fn a_frame_is_text_json_or_bytes() {
        for (yaml, expected) in [
            ("'id {{ id }}'", SocketMessage::text("id 7")),
            ("42", SocketMessage::text("42")),
            ("\"ping\\n\\0\"", SocketMessage::text("ping\n\0")),
            ("{ text: '{{ id }}' }", SocketMessage::text("7")),
            (
                "{ json: { id: '{{ id }}', of: [a, 1.50, ~] } }",
                SocketMessage::text(r#"{"id":7,"of":["a",1.50,null]}"#),
            ),
            (
                "{ binary: { hex: '00 fF' } }",
                SocketMessage::Binary(vec![0, 255].into()),
            ),
            (
                "{ binary: { hex: '{{ code }}' } }",
                SocketMessage::Binary(vec![10, 11].into()),
            ),
            (
                "{ binary: { base64: 'AP8=' } }",
                SocketMessage::Binary(vec![0, 255].into()),
            ),
        ] {
            assert_eq!(sent(yaml).unwrap(), expected, "{yaml}");
        }
    }

    #[test]
    fn what_is_no_frame_is_told_where_it_stands() {
        for (yaml, place) in [
            ("[a]", "s.yaml:1:1: "),
            ("{}", "s.yaml:1:1: "),
            ("{ txt: a, text: b }", "s.yaml:1:3: "),
            ("{ text: a, json: b }", "s.yaml:1:1: "),
            ("{ binary: abcd }", "s.yaml:1:11: "),
            ("{ binary: { hex: abc } }", "s.yaml:1:18: "),
            ("{ binary: { hex: 'a\u{e4}' } }", "s.yaml:1:18: "),
            ("{ binary: { base64: '*' } }", "s.yaml:1:21: "),
            ("{ binary: { hex: '{{ id }}' } }", "s.yaml:1:18: "),
            ("'{{ gone }}'", "s.yaml:1:4: "),
        ] {
            let problem = sent(yaml).unwrap_err();
            assert!(problem.starts_with(place), "{yaml}: {problem}");
        }
    }
}
