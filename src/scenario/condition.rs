//! Conditions before a run: whether `when` holds, as far as the inputs decide.

use std::{collections::BTreeSet, sync::Arc};

use minijinja::Value;

use super::{Expression, Scope, expression::Undefined};

/// What is known of a chat before it runs.
pub(super) struct StaticScope<'a> {
    /// With the inputs, the target and, inside a repeat, the round.
    pub(super) scope: &'a Arc<Scope>,
    /// Variables whose values `scope` has.
    pub(super) variables: &'a [&'static str],
    /// Captures that exist for certain, whatever their values are.
    pub(super) captures: &'a BTreeSet<Arc<str>>,
}

impl StaticScope<'_> {
    /// Whether the condition holds; `None` if that depends on what is not known yet.
    pub(super) fn holds(&self, condition: &Expression) -> Option<bool> {
        self.decide(condition.source())
    }

    /// Of `and` and `or` one side may decide alone.
    fn decide(&self, source: &str) -> Option<bool> {
        let source = without_brackets(source);
        let words = top_words(source);
        let has = |word: &str| words.iter().any(|(_, found)| *found == word);
        if has("if") || has("else") {
            return self.evaluate(source);
        }
        for (word, decisive) in [("or", true), ("and", false)] {
            if has(word) {
                let sides: Vec<_> = split(source, word, &words)
                    .into_iter()
                    .map(|side| self.decide(side))
                    .collect();
                if sides.contains(&Some(decisive)) {
                    return Some(decisive);
                }
                return (!sides.contains(&None)).then_some(!decisive);
            }
        }
        match words.first() {
            Some((0, "not")) => self.decide(&source["not".len()..]).map(|holds| !holds),
            _ => self.evaluate(source),
        }
    }

    fn evaluate(&self, source: &str) -> Option<bool> {
        if let Some(defined) = self.is_defined(source) {
            return Some(defined);
        }
        let environment = Undefined::Allowed.environment();
        // Part of an expression that was read, so it compiles.
        let expression = environment.compile_expression(source).ok()?;
        let used = expression.undeclared_variables(false);
        if !used
            .iter()
            .all(|name| self.variables.contains(&name.as_str()))
        {
            return None;
        }
        let value = expression.eval(Value::from_dyn_object(self.scope.clone()));
        // As in a chat: what cannot be computed does not hold.
        Some(value.is_ok_and(|value| value.is_true()))
    }

    /// `x is defined`, `x is not defined` and `x is undefined` of a capture that exists.
    fn is_defined(&self, source: &str) -> Option<bool> {
        let words: Vec<_> = source.split_whitespace().collect();
        let (name, defined) = match words[..] {
            [name, "is", "defined"] => (name, true),
            [name, "is", "not", "defined"] | [name, "is", "undefined"] => (name, false),
            _ => return None,
        };
        self.captures.contains(name).then_some(defined)
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
        StaticScope {
            scope: &Arc::new(scope),
            variables: &["inputs", "passed"],
            captures: &BTreeSet::from(["session".into()]),
        }
        .decide(source)
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
