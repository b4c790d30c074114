use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Entry, Node, Place, Problem, Problems, Value};

/// Deeper nesting than this is a mistake or an attack, and would exhaust the stack.
const DEEPEST: usize = 64;
/// Aliases copy what they name; this many nodes bound what a small file can grow to.
const MOST_NODES: usize = 200_000;

/// Parses one YAML (or JSON) document. Keys must be unique scalars; tags are not used.
///
/// # Errors
/// The first place that is no YAML, or the first key that is given twice.
pub fn parse(source: impl Into<Arc<str>>, text: &str) -> Result<Node, Problem> {
    let problems = Problems::default();
    let node = parse_noting(source, text, &problems)?;
    match problems.into_result() {
        Ok(()) => Ok(node),
        Err(mut twice) => Err(twice.swap_remove(0)),
    }
}

/// The same for a document whose every problem is to be found: of a key that is given twice the
/// first value counts, and the second is noted.
///
/// # Errors
/// The first place that is no YAML: after it nothing in the document can be trusted.
pub fn parse_noting(
    source: impl Into<Arc<str>>,
    text: &str,
    problems: &Problems,
) -> Result<Node, Problem> {
    let mut reader = Reader {
        problems,
        parser: Parser::new_from_str(text),
        source: source.into(),
        lines: text.lines().collect(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    reader.document()
}

struct Reader<'a> {
    problems: &'a Problems,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: Arc<str>,
    lines: Vec<&'a str>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => return Ok(self.node(&span, Value::Null, None)),
                event => {
                    let root = self.value(event, &span, 0)?;
                    self.end_of_document()?;
                    return Ok(root);
                }
            }
        }
    }

    fn end_of_document(&mut self) -> Result<(), Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd | Event::Nothing => {}
                _ => {
                    return Err(
                        self.problem(&span, "a second document begins here; write one a file")
                    );
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let marker = error.marker();
                Err(Problem {
                    place: self.place(marker.line(), marker.col()),
                    message: format!("this is not YAML: {}", error.info()),
                })
            }
            None => Err(Problem {
                place: Place::whole(self.source.clone()),
                message: "the document ends too early".to_owned(),
            }),
        }
    }

    fn value(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Problem> {
        self.count(1, span)?;
        if depth > DEEPEST {
            return Err(self.problem(span, "nested too deeply"));
        }
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (self.scalar(&text, style, span), anchor),
            Event::SequenceStart(anchor, _) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => list.push(self.value(event, &span, depth + 1)?),
                    }
                }
                (self.node(span, Value::List(list), None), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let entries = self.entries(depth)?;
                (self.node(span, Value::Map(entries), None), anchor)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(
                        self.problem(span, "this alias names nothing that stands before it")
                    );
                };
                self.count(size, span)?;
                return Ok(node);
            }
            _ => return Err(self.problem(span, "the document ends too early")),
        };
        if anchor > 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                Event::Scalar(key, ..) => key.into_owned(),
                _ => {
                    return Err(self.problem(
                        &span,
                        "a key must be a word; a template such as `{{ x }}` stands in quotes",
                    ));
                }
            };
            let place = self.place_of(&span);
            let (event, span) = self.next()?;
            let node = self.value(event, &span, depth + 1)?;
            if entries.iter().any(|entry| entry.key == key) {
                let message = format!("the key `{key}` is given twice; keep one of them");
                self.problems.add(&place, message);
            } else {
                entries.push(Entry { key, place, node });
            }
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: &Span) -> Node {
        match style {
            ScalarStyle::Plain => self.node(span, plain(text), self.text_begins(span, 0, text)),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let begin = self.text_begins(span, 1, text);
                self.node(span, Value::Text(text.to_owned()), begin)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                self.node(span, Value::Text(text.to_owned()), None)
            }
        }
    }

    /// `begin`, if the source shows the text there letter by letter: an escape or a line break
    /// moves what follows it.
    fn text_begins(&self, span: &Span, begin: usize, text: &str) -> Option<usize> {
        let line = self.lines.get(span.start.line().checked_sub(1)?)?;
        let (at, _) = line.char_indices().nth(span.start.col() + begin)?;
        line[at..].starts_with(text).then_some(begin)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(self.problem(
                span,
                &format!("more than {MOST_NODES} values in one document"),
            ));
        }
        Ok(())
    }

    fn node(&self, span: &Span, value: Value, text_begins: Option<usize>) -> Node {
        Node {
            place: self.place_of(span),
            value,
            text_begins,
        }
    }

    fn problem(&self, span: &Span, message: &str) -> Problem {
        Problem {
            place: self.place_of(span),
            message: message.to_owned(),
        }
    }

    fn place_of(&self, span: &Span) -> Place {
        self.place(span.start.line(), span.start.col())
    }

    /// The parser counts columns from zero.
    fn place(&self, line: usize, column: usize) -> Place {
        Place {
            source: self.source.clone(),
            line,
            column: column + 1,
        }
    }
}

/// YAML 1.2 core schema, without octal and hexadecimal: nobody writes those here.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if text.chars().all(numeric)
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Value::Float(number);
    }
    Value::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn problem(text: &str) -> String {
        parse("a.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn every_value_knows_its_place() {
        let node = parse("a.yaml", "a: 1\nb:\n  - x\n  - 'y z'\n").unwrap();
        let list = node
            .find("b")
            .unwrap()
            .list("", &crate::document::Problems::default())
            .to_vec();
        assert_eq!(list[1].place.to_string(), "a.yaml:4:5");
        assert_eq!(list[1].place_in_text(2).to_string(), "a.yaml:4:8");
        assert_eq!(node.find("a").unwrap().value, Value::Integer(1));
    }

    #[test]
    fn what_is_no_document_is_said_with_its_place() {
        assert_eq!(
            problem("a: 1\na: 2\n"),
            "a.yaml:2:1: the key `a` is given twice; keep one of them"
        );
        assert_eq!(
            problem("t: {{ x }}"),
            "a.yaml:1:5: a key must be a word; a template such as `{{ x }}` stands in quotes"
        );
        assert_eq!(
            problem("a: 1\n---\nb: 2\n"),
            "a.yaml:2:1: a second document begins here; write one a file"
        );
        assert!(problem("a: [1, 2").starts_with("a.yaml:"));
    }

    #[test]
    fn of_a_key_that_is_given_twice_the_first_value_counts_and_all_are_noted() {
        let problems = Problems::default();
        let text = "a: 1\na: { b: 2, b: 3 }\nc: 4\na: 5\n";
        let node = parse_noting("a.yaml", text, &problems).unwrap();
        assert_eq!(node.find("a").unwrap().value, Value::Integer(1));
        assert_eq!(node.find("c").unwrap().value, Value::Integer(4));
        let places: Vec<_> = problems
            .into_result()
            .unwrap_err()
            .iter()
            .map(|problem| problem.place.to_string())
            .collect();
        assert_eq!(places, ["a.yaml:2:1", "a.yaml:2:12", "a.yaml:4:1"]);
    }

    #[test]
    fn anchors_copy_but_cannot_explode() {
        let node = parse("a.yaml", "a: &x { b: 1 }\nc: *x\n").unwrap();
        assert_eq!(
            node.find("c").unwrap().find("b").unwrap().value,
            Value::Integer(1)
        );
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            let _ = writeln!(bomb, "a{level}: &a{level} [{below}]");
        }
        assert!(problem(&bomb).contains("more than 200000 values"));
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(problem(&"[".repeat(100)).contains("nested too deeply"));
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("5s", Value::Text("5s".into())),
            ("0.5", Value::Float(0.5)),
            ("-3", Value::Integer(-3)),
            ("no", Value::Text("no".into())),
            ("~", Value::Null),
            ("'7'", Value::Text("7".into())),
            ("1e3", Value::Float(1000.0)),
            ("nan", Value::Text("nan".into())),
        ];
        for (text, value) in cases {
            assert_eq!(parse("a", text).unwrap().value, value, "{text}");
        }
    }
}
