use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::{
    document::{Node, Problems, Value},
    scenario::{EvaluationError, Names, Scope, Template},
};

/// A JSON body as YAML, with templates in any of its texts.
#[derive(Debug)]
pub enum Payload {
    /// A value without templates.
    Fixed(Json),
    /// Text with templates.
    Template(Template),
    /// An array.
    List(Vec<Payload>),
    /// An object.
    Object(Vec<(String, Payload)>),
}

impl Payload {
    pub(super) fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let payload = match &node.value {
            Value::Null => Self::Fixed(Json::Null),
            Value::Boolean(value) => Self::Fixed((*value).into()),
            Value::Integer(value) => Self::Fixed((*value).into()),
            Value::Float(value) => Self::Fixed((*value).into()),
            Value::Text(_) => {
                let template = Template::read(node, names, problems)?;
                match template.as_plain() {
                    Some(text) => Self::Fixed(text.into()),
                    None => Self::Template(template),
                }
            }
            // Every element is read before any is given up, so that all problems are found.
            Value::List(list) => {
                let read: Vec<_> = list
                    .iter()
                    .map(|node| Self::read(node, names, problems))
                    .collect();
                Self::List(read.into_iter().collect::<Option<_>>()?)
            }
            Value::Map(entries) => {
                let read: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        Self::read(&entry.node, names, problems)
                            .map(|payload| (entry.key.clone(), payload))
                    })
                    .collect();
                Self::Object(read.into_iter().collect::<Option<_>>()?)
            }
        };
        Some(payload)
    }

    /// The JSON value in a scope.
    pub fn evaluate(&self, scope: &Arc<Scope>) -> Result<Json, EvaluationError> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Template(template) => {
                let value = template.value(scope)?;
                // A value that JSON cannot express, such as a function, goes out as its text.
                Ok(serde_json::to_value(&value).unwrap_or_else(|_| value.to_string().into()))
            }
            Self::List(list) => list
                .iter()
                .map(|payload| payload.evaluate(scope))
                .collect::<Result<Vec<_>, _>>()
                .map(Json::Array),
            Self::Object(entries) => entries
                .iter()
                .map(|(key, payload)| Ok((key.clone(), payload.evaluate(scope)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Json::Object),
        }
    }
}
