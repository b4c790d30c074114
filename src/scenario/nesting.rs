//! How long a chain an expression may be. minijinja follows chains of operators and of `elif` by recursion, and a
//! stack that overflows ends the process.

use super::mistake::Mistake;

/// In one expression. Each takes up to some kilobytes of a stack of two megabytes.
const MOST_OPERATORS: usize = 500;
/// Brackets within each other. A call in a call takes 20 kilobytes in a build without optimizations.
const MOST_BRACKETS: usize = 50;
/// In one expression, between arguments and items. minijinja counts arguments in 16 bits.
const MOST_COMMAS: usize = 50_000;
/// Of a name, in bytes. It is compared whenever somebody looks for it.
const MOST_NAME: usize = 1_000;
/// In a `macro` or `call`, between parameters. Their names are copied whenever somebody looks at it.
const MOST_PARAMETERS: usize = 100;
/// `elif` in one template.
const MOST_BRANCHES: usize = 100;

/// What is wrong with an expression that is too long a chain.
pub(super) fn in_expression(source: &str) -> Result<(), String> {
    check(&tag(source, None))
}

/// The same for a template with statements; it is wrong where the tag begins.
pub(super) fn in_program(text: &str) -> Result<(), Mistake> {
    let (mut at, mut branches) = (0, 0);
    while let Some(TagBegin { at: open, end }) = next_tag(&text[at..]) {
        let begin = at + open;
        let inside = begin + 2;
        let Some(end) = end else {
            at = text[inside..]
                .find("#}")
                .map_or(text.len(), |end| inside + end);
            continue;
        };
        let tag = tag(&text[inside..], Some(end));
        let mistake = |message| Mistake { at: begin, message };
        check(&tag).map_err(mistake)?;
        let word = text[inside..].trim_start_matches(['-', '+']).trim_start();
        let has_parameters = word.starts_with("macro") || word.starts_with("call");
        if has_parameters && tag.commas > MOST_PARAMETERS {
            let message = format!("this `macro` or `call` has more than {MOST_PARAMETERS} commas");
            return Err(mistake(message));
        }
        branches += usize::from(word.starts_with("elif"));
        if branches > MOST_BRANCHES {
            let message = format!("this template has more than {MOST_BRANCHES} `elif`");
            return Err(mistake(message));
        }
        at = inside + tag.length;
    }
    Ok(())
}

fn check(tag: &Tag) -> Result<(), String> {
    if tag.deepest > MOST_BRACKETS {
        return Err(format!(
            "this expression has more than {MOST_BRACKETS} brackets within each other. Split it, for instance by `capture`"
        ));
    }
    if tag.commas > MOST_COMMAS {
        return Err(format!(
            "this expression has more than {MOST_COMMAS} commas. Split it, for instance by `capture`"
        ));
    }
    if tag.longest_name > MOST_NAME {
        return Err(format!(
            "this expression has a name or number of more than {MOST_NAME} bytes"
        ));
    }
    let operators = tag.operators;
    if operators > MOST_OPERATORS {
        return Err(format!(
            "this expression has {operators} operators, dots and brackets; {MOST_OPERATORS} are the most. Split it, \
             for instance by `capture`"
        ));
    }
    Ok(())
}

/// Where a tag of a template begins.
struct TagBegin {
    /// In bytes, from the beginning of the text.
    at: usize,
    /// What ends it; `None` for a comment, which has no operators.
    end: Option<&'static str>,
}

/// The next tag of a template.
fn next_tag(text: &str) -> Option<TagBegin> {
    let mut open = text.match_indices('{');
    open.find_map(|(at, _)| {
        let end = match text.as_bytes().get(at + 1)? {
            b'{' => Some("}}"),
            b'%' => Some("%}"),
            b'#' => None,
            _ => return None,
        };
        Some(TagBegin { at, end })
    })
}

/// What stands outside quotes up to the end of a tag.
struct Tag {
    operators: usize,
    commas: usize,
    /// Brackets within each other.
    deepest: usize,
    /// Of names and numbers, in bytes.
    longest_name: usize,
    /// In bytes.
    length: usize,
}

fn tag(source: &str, end: Option<&str>) -> Tag {
    let (mut operators, mut commas) = (0, 0);
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut name, mut longest_name) = (0, 0);
    let mut quote = None;
    let mut escaped = false;
    // Operators that are words stand behind white space, a quote or a number.
    let mut may_be_word = false;
    for (here, c) in source.char_indices() {
        if let Some(open) = quote {
            quote = (escaped || c != open).then_some(open);
            escaped = c == '\\' && !escaped;
            may_be_word = quote.is_none();
            continue;
        }
        if depth == 0 && end.is_some_and(|end| source[here..].starts_with(end)) {
            return Tag {
                operators,
                commas,
                deepest,
                longest_name,
                length: here,
            };
        }
        name = if is_part_of_name(c) {
            name + c.len_utf8()
        } else {
            0
        };
        longest_name = longest_name.max(name);
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
                operators += 1;
            }
            ',' => commas += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '-' | '+' | '*' | '/' | '%' | '~' | '|' | '<' | '>' | '=' | '!' | '.' => operators += 1,
            _ if may_be_word && !c.is_whitespace() => {
                operators += usize::from(begins_with_operator(&source[here..]));
            }
            _ => {}
        }
        may_be_word = c.is_whitespace() || c.is_ascii_digit();
    }
    Tag {
        operators,
        commas,
        deepest,
        longest_name,
        length: source.len(),
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn begins_with_operator(source: &str) -> bool {
    ["not", "and", "or", "if", "in", "is"].iter().any(|word| {
        let behind = source.strip_prefix(word);
        behind.is_some_and(|behind| !behind.starts_with(is_part_of_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_chains_are_refused_before_they_are_followed() {
        for operator in [
            "-", "not ", "1 + ", "1 ~ ", "a.", "1 if ", "1 in ", "'a'in", "a | ", "1and\n\n",
        ] {
            let chain = |length| operator.repeat(length) + "1";
            assert_eq!(in_expression(&chain(150)), Ok(()), "{operator}");
            assert!(in_expression(&chain(1_000)).is_err(), "{operator}");
            let program = format!(
                "{{% if a %}}{{{{ '}}}}' ~ {{'a': {{}}}} ~ {} }}}}",
                chain(1_000)
            );
            let Mistake { at, message } = in_program(&program).unwrap_err();
            assert_eq!(at, "{% if a %}".len(), "{operator}");
            assert!(message.contains("500 are the most"), "{message}");
        }
    }

    #[test]
    fn brackets_are_not_followed_deeper_than_a_stack_allows() {
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("a(", ")"),
            ("a[", "]"),
            ("{'a': ", "}"),
        ] {
            let deep = |depth| open.repeat(depth) + "'('" + &close.repeat(depth);
            assert_eq!(in_expression(&deep(50)), Ok(()), "{open}");
            let side_by_side = vec![deep(1); 200].join(",");
            assert_eq!(in_expression(&side_by_side), Ok(()), "{open}");
            let message = in_expression(&deep(51)).unwrap_err();
            assert!(message.contains("more than 50 brackets"), "{message}");
            let Mistake { at, .. } = in_program(&format!("{{% if {} %}}", deep(51))).unwrap_err();
            assert_eq!(at, 0);
        }
    }

    #[test]
    fn there_are_no_more_arguments_than_the_compiler_can_count() {
        let call = |commas| format!("dict({}1)", "1,".repeat(commas));
        assert_eq!(in_expression(&call(50_000)), Ok(()));
        let message = in_expression(&call(50_001)).unwrap_err();
        assert!(message.contains("50000 commas"), "{message}");
    }

    #[test]
    fn names_and_parameters_are_no_more_than_a_step_can_look_at() {
        let name = |length| "n".repeat(length);
        assert_eq!(in_expression(&name(1_000)), Ok(()));
        assert_eq!(in_expression(&format!("a['{}']", name(1_001))), Ok(()));
        for expression in [name(1_001), format!("a.{}", "ü".repeat(501))] {
            let message = in_expression(&expression).unwrap_err();
            assert!(message.contains("more than 1000 bytes"), "{message}");
        }
        for tag in ["macro m(", "-call(", "call m("] {
            let of = |commas| format!("x{{%{tag}{}b) %}}{{% endmacro %}}", "a,".repeat(commas));
            assert_eq!(in_program(&of(100)), Ok(()), "{tag}");
            let Mistake { at, message } = in_program(&of(101)).unwrap_err();
            assert_eq!(at, 1);
            assert!(message.contains("more than 100 commas"), "{message}");
        }
    }

    #[test]
    fn what_stands_in_quotes_comments_and_between_tags_is_no_chain() {
        let dashes = "-".repeat(2_000);
        assert_eq!(
            in_expression(&format!(r#"'{dashes}\'{dashes}' ~ "{dashes}""#)),
            Ok(())
        );
        let program = format!(
            "{dashes}{{# {dashes} #}}{{%- if a -%}}{{{{ '{dashes}' }}}}{dashes}{{% endif %}}"
        );
        assert_eq!(in_program(&program), Ok(()));
        let branches =
            |count| "{% if a %}".to_owned() + &"{%- elif b %}".repeat(count) + "{% endif %}";
        assert_eq!(in_program(&branches(100)), Ok(()));
        let Mistake { message, .. } = in_program(&branches(101)).unwrap_err();
        assert_eq!(message, "this template has more than 100 `elif`");
    }
}
