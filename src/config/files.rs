use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

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
pub fn read_file(path: &Path, problems: &Problems) -> Result<Node, Problem> {
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
    parse_noting(shown.as_str(), &text, problems)
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

/// The scenario files that a path stands for: itself, or the YAML files in it.
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
        if is_yaml {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
