//! What people get to read who made a mistake, and that what the documents show is none.
//!
//! Every file in `tests/fixtures/problems` is a configuration or a scenario with mistakes. Its
//! first lines say what is expected: `# expect 12:5: message`, or `# expect other.yaml:12:5: message`
//! for a problem in a file that it names. All problems are compared, in order.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use chatprobe::{
    config::{Plan, read_scenario},
    document::{Problem, Problems, parse},
    load::{Profile, Threshold, ThresholdSubjects},
    scenario::Scenario,
    service::SECTIONS,
    simulator::{BehaviourFaults, Faults, RoomFaults},
};

use crate::support::{Authority, Folder};

const FIXTURES: &str = "tests/fixtures/problems";

/// The files of a folder that are YAML, in order.
fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

fn is_scenario(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("scenario:"))
}

fn problems_of(path: &Path, text: &str) -> Vec<Problem> {
    if is_scenario(text) {
        let problems = Problems::default();
        let scenario = read_scenario(path, &problems);
        let result = problems.into_result();
        let whole = scenario.is_some_and(|read| read.whole().is_some());
        assert_eq!(whole, result.is_ok(), "{}", path.display());
        return result.err().unwrap_or_default();
    }
    Plan::load(path, SECTIONS).err().unwrap_or_default()
}

/// A problem as a fixture writes it: places in the fixture itself without its name.
fn as_expected(problem: &Problem, path: &Path) -> String {
    let own = format!("{}:", path.display());
    let text = problem.to_string();
    let text = text.strip_prefix(&own).unwrap_or(&text);
    text.trim_start().replace(&format!("{FIXTURES}/"), "")
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    let mut differences = String::new();
    let files = yaml_files(FIXTURES);
    assert!(!files.is_empty());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let expected: Vec<_> = text
            .lines()
            .map_while(|line| line.strip_prefix("# expect "))
            .collect();
        let found: Vec<_> = problems_of(&path, &text)
            .iter()
            .map(|problem| as_expected(problem, &path))
            .collect();
        if expected.is_empty() || expected != found {
            let _ = writeln!(differences, "{} has the problems", path.display());
            for problem in found {
                let _ = writeln!(differences, "# expect {problem}");
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_problem_like_any_other() {
    let problems = Plan::load(Path::new("tests/fixtures/missing.yaml"), SECTIONS).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "tests/fixtures/missing.yaml: cannot be read: there is no such file; --config names the configuration"
    );
    let folder = Folder::new();
    let path = folder.path("latin.yaml");
    fs::write(&path, b"scenarios: [caf\xe9]\n").unwrap();
    let problems = Plan::load(&path, SECTIONS).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .ends_with("is not text in UTF-8: byte 16 is 0xe9; save it as UTF-8"),
        "{problems:?}"
    );
    fs::write(&path, "#".repeat(5 * 1024 * 1024)).unwrap();
    let problems = Plan::load(&path, SECTIONS).unwrap_err();
    assert!(problems[0].message.starts_with("is larger than"));
}

#[test]
fn more_problems_than_anybody_reads_are_counted() {
    let folder = Folder::new();
    let path = folder.path("many.yaml");
    let text: String = (0..150).fold("targets: {}\n".to_owned(), |mut text, number| {
        let _ = writeln!(text, "key_number_{number}: 1");
        text
    });
    fs::write(&path, text).unwrap();
    let problems = Plan::load(&path, SECTIONS).unwrap_err();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[100].message, "and 50 more problems");
}

/// The fenced blocks of a document: the words behind the fence, the line it stands on, the text.
fn blocks(document: &str) -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(words), None) => {
                open = Some((words.trim().to_owned(), number + 1, String::new()));
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((.., text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// What stands around a part of a scenario in a document. The part may bring keys of its own.
fn around(part: &str) -> String {
    let given = |key: &str| part.lines().any(|line| line.starts_with(key));
    let mut text = String::from("scenario: example\n");
    if !given("inputs:") {
        text += "inputs: { messages: 2, pause: 2s, limit: 20s }\n";
    }
    if !given("callbacks:") {
        text += "callbacks: { key: event.chatId }\n";
    }
    if !given("steps:") {
        text += "steps: [{ think: 1s }]\n";
    }
    text + part
}

/// What a list of steps in a document may rely on: a chat that was opened.
fn as_steps(list: &str) -> String {
    let indented: String = list.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {line}");
        text
    });
    around(&format!(
        "steps:
  - step: chat_open
    http: {{ post: '{{{{ target.url }}}}/chats' }}
    capture: {{ chat_id: body.id, last_id: body.last }}
    claim: chat_id
{indented}"
    ))
}

fn check_scenario(place: &str, text: &str) {
    let problems = Problems::default();
    match parse(place, text) {
        Ok(node) => drop(Scenario::read(&node, &problems)),
        Err(problem) => problems.add(&problem.place, problem.message),
    }
    if let Err(list) = problems.into_result() {
        panic!("{place}: {list:#?}\n{text}");
    }
}

fn check_configuration(place: &str, text: &str) {
    let folder = Folder::new();
    let path = folder.path("chatprobe.yaml");
    let scenarios = folder.path("scenarios");
    fs::create_dir(&scenarios).unwrap();
    for name in ["contact-center-chat.yaml", "polling-chat.yaml"] {
        let shipped = Path::new("config/scenarios").join(name);
        fs::copy(shipped, scenarios.join(name)).unwrap();
    }
    fs::write(folder.path("api-key"), "s3cret\n").unwrap();
    if text.contains("certificates/") {
        Authority::new().write_to(&folder.path(""));
    }
    // Parts of a configuration get the rest from here.
    let target = "targets: { contact-center: { url: 'https://chat.example.com', variables: { tenant_id: t, channel_provider_id: c } } }";
    let mut whole = text.to_owned();
    for (key, line) in [
        ("targets:", target),
        ("scenarios:", "scenarios: [scenarios]"),
    ] {
        if !text.lines().any(|written| written.starts_with(key)) {
            whole = format!("{whole}\n{line}\n");
        }
    }
    fs::write(&path, &whole).unwrap();
    if let Err(list) = Plan::load(&path, SECTIONS) {
        panic!("{place}: {list:#?}\n{whole}");
    }
}

fn check_load(place: &str, text: &str) {
    let problems = Problems::default();
    let node = parse(place, text).unwrap();
    let load = node.find("load").unwrap_or(&node);
    if node.find("thresholds").is_none() || node.find("load").is_some() {
        let profile = Profile::read(load, &problems);
        assert!(profile.is_some(), "{place}: {:?}", problems.into_result());
    }
    if let Some(thresholds) = node.find("thresholds") {
        let known = ThresholdSubjects {
            scenario: "s",
            steps: &["chat_open", "agent_join"],
            deliveries: true,
        };
        Threshold::read_list(thresholds, Some(&[known]), &problems);
    }
    if let Err(list) = problems.into_result() {
        panic!("{place}: {list:#?}");
    }
}

#[test]
fn what_the_documents_show_is_valid() {
    for name in [
        "docs/scenarios.md",
        "docs/configuration.md",
        "docs/simulator.md",
        "docs/rooms.md",
        "docs/behaviour.md",
    ] {
        let document = fs::read_to_string(name).unwrap();
        let blocks = blocks(&document);
        assert!(!blocks.is_empty(), "{name} has no blocks");
        for (words, line, text) in blocks {
            let place = format!("{name}:{line}");
            match words.as_str() {
                "yaml scenario" if is_scenario(&text) => check_scenario(&place, &text),
                "yaml scenario" => check_scenario(&place, &around(&text)),
                "yaml steps" => check_scenario(&place, &as_steps(&text)),
                "yaml configuration" => check_configuration(&place, &text),
                "yaml faults" => {
                    let faults: Faults = serde_yaml::from_str(&text).unwrap();
                    faults.validate().unwrap();
                }
                "yaml room faults" => {
                    let faults: RoomFaults = serde_yaml::from_str(&text).unwrap();
                    faults.validate().unwrap();
                }
                "yaml behaviour faults" => {
                    let faults: BehaviourFaults = serde_yaml::from_str(&text).unwrap();
                    faults.validate().unwrap();
                }
                "yaml load" => text.lines().for_each(|line| check_load(&place, line)),
                "sh" | "text" => {}
                _ => panic!("{place}: nothing checks a block of `{words}`"),
            }
        }
    }
}

/// Every request of the contract is made by the shipped scenario.
#[test]
fn the_shipped_scenario_makes_every_request_of_the_contact_centre() {
    let plan = Plan::load(Path::new("config/chatprobe.yaml"), SECTIONS).unwrap();
    let scenario = &plan.catalogue.scenarios["contact-center-chat"];
    let steps: Vec<_> = scenario
        .all_steps()
        .iter()
        .map(|step| step.name.to_string())
        .collect();
    assert_eq!(
        steps,
        [
            "webhook_create",
            "session_create",
            "engagement_create",
            "agent_join",
            "send_chat",
            "receive_chat",
            "interact_end",
            "participant_get",
            "engagement_disconnect",
            "session_terminate",
            "webhook_delete",
        ]
    );
    assert!(scenario.observes_agent_join());
    let variables: Vec<_> = scenario.target_variables.keys().collect();
    assert_eq!(variables, ["channel_provider_id", "tenant_id", "url"]);
    assert!(scenario.inputs.iter().all(|input| input.default.is_some()));
}

/// A section or key that the document does not mention does not exist for those who read it.
#[test]
fn the_reference_of_the_configuration_names_every_section() {
    let document = fs::read_to_string("docs/configuration.md").unwrap();
    for section in [
        "targets",
        "scenarios",
        "probes",
        "bursts",
        "limits",
        "listen",
        "callbacks",
        "admin",
        "shutdown",
        "health",
        "simulator",
    ] {
        assert!(
            document.contains(&format!("\n## `{section}`\n")),
            "{section}"
        );
    }
}
