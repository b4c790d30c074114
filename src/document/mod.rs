//! A YAML document that remembers where everything stands, and the list of problems found in it.
//!
//! serde reports the first error of a document and loses the place inside enums; a person who
//! edits a configuration wants all of them, each with file, line and column. So the language is
//! read from [`Node`]s, which keep their [`Place`], and every reader goes on after a problem.

mod mapping;
mod merge;
mod node;
mod number;
mod parse;
mod place;
mod places;
mod problem;
mod reading;
mod scalar;
mod settings;
mod wording;
mod yaml_words;

pub use mapping::Mapping;
pub use node::{Entry, Node, Value};
pub use number::Number;
pub use parse::{parse, parse_noting};
pub use place::Place;
pub use places::Places;
pub use problem::{Problem, Problems};
pub use settings::{canonical, settings, settings_besides};
pub use wording::of_parameters;

/// A longer word is no slip of a shorter one's, and takes long to compare.
const LONGEST_WORD: usize = 64;
/// Words of about the same length that are compared with one.
const MOST_COMPARED: usize = 1_000;

/// The word of `known` that is most like `word`, as `; did you mean ...?` for the end of a message. Of very many
/// words only some are looked at.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    if word.len() > LONGEST_WORD {
        return String::new();
    }
    let length = word.chars().count();
    let most = |candidate: &str| 1 + candidate.len() / 4;
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST_WORD)
        // The difference in length is the least distance there is.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most(candidate))
        .take(MOST_COMPARED)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most(candidate) && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_compared_with_those_of_about_its_length_and_with_so_many() {
        let hint = |word: &str, known: &[&str]| did_you_mean(word, known.iter().copied());
        assert_eq!(
            hint("stepss", &["step", "steps", "x"]),
            "; did you mean `steps`?"
        );
        assert_eq!(hint("ab", &["x", "longer"]), "");
        let long = "a".repeat(LONGEST_WORD);
        assert_ne!(hint(&long, &[&long[1..]]), "");
        assert_eq!(hint(&format!("{long}a"), &[&long]), "");
        let mut known = vec!["other"; MOST_COMPARED];
        known.push("stepp");
        assert_eq!(hint("steps", &known), "");
        assert_ne!(hint("steps", &known[1..]), "");
    }

    #[test]
    fn nobody_is_given_a_hint_that_nobody_sees() {
        let (problems, place) = (Problems::default(), Place::whole("a.yaml"));
        for _ in 0..99 {
            problems.add(&place, "a problem");
        }
        assert_ne!(problems.hint("step", ["steps"]), "");
        problems.add(&place, "a problem");
        assert_eq!(problems.hint("step", ["steps"]), "");
    }
}
