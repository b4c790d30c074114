//! Conditions before a run: whether `when` holds, as far as the inputs decide.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Expression, Scope,
    evaluation::{Compiled, Undefined},
};

/// What is known of a chat before it runs.
pub(super) struct StaticScope<'a> {
    /// With the inputs, the target and, inside a repeat, the round.
    pub(super) scope: &'a Arc<Scope>,
    /// Variables whose values `scope` has.
    pub(super) variables: &'a [&'static str],
    /// Captures that exist for certain, whatever their values are.
    pub(super) captures: &'a BTreeSet<Arc<str>>,
}

/// A condition whose sides are compiled once, however often it is decided.
pub(super) enum Condition<'a> {
    /// Holds if one of them does.
    Any(Vec<Self>),
    /// Holds if all of them do.
    All(Vec<Self>),
    Not(Box<Self>),
    Whole(Whole<'a>),
}

/// A part of a condition that is decided as a whole.
pub(super) struct Whole<'a> {
    asks_for: Option<AskedFor<'a>>,
    expression: Compiled,
}

/// What `x is defined`, `x is not defined` and `x is undefined` ask.
struct AskedFor<'a> {
    name: &'a str,
    /// Whether it has to be defined.
    defined: bool,
}

impl<'a> Condition<'a> {
    /// `None` if a side of it does not compile by itself.
    pub(super) fn of(condition: &'a Expression) -> Option<Self> {
        Self::read(condition.source())
    }

    /// Of `and` and `or` one side may decide alone.
    fn read(source: &'a str) -> Option<Self> {
        let source = without_brackets(source);
        let words = top_words(source);
        let has = |word: &str| words.iter().any(|(_, found)| *found == word);
        if has("if") || has("else") {
            return Whole::read(source).map(Self::Whole);
        }
        let sides = |word: &str| {
            let sides = split(source, word, &words).into_iter();
            sides.map(Self::read).collect::<Option<Vec<_>>>()
        };
        if has("or") {
            return sides("or").map(Self::Any);
        }
        if has("and") {
            return sides("and").map(Self::All);
        }
        match words.first() {
            Some((0, "not")) => {
                let denied = Self::read(&source["not".len()..])?;
                Some(Self::Not(Box::new(denied)))
            }
            _ => Whole::read(source).map(Self::Whole),
        }
    }

    /// Whether the condition holds; `None` if that depends on what is not known yet.
    pub(super) fn holds(&self, known: &StaticScope<'_>) -> Option<bool> {
        match self {
            Self::Any(sides) => decided_by(true, sides, known),
            Self::All(sides) => decided_by(false, sides, known),
            Self::Not(denied) => denied.holds(known).map(|holds| !holds),
            Self::Whole(whole) => whole.holds(known),
        }
    }
}

/// One side with the decisive answer decides, and otherwise all of them have to be known.
fn decided_by(decisive: bool, sides: &[Condition<'_>], known: &StaticScope<'_>) -> Option<bool> {
    let mut all = true;
    for side in sides {
        match side.holds(known) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => all = false,
        }
    }
    all.then_some(!decisive)
}

impl<'a> Whole<'a> {
    fn read(source: &'a str) -> Option<Self> {
        Some(Self {
            asks_for: AskedFor::read(source),
            expression: Compiled::expression(source, Undefined::Allowed).ok()?,
        })
    }

    fn holds(&self, known: &StaticScope<'_>) -> Option<bool> {
        if let Some(asked) = &self.asks_for
            && known.captures.contains(asked.name)
        {
            return Some(asked.defined);
        }
        if !self
            .expression
            .roots()
            .all(|name| known.variables.contains(&name))
        {
            return None;
        }
        // As in a chat: what cannot be computed does not hold.
        Some(
            self.expression
                .evaluate(known.scope)
                .is_ok_and(|value| value.is_true()),
        )
    }
}

impl<'a> AskedFor<'a> {
    fn read(source: &'a str) -> Option<Self> {
        let words: Vec<_> = source.split_whitespace().collect();
        let (name, defined) = match words[..] {
            [name, "is", "defined"] => (name, true),
            [name, "is", "not", "defined"] | [name, "is", "undefined"] => (name, false),
            _ => return None,
        };
        Some(Self { name, defined })
    }
}

/// The source without brackets around the whole of it.
fn without_brackets(source: &str) -> &str {
    let mut source = source.trim();
    while source.starts_with('(') && closing(source) == Some(source.len() - 1) {
        source = source[1..source.len() - 1].trim();
    }
    source
}

/// Where the bracket is closed with which a source begins.
fn closing(source: &str) -> Option<usize> {
    let mut depth = 0_usize;
    outside_quotes(source).find_map(|(at, c)| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// The words `and`, `or`, `not`, `if` and `else` outside brackets, and where they begin.
fn top_words(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, c) in outside_quotes(source) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && !is_of_word(before) && before != '.' {
            let rest = &source[at..];
            let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            if matches!(&rest[..end], "and" | "or" | "not" | "if" | "else") {
                found.push((at, &rest[..end]));
            }
        }
        before = c;
    }
    found
}

fn split<'a>(source: &'a str, word: &str, words: &[(usize, &str)]) -> Vec<&'a str> {
    let mut sides = Vec::new();
    let mut begin = 0;
    for (at, _) in words.iter().filter(|(_, found)| *found == word) {
        sides.push(&source[begin..*at]);
        begin = at + word.len();
    }
    sides.push(&source[begin..]);
    sides
}

/// The characters that do not stand in quotes; a quote itself is one of them.
fn outside_quotes(source: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut escaped = false;
    source.char_indices().filter(move |(_, c)| match quote {
        Some(_) if escaped => {
            escaped = false;
            false
        }
        Some(open) => {
            escaped = *c == '\\';
            let closes = *c == open;
            if closes {
                quote = None;
            }
            closes
        }
        None => {
            if matches!(c, '"' | '\'') {
                quote = Some(*c);
            }
            true
        }
    })
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;
    use crate::scenario::RunScope;

    fn decided(source: &str) -> Option<bool> {
        let inputs = [
            ("n", Value::from(3)),
            ("word", "a or b".into()),
            ("on", true.into()),
        ];
        let mut scope = Scope::of_run(Arc::new(RunScope {
            inputs: Value::from_pairs(inputs),
            ..RunScope::default()
        }));
        scope.set_passed(true);
        Condition::read(source).unwrap().holds(&StaticScope {
            scope: &Arc::new(scope),
            variables: &["inputs", "passed"],
            captures: &BTreeSet::from(["session".into()]),
        })
    }

    #[test]
    fn what_the_inputs_decide_is_known_and_nothing_else() {
        for (holds, sources) in [
            (
                Some(true),
                [
                    "inputs.n > 2",
                    "passed and inputs.n == 3",
                    "body.x == 1 or inputs.on",
                    "inputs.word == 'a or b'",
                    "not (inputs.n > 3 and body.x)",
                    "session is defined",
                    "(inputs.n in [1, 2, 3])",
                    "not session is undefined and not inputs.n == 4",
                ]
                .as_slice(),
            ),
            (
                Some(false),
                &[
                    "engagement is defined and not passed",
                    "inputs.nothing.at.all",
                    "inputs.n + 'x' > 1",
                    "session is not defined or (inputs.n == 2)",
                    "not passed and (body.x or inputs.on)",
                ],
            ),
            (
                None,
                &[
                    "body.x == 1",
                    "engagement is defined",
                    "session == 'x'",
                    "inputs.on and body.x",
                    "body.or",
                    "inputs.n > 2 if body.x else passed",
                    "now() > 5",
                    "(inputs.on) and (engagement)",
                    "body['and not passed'] == 1",
                ],
            ),
        ] {
            for source in sources {
                assert_eq!(decided(source), holds, "{source}");
            }
        }
    }
}
