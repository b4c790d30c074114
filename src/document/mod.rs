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
mod problem;
mod scalar;
mod settings;
mod wording;
mod yaml_words;

pub use mapping::Mapping;
pub use node::{Entry, Node, Value};
pub use number::Number;
pub use parse::{parse, parse_noting};
pub use place::Place;
pub use problem::{Problem, Problems};
pub use settings::{canonical, settings, settings_besides};
pub use wording::of_parameters;

/// The word of `known` that is most like `word`, as `; did you mean ...?` for the end of a message.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.len() / 4 && *distance < candidate.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}
