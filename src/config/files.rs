use std::{
    borrow::Cow,
    env,
    io::{self, Read as _},
    path::{Path, PathBuf},
    string::FromUtf8Error,
    sync::Arc,
};

use super::{Kind, environment, rows::read_rows};
use crate::{
    document::{Node, Place, Problem, Problems, did_you_mean, parse_noting},
    plain_words,
    scenario::{Outline, Scenario, ScenarioRead},
};

/// Larger files are not configuration.
const LARGEST: u64 = 4 * 1024 * 1024;
/// Files of a folder that are looked at for one with a similar name.
const MOST_NEIGHBOURS: usize = 1_000;

/// Reads a YAML file, noting keys that are given twice.
///
/// # Errors
/// It cannot be read, is too large, or is no YAML.
pub fn read_file(path: &Path, problems: &Problems) -> Result<Node, Problem> {
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
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| problem(unreadable(path, &error)))?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(format!(
            "is larger than {LARGEST} bytes; no configuration and no scenario is: is it the right file?"
        )));
    }
    String::from_utf8(bytes).map_err(|error| problem(no_text(&error)))
}

/// Why a file cannot be read, and what to do about it.
fn unreadable(path: &Path, error: &io::Error) -> String {
    let why = plain_words::of_system(error);
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => {
            let hint = similar(path);
            if hint.is_empty() {
                "; is the path right?".to_owned()
            } else {
                hint
            }
        }
        io::ErrorKind::IsADirectory => {
            let files = scenario_files(path).unwrap_or_default();
            let file = files.first().map(|file| file.display().to_string());
            file.map_or_else(
                || "; name a file".to_owned(),
                |file| format!("; name a file in it, such as `{file}`"),
            )
        }
        io::ErrorKind::PermissionDenied => {
            "; give it to the user that chatprobe runs as, or let that read it".to_owned()
        }
        _ => String::new(),
    };
    format!("cannot be read: {why}{remedy}")
}

/// Asks whether a file of a similar name is meant, if there is one.
pub(super) fn similar(path: &Path) -> String {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok();
    let names: Vec<_> = entries
        .into_iter()
        .flatten()
        .take(MOST_NEIGHBOURS)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let wanted = path.file_name().and_then(|name| name.to_str());
    wanted
        .map(|wanted| did_you_mean(wanted, names.iter().map(String::as_str)))
        .unwrap_or_default()
}

fn no_text(error: &FromUtf8Error) -> String {
    let bytes = error.as_bytes();
    let at = error.utf8_error().valid_up_to();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "is text in UTF-16; save it as UTF-8".to_owned();
    }
    if bytes.contains(&0) {
        return "is not text; is it the right file?".to_owned();
    }
    format!(
        "is not text in UTF-8: byte {} is 0x{:02x}; save it as UTF-8",
        at + 1,
        bytes.get(at).copied().unwrap_or_default()
    )
}

/// Reads a scenario file, noting every problem; `None` if nothing can be told of it.
pub fn read_scenario(path: &Path, problems: &Problems) -> Option<ScenarioRead> {
    let before = problems.count();
    let node = match read_file(path, problems) {
        Ok(node) => node,
        Err(problem) => {
            problems.add(&problem.place, problem.message);
            return None;
        }
    };
    if !Kind::Scenario.fits(&node, problems) {
        return None;
    }
    let mut scenario = Scenario::read(&node, problems);
    if let Some(scenario) = &mut scenario {
        read_rows(scenario, path, problems);
    }
    match scenario.filter(|_| problems.count() == before) {
        Some(scenario) => Some(ScenarioRead::Whole(Arc::new(scenario))),
        None => Some(ScenarioRead::Outline(Arc::new(Outline::of(&node)?))),
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
