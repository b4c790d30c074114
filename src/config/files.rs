use std::{
    borrow::Cow,
    env,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::environment;
use crate::{
    document::{Node, Place, Problem, Problems, parse_noting},
    scenario::Scenario,
};

/// Larger files are not configuration.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Reads a YAML file, noting keys that are given twice.
///
/// # Errors
/// It cannot be read, is too large, or is no YAML.
pub(super) fn read_file(path: &Path, problems: &Problems) -> Result<Node, Problem> {
    let shown = path.display().to_string();
    parse_noting(shown.as_str(), &read_text(path)?, problems)
}

/// Reads the file of a configuration, with the environment put in and without the keys at its top that
/// begin with `x-`.
///
/// # Errors
/// As [`read_file`] does.
pub fn read_configuration(path: &Path, problems: &Problems) -> Result<Node, Problem> {
    let shown = path.display().to_string();
    let lookup = |name: &str| env::var(name);
    parse_configuration(&shown, &read_text(path)?, &lookup, problems)
}

pub(super) fn parse_configuration(
    source: &str,
    text: &str,
    lookup: environment::Lookup<'_>,
    problems: &Problems,
) -> Result<Node, Problem> {
    let shielded = environment::shield(text);
    let mut node = parse_noting(source, &shielded, problems)?;
    if let Cow::Owned(_) = shielded {
        environment::unshield(&mut node);
    }
    let mut node = node.without_extensions().into_owned();
    environment::insert(&mut node, lookup, problems);
    Ok(node)
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let shown = path.display().to_string();
    let problem = |message: String| Problem {
        place: Place::whole(shown.clone()),
        message,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
        .map_err(|error| problem(format!("cannot be read: {error}")))?;
    if text.len() as u64 > LARGEST {
        return Err(problem(format!("is larger than {LARGEST} bytes")));
    }
    Ok(text)
}

/// Reads a scenario file, noting every problem.
pub fn read_scenario(path: &Path, problems: &Problems) -> Option<Scenario> {
    let before = problems.count();
    match read_file(path, problems) {
        Ok(node) => Scenario::read(&node, problems).filter(|_| problems.count() == before),
        Err(problem) => {
            problems.add(&problem.place, problem.message);
            None
        }
    }
}

/// The scenario files that a path stands for: itself, or the YAML files in it. Those that begin with a
/// dot are locks and copies that editors and systems make.
pub(super) fn scenario_files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let is_yaml = file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        let is_hidden = file
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_yaml && !is_hidden {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
