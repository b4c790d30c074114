use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    document::{Node, Problems, Value},
    scenario::{EvaluationError, Names, Scope, Template, limits::Bounded},
};

/// A JSON body as YAML, with templates in any of its texts. What is the same for every request is
/// JSON already.
#[derive(Debug)]
pub(super) struct Payload {
    parts: Vec<PayloadPart>,
}

#[derive(Debug)]
enum PayloadPart {
    /// JSON as it is sent; only together with what is around it is it whole.
    Literal(String),
    /// A value of its own.
    Template(Template),
}

impl Payload {
    pub(super) fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let mut payload = Self { parts: Vec::new() };
        payload.append(node, names, problems).then_some(payload)
    }

    /// Appends a value; whether it could be read. Of a list or a mapping everything is, so that all
    /// problems are found.
    fn append(&mut self, node: &Node, names: &Names, problems: &Problems) -> bool {
        match &node.value {
            Value::Null => self.fixed(&Json::Null),
            Value::Boolean(value) => self.fixed(&(*value).into()),
            // With every digit. What JSON does not take for a number, such as `007`, is text.
            Value::Number(number) => match number.json() {
                Some(json) => self.literal(&json),
                None => self.fixed(&number.as_written().into()),
            },
            Value::Text(_) => match Template::read(node, names, problems) {
                Some(template) => match template.as_plain() {
                    Some(text) => self.fixed(&text.into()),
                    None => self.parts.push(PayloadPart::Template(template)),
                },
                None => return false,
            },
            Value::List(list) => {
                let mut complete = true;
                self.literal("[");
                for (at, node) in list.iter().enumerate() {
                    self.literal(if at > 0 { "," } else { "" });
                    complete &= self.append(node, names, problems);
                }
                self.literal("]");
                return complete;
            }
            Value::Map(entries) => {
                let mut complete = true;
                self.literal("{");
                for (at, entry) in entries.iter().enumerate() {
                    self.literal(if at > 0 { "," } else { "" });
                    self.fixed(&entry.key.as_str().into());
                    self.literal(":");
                    complete &= self.append(&entry.node, names, problems);
                }
                self.literal("}");
                return complete;
            }
        }
        true
    }

    fn fixed(&mut self, value: &Json) {
        self.literal(&value.to_string());
    }

    fn literal(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(PayloadPart::Literal(literal)) => literal.push_str(text),
            _ => self.parts.push(PayloadPart::Literal(text.to_owned())),
        }
    }

    /// The JSON text in a scope.
    pub(super) fn render(&self, scope: &Arc<Scope>) -> Result<String, EvaluationError> {
        let rough = |part: &PayloadPart| match part {
            PayloadPart::Literal(literal) => literal.len(),
            PayloadPart::Template(_) => 50,
        };
        let mut text = Bounded::with_capacity(self.parts.iter().map(rough).sum());
        for part in &self.parts {
            match part {
                PayloadPart::Literal(literal) => text.push(literal),
                PayloadPart::Template(template) => template.write_json(scope, &mut text)?,
            }
        }
        Ok(text.into_text())
    }
}
