use super::{Number, Place};

/// A YAML value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub value: Value,
    /// For text on one line: columns from `place` to its first character (1 behind a quote).
    /// `None` where columns inside the text cannot be told, as in a block scalar.
    pub(super) text_begins: Option<usize>,
    /// What was written for a boolean or for nothing, such as `True` and `~`. `None` where nothing was
    /// written at all, and for the `null` of JSON.
    pub(super) written: Option<Box<str>>,
    /// Whether it has no type of its own, because it comes from the command line or the environment: it
    /// is a number, a boolean or text wherever one of them is wanted.
    pub(super) is_untyped: bool,
}

/// What YAML can say, with its plain scalars resolved by the core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order it was written; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a mapping and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: Node,
}
