//! How long a chain an expression may be. minijinja follows chains of operators and of `elif` by recursion, and a
//! stack that overflows ends the process.

/// In one expression. Each takes up to some kilobytes of a stack of two megabytes.
const MOST_OPERATORS: usize = 500;
/// `elif` in one template.
const MOST_BRANCHES: usize = 100;

/// What is wrong with an expression that is too long a chain.
pub(super) fn in_expression(source: &str) -> Result<(), String> {
    let (operators, _) = tag(source, None);
    check(operators)
}

/// The same for a template with statements; `Err` has how many bytes into it the tag stands besides.
pub(super) fn in_program(text: &str) -> Result<(), (usize, String)> {
    let (mut at, mut branches) = (0, 0);
    while let Some((open, end)) = opening(&text[at..]) {
        let begin = at + open;
        let inside = begin + 2;
        let Some(end) = end else {
            at = text[inside..]
                .find("#}")
                .map_or(text.len(), |end| inside + end);
            continue;
        };
        let (operators, length) = tag(&text[inside..], Some(end));
        check(operators).map_err(|message| (begin, message))?;
        let word = text[inside..].trim_start_matches(['-', '+']).trim_start();
        branches += usize::from(word.starts_with("elif"));
        if branches > MOST_BRANCHES {
            let message = format!("this template has more than {MOST_BRANCHES} `elif`");
            return Err((begin, message));
        }
        at = inside + length;
    }
    Ok(())
}

fn check(operators: usize) -> Result<(), String> {
    if operators > MOST_OPERATORS {
        return Err(format!(
            "this expression has {operators} operators, dots and brackets; {MOST_OPERATORS} are the most. Split it, \
             for instance by `capture`"
        ));
    }
    Ok(())
}

/// The next tag of a template and what ends it; a comment has no operators.
fn opening(text: &str) -> Option<(usize, Option<&'static str>)> {
    let mut open = text.match_indices('{');
    open.find_map(|(at, _)| match text.as_bytes().get(at + 1)? {
        b'{' => Some((at, Some("}}"))),
        b'%' => Some((at, Some("%}"))),
        b'#' => Some((at, None)),
        _ => None,
    })
}

/// How many operators stand outside quotes up to the end of a tag, and where that is.
fn tag(source: &str, end: Option<&str>) -> (usize, usize) {
    let (mut operators, mut depth) = (0, 0_usize);
    let mut quote = None;
    let mut escaped = false;
    for (here, c) in source.char_indices() {
        if let Some(open) = quote {
            quote = (escaped || c != open).then_some(open);
            escaped = c == '\\' && !escaped;
            if quote.is_none() {
                operators += usize::from(begins_with_operator(&source[here + 1..]));
            }
            continue;
        }
        if depth == 0 && end.is_some_and(|end| source[here..].starts_with(end)) {
            return (operators, here);
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => {
                depth += 1;
                operators += 1;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '-' | '+' | '*' | '/' | '%' | '~' | '|' | '<' | '>' | '=' | '!' | '.' => operators += 1,
            // Those that are words have white space around them.
            c if c.is_whitespace() => {
                operators += usize::from(begins_with_operator(&source[here..]));
            }
            _ => {}
        }
    }
    (operators, source.len())
}

fn begins_with_operator(source: &str) -> bool {
    let word = source
        .trim_start()
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next();
    word.is_some_and(|word| matches!(word, "not" | "and" | "or" | "if" | "in" | "is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_chains_are_refused_before_they_are_followed() {
        for operator in [
            "-", "not ", "1 + ", "1 ~ ", "(", "a.", "1 if ", "1 in ", "'a'in", "a | ",
        ] {
            let chain = |length| operator.repeat(length) + "1";
            assert_eq!(in_expression(&chain(150)), Ok(()), "{operator}");
            assert!(in_expression(&chain(1_000)).is_err(), "{operator}");
            let program = format!(
                "{{% if a %}}{{{{ '}}}}' ~ {{'a': {{}}}} ~ {} }}}}",
                chain(1_000)
            );
            let (at, message) = in_program(&program).unwrap_err();
            assert_eq!(at, "{% if a %}".len(), "{operator}");
            assert!(message.contains("500 are the most"), "{message}");
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
        let (_, message) = in_program(&branches(101)).unwrap_err();
        assert_eq!(message, "this template has more than 100 `elif`");
    }
}
