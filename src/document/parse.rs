use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Entry, Node, Place, Problem, Problems, Value, merge::Merge, scalar, yaml_words};

/// Deeper nesting than this is a mistake or an attack, and would exhaust the stack.
const DEEPEST: usize = 64;
/// Aliases copy what they name; this many nodes bound what a small file can grow to.
const MOST_NODES: usize = 200_000;
/// Bytes of text, likewise.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Parses one YAML (or JSON) document. Keys must be unique scalars; of tags only `!!str` counts.
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
    // A byte order mark is no part of the document.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        problems,
        parser: Parser::new_from_str(text),
        source: source.into(),
        lines: Lines::new(text),
        is_json: is_json(text),
        anchors: HashMap::new(),
        size: Size::default(),
    };
    reader.document()
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

struct Reader<'a> {
    problems: &'a Problems,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    source: Arc<str>,
    lines: Lines<'a>,
    /// In JSON, `null` is nothing and never the text.
    is_json: bool,
    anchors: HashMap<usize, Anchor>,
    /// Of everything so far, copies included.
    size: Size,
}

/// The lines of a document. They are asked for from top to bottom and from left to right, and each is gone
/// through once: a document may be one line.
struct Lines<'a> {
    all: Vec<&'a str>,
    /// The line that was asked for last, how many of its characters are passed, and how many bytes these are.
    line: usize,
    passed: usize,
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            all: text.lines().collect(),
            line: 0,
            passed: 0,
            at: 0,
        }
    }

    /// What stands behind so many characters of a line; both are counted from zero.
    fn behind(&mut self, line: usize, column: usize) -> Option<&'a str> {
        if line != self.line || column < self.passed {
            (self.line, self.passed, self.at) = (line, 0, 0);
        }
        let rest = self.all.get(line)?.get(self.at..)?;
        let wanted = column - self.passed;
        if let Some((more, _)) = rest.char_indices().nth(wanted) {
            self.passed = column;
            self.at += more;
            return rest.get(more..);
        }
        self.passed += rest.chars().count();
        self.at += rest.len();
        None
    }
}

/// What an alias stands for.
#[derive(Clone)]
struct Anchor {
    node: Node,
    size: Size,
    height: usize,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => return Ok(self.node(&span, Value::Null)),
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
                    message: format!("this is not YAML: {}", yaml_words::meaning(error.info())),
                })
            }
            None => Err(Problem {
                place: Place::whole(self.source.clone()),
                message: "the document ends too early".to_owned(),
            }),
        }
    }

    fn value(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Problem> {
        if depth > DEEPEST {
            return Err(self.problem(span, "nested too deeply"));
        }
        let before = self.size;
        self.count(Size { nodes: 1, bytes: 0 }, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(&text, style, tag.as_deref(), span)?, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => list.push(self.value(event, &span, depth + 1)?),
                    }
                }
                (self.node(span, Value::List(list)), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let entries = self.entries(depth)?;
                (self.node(span, Value::Map(entries)), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            _ => return Err(self.problem(span, "the document ends too early")),
        };
        if anchor > 0 {
            let size = Size {
                nodes: self.size.nodes - before.nodes,
                bytes: self.size.bytes - before.bytes,
            };
            // It is kept besides.
            self.count(size, span)?;
            let height = height(&node);
            let kept = Anchor {
                node: node.clone(),
                size,
                height,
            };
            self.anchors.insert(anchor, kept);
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: &Span, depth: usize) -> Result<Node, Problem> {
        let Some(Anchor { size, height, .. }) = self.anchors.get(&anchor) else {
            return Err(self.problem(span, "this alias names nothing that stands before it"));
        };
        if depth + height > DEEPEST {
            return Err(self.problem(span, "nested too deeply"));
        }
        self.count(*size, span)?;
        Ok(self.anchors[&anchor].node.clone())
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = HashSet::new();
        let mut merge = Merge::default();
        loop {
            let (event, span) = self.next()?;
            let (key, style) = match event {
                Event::MappingEnd => return Ok(merge.into(entries)),
                Event::Scalar(key, style, ..) => (key.into_owned(), style),
                _ => {
                    return Err(self.problem(
                        &span,
                        "a key must be a word; a template such as `{{ x }}` stands in quotes",
                    ));
                }
            };
            let bytes = key.len();
            self.count(Size { nodes: 0, bytes }, &span)?;
            let place = self.place_of(&span);
            let (event, span) = self.next()?;
            let node = self.value(event, &span, depth + 1)?;
            if !keys.insert(key.clone()) {
                let message = format!("the key `{key}` is given twice; keep one of them");
                self.problems.add(&place, message);
            } else if key == Merge::KEY && style == ScalarStyle::Plain {
                merge.read(entries.len(), node, self.problems);
            } else {
                entries.push(Entry { key, place, node });
            }
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Node, Problem> {
        let bytes = text.len();
        self.count(Size { nodes: 0, bytes }, span)?;
        let begin = match style {
            ScalarStyle::Plain => Some(0),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(1),
            ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        let value = if style == ScalarStyle::Plain && !is_text {
            scalar::plain(text)
        } else {
            Value::Text(text.to_owned())
        };
        let nothing = self.is_json && value == Value::Null;
        let written = scalar::is_other_than_text(&value) && !nothing && !text.is_empty();
        Ok(Node {
            text_begins: begin.and_then(|begin| self.text_begins(span, begin, text)),
            written: written.then(|| text.into()),
            ..self.node(span, value)
        })
    }

    /// `begin`, if the source shows the text there letter by letter: an escape or a line break
    /// moves what follows it.
    fn text_begins(&mut self, span: &Span, begin: usize, text: &str) -> Option<usize> {
        let line = span.start.line().checked_sub(1)?;
        let shown = self.lines.behind(line, span.start.col() + begin)?;
        shown.starts_with(text).then_some(begin)
    }

    fn count(&mut self, more: Size, span: &Span) -> Result<(), Problem> {
        self.size.nodes = self.size.nodes.saturating_add(more.nodes);
        self.size.bytes = self.size.bytes.saturating_add(more.bytes);
        let beyond = if self.size.nodes > MOST_NODES {
            format!("more than {MOST_NODES} values in one document")
        } else if self.size.bytes > MOST_BYTES {
            format!("more than {MOST_BYTES} bytes of text in one document")
        } else {
            return Ok(());
        };
        Err(self.problem(span, &format!("{beyond}; what an alias names counts again")))
    }

    fn node(&self, span: &Span, value: Value) -> Node {
        Node {
            place: self.place_of(span),
            value,
            text_begins: None,
            written: None,
            is_untyped: false,
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

/// How many levels of lists and mappings there are in a node. Nodes are nested at most
/// [`DEEPEST`] deep.
fn height(node: &Node) -> usize {
    let below = match &node.value {
        Value::List(list) => list.iter().map(height).max(),
        Value::Map(entries) => entries.iter().map(|entry| height(&entry.node)).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}

#[cfg(test)]
mod tests;
