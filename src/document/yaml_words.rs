//! What a parser of YAML says, in words for whoever wrote the document.

/// Parts of the parser's messages, and what to say instead; the first that fits counts.
const MEANINGS: [(&str, &str); 17] = [
    (
        "unprintable character",
        "a character that is no text stands here: is this the right file?",
    ),
    (
        "mapping values are not allowed",
        "a `:` cannot stand here: keys of one mapping begin in the same column, and text with `: ` in it stands in quotes",
    ),
    ("tab", "a tab cannot stand here: indent with spaces"),
    (
        "quoted scalar, found unexpected end",
        "a quote is opened here and never closed",
    ),
    (
        "flow sequence",
        "a `[` before this is not closed, or a `,` is missing",
    ),
    (
        "flow mapping",
        "a `{` before this is not closed, or a `,` is missing",
    ),
    (
        "misplaced bracket",
        "a bracket is closed here that was not opened",
    ),
    ("expected node content", "a value is missing here"),
    (
        "unknown anchor",
        "this alias names nothing that stands before it",
    ),
    (
        "placement of ':'",
        "a `:` cannot stand here: is a `[` or `{` before it not closed?",
    ),
    (
        "block mapping, did not find expected key",
        "a key is expected here: is the line indented like those that it belongs to?",
    ),
    (
        "expected '-' indicator",
        "an entry with `-` is expected here: is the line indented like those above?",
    ),
    ("simple key", "a `:` is missing behind the key"),
    (
        "escape",
        "there is no such escape in double quotes: write `\\\\` for a backslash, or take single quotes",
    ),
    (
        "document start",
        "something follows behind the end of the document",
    ),
    (
        "anchor or alias",
        "a name is missing behind `&` or `*`; text that begins so stands in quotes",
    ),
    (
        "indent",
        "the line is not indented like those that it belongs to",
    ),
];

/// What is wrong, given what the parser says.
pub(super) fn meaning(said: &str) -> String {
    if let Some(character) = said.strip_prefix("unexpected character: `") {
        let character = character.trim_end_matches('\'');
        return format!("text cannot begin with {character} here: put it in quotes");
    }
    MEANINGS
        .iter()
        .find(|(part, _)| said.contains(part))
        .map_or_else(|| said.to_owned(), |(_, meaning)| (*meaning).to_owned())
}
