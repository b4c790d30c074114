//! The rules of the house that a reader should not have to check.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot read the project has failed"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Which modules each module may use. The table in `src/lib.rs` says the same in words.
const ARROWS: &[(&str, &[&str])] = &[
    ("body", &[]),
    ("cgroup", &[]),
    ("descriptors", &["plain_words"]),
    ("line_budget", &[]),
    ("plain_words", &[]),
    ("lookups", &["plain_words"]),
    ("printable", &[]),
    ("arrival", &[]),
    (
        "listener",
        &["arrival", "descriptors", "line_budget", "vitals"],
    ),
    ("units", &[]),
    ("vitals", &["descriptors"]),
    ("document", &["units"]),
    (
        "driver",
        &[
            "arrival",
            "body",
            "descriptors",
            "lookups",
            "plain_words",
            "units",
        ],
    ),
    (
        "scenario",
        &["body", "document", "driver", "plain_words", "units"],
    ),
    ("target", &["document", "driver", "plain_words", "scenario"]),
    ("load", &["document", "units"]),
    (
        "preflight",
        &[
            "cgroup",
            "descriptors",
            "driver",
            "load",
            "plain_words",
            "scenario",
            "units",
        ],
    ),
    (
        "simulator",
        &[
            "descriptors",
            "document",
            "listener",
            "lookups",
            "plain_words",
            "units",
        ],
    ),
    (
        "event",
        &[
            "driver", "listener", "scenario", "target", "units", "vitals",
        ],
    ),
    ("inbox", &["body", "event", "scenario"]),
    (
        "callbacks",
        &[
            "arrival",
            "body",
            "descriptors",
            "event",
            "inbox",
            "line_budget",
            "listener",
            "scenario",
            "target",
            "units",
        ],
    ),
    (
        "runner",
        &[
            "callbacks",
            "event",
            "inbox",
            "load",
            "scenario",
            "target",
            "units",
            "vitals",
        ],
    ),
    (
        "report",
        &["event", "printable", "runner", "scenario", "units"],
    ),
    (
        "history",
        &[
            "event",
            "line_budget",
            "plain_words",
            "runner",
            "scenario",
            "target",
            "units",
        ],
    ),
    (
        "push",
        &[
            "document",
            "driver",
            "event",
            "line_budget",
            "record",
            "runner",
            "scenario",
            "target",
        ],
    ),
    (
        "config",
        &[
            "callbacks",
            "document",
            "event",
            "history",
            "load",
            "plain_words",
            "push",
            "runner",
            "scenario",
            "target",
            "units",
        ],
    ),
    (
        "scheduler",
        &[
            "config",
            "document",
            "event",
            "history",
            "load",
            "preflight",
            "push",
            "runner",
            "scenario",
            "units",
        ],
    ),
    (
        "record",
        &[
            "cgroup",
            "descriptors",
            "driver",
            "event",
            "line_budget",
            "listener",
            "scenario",
            "vitals",
        ],
    ),
    (
        "web",
        &[
            "config",
            "document",
            "event",
            "history",
            "line_budget",
            "listener",
            "load",
            "plain_words",
            "printable",
            "record",
            "report",
            "runner",
            "scenario",
            "scheduler",
            "target",
            "units",
        ],
    ),
    (
        "service",
        &[
            "callbacks",
            "config",
            "event",
            "history",
            "listener",
            "plain_words",
            "push",
            "record",
            "runner",
            "scenario",
            "scheduler",
            "simulator",
            "vitals",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "callbacks",
            "config",
            "descriptors",
            "document",
            "driver",
            "event",
            "load",
            "plain_words",
            "preflight",
            "printable",
            "push",
            "record",
            "report",
            "runner",
            "scenario",
            "service",
            "simulator",
            "target",
            "units",
            "vitals",
        ],
    ),
];

pub(super) fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

pub(super) fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            (path, text)
        })
        .collect()
}

/// Tests may look everywhere.
pub(super) fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == "tests" || name.ends_with("tests.rs") || name == "testing.rs"
    })
}

fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("a path below src");
    let first = inside.components().next().expect("a name");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// The code before the module of tests, which is the last of its file. One in a file of its own is only declared, and
/// anywhere.
pub(super) fn without_tests(text: &str) -> &str {
    text.split("mod tests {").next().unwrap_or_default()
}

/// The first names of all paths that begin with a prefix such as `crate::`, also inside `use crate::{ ... }`.
pub(super) fn names_below(prefix: &str, text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let names: Vec<&str> = if let Some(group) = rest.strip_prefix('{') {
            top_level_names(group)
        } else {
            vec![rest]
        };
        used.extend(names.iter().map(|name| {
            let name = name.trim().chars();
            name.take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        }));
    }
    used
}

/// The beginnings of the comma-separated paths of a `use` group.
fn top_level_names(group: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut names = Vec::new();
    let mut begin = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&group[begin..at]);
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn arrows_between_modules_point_one_way() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let modules: BTreeSet<_> = allowed.keys().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module(&path);
        if is_test(&path) || module == "lib" || module == "main" {
            continue;
        }
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!(
                "{}: the module `{module}` is not in the table",
                path.display()
            ));
            continue;
        };
        for used in names_below("crate::", without_tests(&text)) {
            let is_module = modules.contains(used.as_str());
            if is_module && used != module && !may_use.contains(&used.as_str()) {
                wrong.push(format!(
                    "{}: `{module}` must not use `{used}`",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_arrows_has_no_circle() {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<_> = ARROWS.to_vec();
    while !left.is_empty() {
        let (ready, rest): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|(_, uses)| uses.iter().all(|used| done.contains(used)));
        assert!(!ready.is_empty(), "a circle among {rest:?}");
        done.extend(ready.iter().map(|(module, _)| module));
        left = rest;
    }
}

/// A scenario is a file: outside the simulator no code knows the contact centre's protocol.
#[test]
fn no_code_outside_the_simulator_knows_an_engagement() {
    for (path, text) in sources() {
        if module(&path) == "simulator" || is_test(&path) {
            continue;
        }
        let code = without_tests(&text).to_lowercase();
        for word in ["engagement", "/sessions", "participant_", "webhook"] {
            assert!(!code.contains(word), "{} says `{word}`", path.display());
        }
    }
}

/// Words by which code names a protocol, or something that only one protocol has. `header` is none: tables have one.
const OF_PROTOCOLS: [&str; 5] = ["http", "hyper", "cookie", "redirect", "websocket"];

/// Where protocols are named, and why.
const NAMES_PROTOCOLS: &[(&str, &str)] = &[
    ("scenario/action/", "each kind of action has a folder there"),
    ("scenario/clients.rs", "drivers are built there"),
    (
        "scenario/session_values.rs",
        "the values that their sessions keep have names there",
    ),
    ("driver/", "each protocol has a folder there"),
    ("simulator/", "a contact centre to practise on is a server"),
    (
        "web/",
        "the console and the API are a server of the program itself",
    ),
    ("callbacks/", "so is the receiver of events"),
    ("listener/", "both accept connections with it"),
    ("scenario/callbacks.rs", "what the receiver answers"),
    ("target/", "how a target is reached is read there"),
    ("push/", "the databases that results go to speak it"),
    (
        "cli/health.rs",
        "asks the server of the program itself how it is",
    ),
    (
        "scenario/confidential/",
        "what is confidential goes by such names",
    ),
    (
        "scenario/evaluation/functions.rs",
        "`http` is the name of a date format",
    ),
];

/// The lines of code besides comments and the module of tests, with their numbers, without addresses.
fn lines_of_code(text: &str) -> impl Iterator<Item = (usize, String)> {
    let lines = without_tests(text).lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(at, line)| {
        let line = line.to_lowercase();
        (at + 1, line.replace("http://", "").replace("https://", ""))
    })
}

/// A new protocol is a folder of actions and a driver: nothing else has to know it.
#[test]
fn a_protocol_is_named_by_its_action_and_its_driver_alone() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for (path, text) in sources() {
        if is_test(&path) {
            continue;
        }
        let inside = path.strip_prefix("src").expect("a path below src");
        let inside = inside.to_string_lossy();
        let exempt = NAMES_PROTOCOLS.iter().find(|(place, _)| {
            let folder = place.trim_end_matches('/');
            inside.starts_with(place) || *inside == *format!("{folder}.rs")
        });
        let named = lines_of_code(&text)
            .filter(|(_, line)| OF_PROTOCOLS.iter().any(|word| line.contains(word)));
        match exempt {
            Some((place, _)) => {
                if named.count() > 0 {
                    needed.insert(*place);
                }
            }
            None => wrong.extend(named.map(|(at, line)| format!("{inside}:{at}: {line}"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<_> = NAMES_PROTOCOLS.iter().map(|(place, _)| *place).collect();
    assert_eq!(needed, all, "every exemption has to be needed");
}

/// The service and the command line carry out runs in one way, and all listeners accept connections in one.
#[test]
fn runs_are_composed_and_connections_accepted_in_one_place_each() {
    for (code, only) in [
        ("= Engine {", "src/service/composition.rs"),
        ("RunIdentity::new(", "src/runner/spec.rs"),
        (".accept()", "src/listener/mod.rs"),
        ("serve_connection(", "src/listener/mod.rs"),
    ] {
        let sources = sources().into_iter().filter(|(path, text)| {
            !is_test(path)
                && lines_of_code(text).any(|(_, line)| line.contains(&code.to_lowercase()))
        });
        let places: Vec<_> = sources.map(|(path, _)| path).collect();
        assert_eq!(places, [Path::new(only)], "{code}");
    }
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = fs::read_to_string("Cargo.toml").expect("the manifest");
    let section = manifest
        .split("[dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("the dependencies");
    let declared: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().to_owned())
        .collect();
    let document = fs::read_to_string("docs/dependencies.md").expect("the document");
    let documented: BTreeSet<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(declared, documented);
}

/// Its folder names the test that leaves a thread or a process behind, which still writes to the folder.
#[test]
fn tests_have_temporary_folders_from_one_fixture_alone() {
    let library = ["temp", "file::"].concat();
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        rust_files(Path::new(folder), &mut files);
    }
    files.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&library)));
    assert_eq!(files, [Path::new("src/testing.rs")]);
}
