mod address;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::Arc,
};

use minijinja::Value;

pub(super) use self::address::Address;
use self::address::{OF_CONFIGURATION, own_begin};
use super::{
    EvaluationError, Expression, Names, Scope,
    evaluation::{AS_WRITTEN, Compiled, Undefined, boolean_word},
    expression::{describe, is_exceeded, path},
    limits::{Bounded, TEXT_TOO_LONG},
    mistake::Mistake,
    nesting, operators,
};
use crate::document::{Node, Number, Place, Places, Problems};

/// Text with `{{ expressions }}` inside.
#[derive(Debug)]
pub struct Template {
    body: Body,
    place: Place,
}

#[derive(Debug)]
enum Body {
    Plain(Box<str>),
    /// The usual case, rendered without minijinja's template machinery.
    Parts(Vec<TemplatePart>),
    /// Text with `{% statements %}`: a template in an environment of its own.
    Program {
        compiled: Box<Compiled>,
        /// Whether it depends on values of the configuration alone.
        own: bool,
        /// What stands in front of the first statement and of the first expression with other values.
        begin: Vec<TemplatePart>,
    },
}

#[derive(Debug)]
enum TemplatePart {
    Literal(Box<str>),
    Expression {
        expression: Expression,
        /// Whether it depends on values of the configuration alone.
        own: bool,
    },
}

impl Template {
    /// A text without expressions, whatever is in it.
    pub(super) fn plain(text: &str) -> Self {
        Self {
            body: Body::Plain(text.into()),
            place: Place::whole("the command line"),
        }
    }

    /// Reads and compiles the text of a node; a number or a boolean stands for its own text.
    pub fn read(node: &Node, names: &Names, problems: &Problems) -> Option<Self> {
        let text = node.scalar_text("text", problems)?;
        let body = if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            Body::Plain(text.into())
        } else if ["{%", "{#", "{{-", "-}}"]
            .iter()
            .any(|mark| text.contains(mark))
        {
            program(&text, &node.places(), names, problems)?
        } else {
            Body::Parts(parts(&text, &node.places(), names, problems)?)
        };
        Some(Self {
            body,
            place: node.place.clone(),
        })
    }

    /// The text with every expression replaced by its value.
    ///
    /// # Errors
    /// An expression that cannot be computed, or whose value is undefined, or a text without end.
    pub fn render(&self, scope: &Arc<Scope>) -> Result<String, EvaluationError> {
        match &self.body {
            Body::Plain(text) => Ok(text.as_ref().to_owned()),
            Body::Parts(parts) => {
                let mut text =
                    Bounded::with_capacity(parts.iter().map(TemplatePart::rough_length).sum());
                for part in parts {
                    part.render(scope, &mut text)?;
                }
                Ok(text.into_text())
            }
            Body::Program { compiled, .. } => {
                compiled.render(scope).map_err(|error| self.failed(&error))
            }
        }
    }

    /// Writes the [value](Self::value) as JSON, as a part of something larger.
    pub(super) fn write_json(
        &self,
        scope: &Arc<Scope>,
        json: &mut Bounded,
    ) -> Result<(), EvaluationError> {
        let Some(expression) = self.alone() else {
            let text = match &self.body {
                Body::Plain(text) => Cow::Borrowed(&**text),
                _ => Cow::Owned(self.render(scope)?),
            };
            // Text can be written as JSON, unless there is no room for it.
            let _ = serde_json::to_writer(&mut *json, &text);
            return self.within(json);
        };
        let value = expression.evaluate_defined(scope)?;
        if value.is_number()
            && let Some(number) = expression.written(scope).and_then(Number::parse)
            && let Some(written) = number.json()
        {
            json.push(&written);
            return Ok(());
        }
        let begin = json.len();
        if serde_json::to_writer(&mut *json, &value).is_err() && !json.exceeded() {
            // A value that JSON cannot express, such as a function, goes out as its text.
            json.truncate(begin);
            json.push(&serde_json::Value::from(value.to_string()).to_string());
        }
        self.within(json)
    }

    fn within(&self, json: &Bounded) -> Result<(), EvaluationError> {
        if json.exceeded() {
            return Err(EvaluationError {
                place: self.place.clone(),
                message: TEXT_TOO_LONG.to_owned(),
                exceeded: true,
            });
        }
        Ok(())
    }

    /// The expression of a template that is one expression and nothing else.
    fn alone(&self) -> Option<&Expression> {
        match &self.body {
            Body::Parts(parts) => match &parts[..] {
                [TemplatePart::Expression { expression, .. }] => Some(expression),
                _ => None,
            },
            _ => None,
        }
    }

    fn failed(&self, error: &minijinja::Error) -> EvaluationError {
        EvaluationError {
            place: self.place.clone(),
            message: describe(error),
            exceeded: is_exceeded(error),
        }
    }

    /// Whether the text depends on a variable of this name.
    pub(super) fn mentions(&self, variable: &str) -> bool {
        match &self.body {
            Body::Plain(_) => false,
            Body::Parts(parts) => parts.iter().any(|part| match part {
                TemplatePart::Literal(_) => false,
                TemplatePart::Expression { expression, .. } => expression.mentions(variable),
            }),
            Body::Program { compiled, .. } => compiled.roots().any(|name| name == variable),
        }
    }

    /// The value of a template that is one expression and nothing else keeps its type; any other
    /// becomes text. So `"{{ inputs.messages }}"` in a JSON body is a number.
    pub fn value(&self, scope: &Arc<Scope>) -> Result<Value, EvaluationError> {
        match self.alone() {
            Some(expression) => expression.evaluate_defined(scope),
            None => self.render(scope).map(Value::from),
        }
    }

    /// The text, if it needs no scope.
    pub fn as_plain(&self) -> Option<&str> {
        match &self.body {
            Body::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// Where it is written.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The expression, if the template is one expression and nothing else.
    pub(super) fn into_expression(self) -> Option<Expression> {
        let Body::Parts(mut parts) = self.body else {
            return None;
        };
        match (parts.pop(), parts.is_empty()) {
            (Some(TemplatePart::Expression { expression, .. }), true) => Some(expression),
            _ => None,
        }
    }
}

impl TemplatePart {
    /// About how long its text is, in bytes.
    fn rough_length(&self) -> usize {
        match self {
            Self::Literal(literal) => literal.len(),
            Self::Expression { .. } => 20,
        }
    }

    fn render(&self, scope: &Arc<Scope>, text: &mut Bounded) -> Result<(), EvaluationError> {
        let expression = match self {
            // Those of all parts are no longer than the file that they stand in.
            Self::Literal(literal) => {
                text.push(literal);
                return Ok(());
            }
            Self::Expression { expression, .. } => expression,
        };
        let value = expression.evaluate_defined(scope)?;
        let written = match expression.written(scope) {
            Some(written) => text.write_str(written),
            None => push(&value, text),
        };
        written.map_err(|_| expression.exceeds(TEXT_TOO_LONG))
    }
}

/// Appends the text of a value.
fn push(value: &Value, text: &mut Bounded) -> fmt::Result {
    match boolean_word(value) {
        Some(word) => text.write_str(word),
        None => match value.as_str() {
            Some(value) => text.write_str(value),
            None => write!(text, "{value}"),
        },
    }
}

fn program(text: &str, places: &Places<'_>, names: &Names, problems: &Problems) -> Option<Body> {
    if let Err(Mistake { at, message }) = nesting::in_program(text) {
        problems.add(&places.at(at), message);
        return None;
    }
    // It adds filters to expressions, which are correct or not without them.
    let compiled = Compiled::template(&with_written(text), Undefined::Refused);
    let compiled = match (compiled, Compiled::template(text, Undefined::Refused)) {
        (Ok(compiled), Ok(_)) => compiled,
        (_, Err(error)) | (Err(error), _) => {
            let at = error.range().map_or(0, |range| range.start);
            problems.add(
                &places.at(at),
                format!("this is no template: {}", describe(&error)),
            );
            return None;
        }
    };
    let known = names.check(compiled.variables(), text, 0, places, problems);
    if let Some(Mistake { at, message }) = unknown_operator(text) {
        problems.add(&places.at(at), message);
        return None;
    }
    let own = compiled
        .roots()
        .all(|root| OF_CONFIGURATION.contains(&root));
    known.then(|| Body::Program {
        compiled: Box::new(compiled),
        own,
        begin: own_begin(text, places, names),
    })
}

/// A program in which every `{{ inputs.x }}` and `{{ target.x }}` sends what was written for it.
fn with_written(text: &str) -> String {
    let mut program = String::with_capacity(text.len());
    let mut rest = text;
    // What is `raw` is sent as it is, whatever stands in it.
    let has_raw = text.contains("endraw");
    while !has_raw
        && let Some(open) = rest.find("{{")
        && let Some(length) = rest[open..].find("}}")
    {
        let (tag, after) = rest.split_at(open + length);
        // A mark that cuts white space off is no part of the expression.
        let end = tag.trim_end_matches(['-', '+']).len().max(open + 2);
        let (expression, mark) = tag.split_at(end);
        program.push_str(expression);
        let source = expression[open + 2..].trim_start_matches(['-', '+']);
        if let Some([group, name]) = path(source).as_deref()
            && ["inputs", "target"].contains(&&**group)
        {
            // Writing to a string cannot fail.
            let _ = write!(program, " | {AS_WRITTEN}({group}, '{name}') ");
        }
        program.push_str(mark);
        rest = after;
    }
    program + rest
}

/// The first filter or test of a program that does not exist. What is `raw` is not looked at.
fn unknown_operator(text: &str) -> Option<Mistake> {
    let mut at = 0;
    while let Some(found) = text[at..].find('{') {
        let inside = at + found + 2;
        let end = match text.get(at + found + 1..inside) {
            Some("{") => "}}",
            Some("%") => "%}",
            Some("#") => "#}",
            _ => {
                at += found + 1;
                continue;
            }
        };
        let tag = &text[inside..];
        let close = tag.find(end).unwrap_or(tag.len());
        let tag = &tag[..close];
        at = inside + close;
        if end == "%}" && tag.trim_matches(['-', '+', ' ']) == "raw" {
            return None;
        }
        if end != "#}"
            && let Some(Mistake { at, message }) = operators::unknown(tag)
        {
            let at = inside + at;
            return Some(Mistake { at, message });
        }
    }
    None
}

fn parts(
    text: &str,
    places: &Places<'_>,
    names: &Names,
    problems: &Problems,
) -> Option<Vec<TemplatePart>> {
    let mut parts = Vec::new();
    let mut complete = true;
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        if open > at {
            parts.push(TemplatePart::Literal(text[at..open].into()));
        }
        let inside = open + 2;
        let Some(close) = closing(text, inside) else {
            problems.add(
                &places.at(open),
                "this `{{` is never closed; write `}}` behind the expression",
            );
            return None;
        };
        let source = &text[inside..close];
        match Expression::compile(source, inside, Undefined::Refused, places, names, problems) {
            Some(expression) => parts.push(TemplatePart::Expression {
                own: expression.depends_only_on(&OF_CONFIGURATION),
                expression,
            }),
            None => complete = false,
        }
        at = close + 2;
    }
    if at < text.len() {
        parts.push(TemplatePart::Literal(text[at..].into()));
    }
    complete.then_some(parts)
}

/// Where the `}}` stands that ends an expression beginning at `from`: not inside quotes, and not
/// one that closes a map literal.
fn closing(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut braces = 0_usize;
    let mut at = from;
    while at < bytes.len() {
        let byte = bytes[at];
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => braces += 1,
            (None, b'}') if braces > 0 => braces -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}
