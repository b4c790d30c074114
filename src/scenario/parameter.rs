use std::{collections::BTreeMap, fmt, sync::Arc};

use minijinja::{
    Value as Variable,
    value::{Enumerator, Object, ValueKind},
};

use crate::document::{Node, Number, Value};

/// The value of an input or of a variable of a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// What expressions calculate with.
    pub value: Variable,
    /// What is sent where a template names the parameter alone, if that is not the text of the value:
    /// `1.10` is calculated with as 1.1.
    written: Option<Box<str>>,
}

impl Parameter {
    /// Text, which is sent as it is.
    pub fn text(text: &str) -> Self {
        Self {
            value: Variable::from(text),
            written: None,
        }
    }

    /// What a scalar stands for where no type is declared. A number that JSON cannot write, such as
    /// `007`, is text. `None` for nothing, a list or a mapping.
    pub fn of(node: &Node) -> Option<Self> {
        Self::of_value(&node.value, node)
    }

    /// The same for an argument, which is a number or a boolean if it looks like one.
    pub fn of_argument(node: &Node) -> Option<Self> {
        Self::of_value(&node.typed(), node)
    }

    fn of_value(value: &Value, node: &Node) -> Option<Self> {
        match value {
            Value::Boolean(value) => Some(Self::boolean(*value, node)),
            Value::Number(number) => Some(
                Self::number(number)
                    .filter(|_| number.json().is_some())
                    .unwrap_or_else(|| Self::text(number.as_written())),
            ),
            Value::Text(text) => Some(Self::text(text)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A boolean and the word that was written for it.
    pub(super) fn boolean(value: bool, node: &Node) -> Self {
        Self {
            value: Variable::from(value),
            written: node.as_written().map(Into::into),
        }
    }

    /// A number, with every digit where it is whole and has at most 128 bits; `None` for one that is
    /// too large to calculate with.
    pub(super) fn number(number: &Number) -> Option<Self> {
        let text = number.as_written();
        if let Some(whole) = number.whole()
            && !text.contains(['.', 'e', 'E'])
        {
            return Some(Self::whole(whole));
        }
        let value = number.approximate();
        value.is_finite().then(|| Self {
            value: Variable::from(value),
            written: number.json().is_some().then(|| text.into()),
        })
    }

    /// A whole number, which is sent as its digits.
    pub(super) fn whole(value: i128) -> Self {
        let value = match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Variable::from(value),
            (_, Ok(value)) => Variable::from(value),
            _ => Variable::from(value),
        };
        Self {
            value,
            written: None,
        }
    }

    /// Whether it is text.
    pub fn is_text(&self) -> bool {
        self.value.kind() == ValueKind::String
    }

    /// What is sent where a template names it alone.
    pub fn sent(&self) -> String {
        match &self.written {
            Some(text) => text.to_string(),
            None => self.value.to_string(),
        }
    }

    /// As JSON. A number that has more digits than its readers keep is text.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.value).unwrap_or_else(|_| self.sent().into())
    }
}

/// The parameters that expressions see under one name: `inputs` or `target`.
#[derive(Default, Clone, PartialEq)]
pub struct Parameters(BTreeMap<String, Parameter>);

impl Parameters {
    /// The parameters behind a value that was made of some.
    pub fn behind(value: &Variable) -> Option<&Self> {
        value.downcast_object_ref()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.get(name)
    }

    /// What is sent for one of them, if that is not the text of its value.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        self.get(name)?.written.as_deref()
    }

    /// All of them as a JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let fields = self.0.iter();
        fields
            .map(|(name, parameter)| (name.clone(), parameter.to_json()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

impl FromIterator<(String, Parameter)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Parameter)>>(parameters: I) -> Self {
        Self(parameters.into_iter().collect())
    }
}

impl From<Parameters> for Variable {
    fn from(parameters: Parameters) -> Self {
        Self::from_object(parameters)
    }
}

impl Object for Parameters {
    fn get_value(self: &Arc<Self>, key: &Variable) -> Option<Variable> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Variable> {
        self.get(key).map(|parameter| parameter.value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(Variable::from).collect())
    }
}

/// Targets have secrets among their parameters, which must not reach a log through `{:?}`.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Place, parse};

    fn of(yaml: &str) -> Parameter {
        Parameter::of(&parse("a.yaml", yaml).unwrap()).unwrap()
    }

    #[test]
    fn without_a_declared_type_a_scalar_is_calculated_with_and_sent_as_written() {
        let text = |text: &str| Variable::from(text);
        for (yaml, value, sent) in [
            ("5", Variable::from(5), "5"),
            ("-3", Variable::from(-3), "-3"),
            ("1.10", Variable::from(1.1), "1.10"),
            ("12e4", Variable::from(120_000.0), "12e4"),
            (".5", Variable::from(0.5), ".5"),
            (
                "12345678901234567890",
                Variable::from(12_345_678_901_234_567_890_u64),
                "12345678901234567890",
            ),
            ("true", Variable::from(true), "true"),
            ("True", Variable::from(true), "True"),
            ("007", text("007"), "007"),
            ("+491701234", text("+491701234"), "+491701234"),
            ("1e400", text("1e400"), "1e400"),
            ("'5'", text("5"), "5"),
            ("0x1F", text("0x1F"), "0x1F"),
        ] {
            let parameter = of(yaml);
            assert_eq!(
                (parameter.value.clone(), &*parameter.sent()),
                (value, sent),
                "{yaml}"
            );
            assert_eq!(parameter.is_text(), parameter.value.as_str().is_some());
        }
        assert_eq!(of(&"9".repeat(60)).sent(), "9".repeat(60));
        for yaml in ["~", "[]", "{}"] {
            assert_eq!(Parameter::of(&parse("a.yaml", yaml).unwrap()), None);
        }
    }

    #[test]
    fn an_argument_is_never_nothing() {
        for text in ["", "~", "null", " 5 ", "@x", "k: v", "x #b"] {
            let node = Node::untyped(Place::whole("--variable"), text);
            assert_eq!(Parameter::of_argument(&node), Some(Parameter::text(text)));
        }
    }

    #[test]
    fn parameters_are_a_map_to_expressions_and_json() {
        let parameters: Parameters = ["5", "1.50", "'x'"]
            .iter()
            .zip(["a", "b", "c"])
            .map(|(yaml, name)| (name.to_owned(), of(yaml)))
            .collect();
        let json = serde_json::json!({ "a": 5, "b": 1.5, "c": "x" });
        assert_eq!(parameters.to_json(), json);
        assert_eq!(format!("{parameters:?}"), r#"{"a", "b", "c"}"#);
        let value = Variable::from(parameters);
        assert_eq!(serde_json::to_value(&value).unwrap(), json);
        assert_eq!(value.get_attr("b").unwrap(), Variable::from(1.5));
        let behind = Parameters::behind(&value).unwrap();
        assert_eq!(
            (behind.written("a"), behind.written("b")),
            (None, Some("1.50"))
        );
        let long = Parameter::whole(i128::MAX);
        assert_eq!(long.to_json(), i128::MAX.to_string());
    }
}
