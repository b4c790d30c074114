//! What the engine of expressions says, in words for whoever wrote one.

/// Its names of kinds of values, and ours.
const KINDS: [(&str, &str); 10] = [
    ("string", "text"),
    ("safe string", "text"),
    ("number", "a number"),
    ("sequence", "a list"),
    ("iterator", "a list"),
    ("map", "a mapping"),
    ("bool", "a boolean"),
    ("none", "none"),
    ("undefined", "something undefined"),
    ("bytes", "bytes"),
];

/// Whole messages.
const MEANINGS: [(&str, &str); 20] = [
    (
        "unexpected end of input, expected expression",
        "a value is missing at its end",
    ),
    ("unexpected end of string", "a quote is not closed"),
    (
        "unexpected character",
        "a character here has no meaning; text stands in quotes",
    ),
    (
        "unexpected input after expression",
        "an operator is missing before what follows here",
    ),
    (
        "unexpected end of block",
        "something is missing before `%}`",
    ),
    ("invalid operation", "this cannot be calculated"),
    ("value is not a string", "this is not text"),
    (
        "cannot perform a containment check on this value",
        "`in` looks into lists, mappings and text only",
    ),
    ("invalid float literal", "this is not a number"),
    ("invalid digit found in string", "this is not a number"),
    ("value is not iterable", "this is not a list"),
    ("not iterable", "this is not a list"),
    ("cannot convert value to list", "this is not a list"),
    ("cannot convert value into pairs", "this is not a mapping"),
    ("undefined value", "this is undefined"),
    ("missing argument", "an argument is missing"),
    ("too many arguments", "there are too many arguments"),
    (
        "strings can only be multiplied with integers",
        "text can be repeated a whole number of times only",
    ),
    (
        "sequences and iterables can only be multiplied with integers",
        "a list can be repeated a whole number of times only",
    ),
    (
        "recursion limit exceeded",
        "loops, blocks or macros are more than 100 deep within each other; one of them calls itself without end",
    ),
];

/// What is wrong, given what the engine says. What is not from the engine stays as it is.
pub(super) fn meaning(said: &str) -> String {
    let whole = MEANINGS.iter().find(|(theirs, _)| *theirs == said);
    if let Some((_, ours)) = whole {
        return (*ours).to_owned();
    }
    end(said)
        .or_else(|| unexpected(said))
        .or_else(|| operator(said))
        .or_else(|| calculation(said))
        .or_else(|| conversion(said))
        .or_else(|| method(said))
        .or_else(|| other(said))
        .unwrap_or_else(|| said.to_owned())
}

/// "unexpected end of input, expected `)`"
fn end(said: &str) -> Option<String> {
    let missing = said.strip_prefix("unexpected end of input, expected ")?;
    Some(format!("{} is missing at its end", wanted(missing)))
}

/// "unexpected `.`, expected identifier or integer"
fn unexpected(said: &str) -> Option<String> {
    let (found, missing) = said
        .strip_prefix("unexpected ")?
        .split_once(", expected ")?;
    let found = if found == "identifier" {
        "a name"
    } else {
        found
    };
    Some(format!(
        "{found} stands here where {} belongs",
        wanted(missing)
    ))
}

/// "tried to use + operator on unsupported types number and string"
fn operator(said: &str) -> Option<String> {
    let (operator, types) = said
        .strip_prefix("tried to use ")?
        .split_once(" operator on unsupported types ")?;
    let (one, other) = types.split_once(" and ")?;
    Some(format!(
        "`{operator}` cannot join {} and {}",
        kind(one),
        kind(other)
    ))
}

/// "unable to calculate 2 / 0"
fn calculation(said: &str) -> Option<String> {
    let calculation = said.strip_prefix("unable to calculate ")?;
    Some(format!("{calculation} cannot be calculated"))
}

/// "cannot convert string to i32"
fn conversion(said: &str) -> Option<String> {
    let (from, to) = said.strip_prefix("cannot convert ")?.split_once(" to ")?;
    let is_number = |to: &str| to.starts_with(['i', 'u', 'f']) && to[1..].parse::<u8>().is_ok();
    let to = match to {
        "integer" | "float" | "usize" | "isize" => "a number",
        to if is_number(to) => "a number",
        "bool" => "a boolean",
        "string" => "text",
        _ => return None,
    };
    Some(format!("{} stands where {to} belongs", kind(from)))
}

/// "string has no method named foo"
fn method(said: &str) -> Option<String> {
    let (of, name) = said.split_once(" has no method named ")?;
    Some(format!("{} has no method `{name}`", kind(of)))
}

fn other(said: &str) -> Option<String> {
    if let Some(of) = said.strip_prefix("cannot calculate length of value of type ") {
        return Some(format!("{} has no length", kind(of)));
    }
    if let Some(name) = said.strip_prefix("unknown statement ") {
        return Some(format!("there is no statement `{name}` here"));
    }
    if let Some(name) = said.strip_prefix("unknown keyword argument ") {
        let name = name.trim_matches(['`', '\'']);
        return Some(format!("there is no argument `{name}`"));
    }
    if let Some(of) = said.strip_suffix(" is not callable")
        && let Some(of) = of.strip_prefix("value of type ")
    {
        return Some(format!("{} is not a function", kind(of)));
    }
    let of = said.strip_suffix(" is not iterable")?;
    Some(format!("{} is not a list", kind(of)))
}

fn wanted(missing: &str) -> &str {
    match missing {
        "expression" => "a value",
        "identifier" => "a name",
        "identifier or integer" => "a name or a number",
        "end of block" => "`%}`",
        "end of variable block" => "`}}`",
        other => other,
    }
}

fn kind(theirs: &str) -> &str {
    KINDS
        .iter()
        .find(|(known, _)| *known == theirs)
        .map_or(theirs, |(_, ours)| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_engine_are_told_without_its_types() {
        for (theirs, ours) in [
            (
                "unexpected end of input, expected `)`",
                "`)` is missing at its end",
            ),
            (
                "unexpected `.`, expected identifier or integer",
                "`.` stands here where a name or a number belongs",
            ),
            (
                "tried to use + operator on unsupported types number and string",
                "`+` cannot join a number and text",
            ),
            ("unable to calculate 2 / 0", "2 / 0 cannot be calculated"),
            (
                "cannot convert string to i32",
                "text stands where a number belongs",
            ),
            ("string has no method named foo", "text has no method `foo`"),
            (
                "value of type number is not callable",
                "a number is not a function",
            ),
            ("map is not iterable", "a mapping is not a list"),
            ("`-2s` is negative", "`-2s` is negative"),
        ] {
            assert_eq!(meaning(theirs), ours);
        }
    }
}
