//! What the tests of this folder share.

use super::Profile;
use crate::document::{Problems, parse};

/// The profile that `text` stands for.
pub(super) fn profile(text: &str) -> Profile {
    let problems = Problems::default();
    let profile = Profile::read(&parse("a.yaml", text).unwrap(), &problems);
    assert_eq!(problems.into_result(), Ok(()), "{text}");
    profile.unwrap()
}

/// Everything that is said against `text` as a load.
pub(super) fn refused(text: &str) -> Vec<String> {
    let problems = Problems::default();
    Profile::read(&parse("a.yaml", text).unwrap(), &problems);
    messages(problems)
}

/// The problems as a person sees them; there must be some.
pub(super) fn messages(problems: Problems) -> Vec<String> {
    let list = problems.into_result().unwrap_err();
    list.iter().map(ToString::to_string).collect()
}
