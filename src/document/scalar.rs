use super::{Number, Value};

/// What a scalar without quotes is: YAML 1.2's core schema without hexadecimal and octal numbers,
/// which stay text.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ => Number::parse(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    }
}

/// The same for text from outside of YAML, such as an argument: `null` and an empty text stay text.
pub(super) fn from_outside(text: &str) -> Value {
    match plain(text) {
        Value::Null => Value::Text(text.to_owned()),
        value => value,
    }
}

/// Whether a scalar is something else than text, so that its text has to be kept besides. A number
/// has its own.
pub(super) fn is_other_than_text(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Boolean(_))
}
