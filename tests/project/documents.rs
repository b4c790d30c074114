//! What README and documents tell people to type can be typed.

use std::collections::BTreeMap;

use chatprobe::{
    cli::Cli,
    event::Fate,
    inbox::{MOST_BYTES, MOST_EVENTS},
    simulator::{
        BehaviourFaults, BehaviourSettings, BehaviourStatus, CentreSettings, EventKind, Faults,
        Quirks, RequestKind, RoomFaults, RoomsSettings,
    },
};
use clap::Parser as _;
use serde_json::Value;

use crate::support::{Folder, Service, free_address, shipped, write_scenarios};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "docs/behaviour.md",
    "docs/configuration.md",
    "docs/pushing.md",
    "docs/rooms.md",
    "docs/scenarios.md",
    "docs/simulator.md",
];

/// The commands in the `sh` blocks of a document, as a shell splits them.
fn commands(document: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(document).unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let shell: String = blocks
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect();
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote, mut comment) = (String::new(), None, false);
    let mut characters = shell.replace("\\\n", " ").chars().collect::<Vec<_>>();
    characters.push('\n');
    for c in characters {
        match (c, quote) {
            ('\n', None) => {
                comment = false;
                commands.last_mut().unwrap().push(std::mem::take(&mut word));
                commands.push(Vec::new());
            }
            _ if comment => {}
            ('#', None) if word.is_empty() => comment = true,
            (' ', None) => commands.last_mut().unwrap().push(std::mem::take(&mut word)),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, _) => word.push(c),
        }
    }
    for command in &mut commands {
        command.retain(|word| !word.is_empty());
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn every_command_is_written_as_a_newcomer_can_run_it_and_is_understood() {
    let mut understood = 0;
    for document in DOCUMENTS {
        for command in commands(document) {
            let words: Vec<_> = command.iter().map(String::as_str).collect();
            match words[..] {
                ["cargo", "run", "--release", "--", ref arguments @ ..] => {
                    let arguments = [&["chatprobe"], arguments].concat();
                    if let Err(error) = Cli::try_parse_from(arguments) {
                        panic!("{document}: {command:?}: {error}");
                    }
                    understood += 1;
                }
                [script, ..] if script.starts_with("deploy/") || script == "ci/test" => {
                    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
                    assert!(script.is_file(), "{document}: {command:?}");
                }
                ["docker", "compose", ..]
                | ["cargo", "run", "--release"]
                | ["curl" | "kill" | "redis-server" | "redis-cli", ..] => {}
                _ => panic!("{document}: nobody knows how to run {command:?}"),
            }
        }
    }
    assert!(understood >= 5, "{understood}");
}

/// The service as shipped, on ports that are free.
async fn shipped_service() -> Service {
    let folder = Folder::new();
    let mut text = std::fs::read_to_string(shipped("chatprobe.yaml")).unwrap();
    for address in [
        "127.0.0.1:4000",
        "127.0.0.1:8080",
        "127.0.0.1:8001",
        "127.0.0.1:14222",
    ] {
        assert!(text.contains(address));
        text = text.replace(address, &free_address().to_string());
    }
    write_scenarios(&folder);
    Service::start_in(folder, &text, &[], &[]).await
}

#[tokio::test]
async fn every_burst_that_the_documents_start_is_taken_beside_those_before_it() {
    let service = shipped_service().await;
    let mut bodies = 0;
    for document in DOCUMENTS {
        for command in commands(document) {
            let body = command.iter().find(|word| word.starts_with('{'));
            let Some(body) = body.filter(|_| command[0] == "curl") else {
                continue;
            };
            let to = command.iter().find(|word| word.starts_with("http://"));
            // Others go to the simulator.
            let path = to.unwrap().strip_prefix("http://127.0.0.1:8080");
            if let Some(path @ "/api/v1/bursts") = path {
                let answer = service.order("POST", path, body).await;
                assert_eq!(answer.status, 202, "{document}: {command:?}: {answer:?}");
                bodies += 1;
            }
        }
    }
    assert!(bodies >= 3, "{bodies}");
}

/// The first table below some words: the cells of its rows by what stands in their first.
fn table(document: &str, above: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(document).unwrap();
    let (_, below) = text.split_once(above).unwrap();
    let lines = below.lines().skip_while(|line| !line.starts_with('|'));
    let mut rows = BTreeMap::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        // Not the head of the table.
        for name in cells.next().unwrap().split(", ") {
            if let Some(name) = name.strip_prefix('`') {
                let name = name.trim_end_matches('`').to_owned();
                rows.insert(name, cells.clone().map(str::to_owned).collect());
            }
        }
    }
    rows
}

/// A default as the tables write it; nothing for one that has parts.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("never".to_owned()),
        Value::Array(list) if list.is_empty() => Some("none".to_owned()),
        Value::Array(list) => {
            let names: Vec<_> = list.iter().map(|name| name.as_str().unwrap()).collect();
            Some(format!("`[{}]`", names.join(", ")))
        }
        Value::String(text) => Some(format!("`{text}`")),
        Value::Object(_) => None,
        Value::Bool(_) | Value::Number(_) => Some(format!("`{value}`")),
    }
}

/// The keys are those of the table of a document, and their defaults those of its column.
fn assert_told(document: &str, above: &str, settings: &Value, column: usize) {
    let table = table(document, above);
    let of_centre = |key: &&String| {
        document != SIMULATOR || !["listen", "rooms", "behaviour"].contains(&key.as_str())
    };
    let told: Vec<_> = table.keys().filter(of_centre).collect();
    let keys: Vec<_> = settings.as_object().unwrap().keys().collect();
    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(told, sorted, "{above}");
    for key in keys {
        if let Some(default) = written(&settings[key]) {
            let told = &table[key][column];
            let none = settings[key].is_null() && told == "none";
            assert!(none || *told == default, "{above}: {key}: {told}");
        }
    }
}

const SIMULATOR: &str = "docs/simulator.md";
const ROOMS: &str = "docs/rooms.md";
const BEHAVIOUR: &str = "docs/behaviour.md";

#[test]
fn every_setting_of_the_simulator_is_told_with_its_default() {
    let settings = serde_json::to_value(CentreSettings::default()).unwrap();
    assert_told(SIMULATOR, "## Settings", &settings, 1);
    assert_told(SIMULATOR, "Under `delivery`:", &settings["delivery"], 1);
    assert_told(SIMULATOR, "Under `limits`:", &settings["limits"], 1);
    let quirks = |quirks: Quirks| serde_json::to_value(quirks).unwrap();
    assert_told(SIMULATOR, "## Quirks", &quirks(Quirks::default()), 1);
    assert_told(SIMULATOR, "## Quirks", &quirks(Quirks::reference()), 2);
}

#[test]
fn every_setting_of_the_rooms_is_told_with_its_default() {
    let settings = serde_json::to_value(RoomsSettings::default()).unwrap();
    assert_told(ROOMS, "## Settings", &settings, 1);
    assert_told(ROOMS, "Under `support`:", &settings["support"], 1);
    assert_told(ROOMS, "Under `limits`;", &settings["limits"], 1);
}

#[test]
fn every_setting_of_the_behaviour_service_is_told_with_its_default() {
    let settings = serde_json::to_value(BehaviourSettings::default()).unwrap();
    assert_told(BEHAVIOUR, "## Settings", &settings, 1);
    assert_told(BEHAVIOUR, "Under `limits`:", &settings["limits"], 1);
}

/// The text of the example that a document shows in a block of this kind.
fn example(document: &str, block: &str) -> String {
    let text = std::fs::read_to_string(document).unwrap();
    let begin = format!("```{block}\n");
    let (_, example) = text.split_once(&begin).unwrap();
    example.split("```").next().unwrap().to_owned()
}

/// The faults of an example are those of the table of its document, each with its keys.
fn assert_faults_told(document: &str, faults: &Value) {
    let mut parts = BTreeMap::new();
    for (key, value) in faults.as_object().unwrap() {
        match (key.as_str(), value) {
            ("events" | "agents" | "frames", Value::Object(below)) => {
                parts.extend(
                    below
                        .iter()
                        .map(|(name, value)| (format!("{key}.{name}"), value)),
                );
            }
            (_, Value::Array(values)) => drop(parts.insert(key.clone(), &values[0])),
            (_, value) => drop(parts.insert(key.clone(), value)),
        }
    }
    let table = table(document, "## Faults");
    assert!(table.keys().eq(parts.keys()), "{table:?} and {parts:?}");
    for (name, value) in parts {
        assert!(!value.is_null(), "the example leaves out {name}");
        let takes = &table[&name][0];
        // A distribution of durations is no mapping of the fault's own.
        if takes.starts_with("duration") {
            continue;
        }
        for key in value.as_object().into_iter().flat_map(|map| map.keys()) {
            assert!(
                takes.contains(&format!("`{key}`")),
                "{name}: {key}: {takes}"
            );
        }
    }
}

#[test]
fn every_fault_of_the_simulator_is_told_with_its_keys() {
    let faults: Faults = serde_yaml::from_str(&example(SIMULATOR, "yaml faults")).unwrap();
    assert_faults_told(SIMULATOR, &serde_json::to_value(faults).unwrap());
}

#[test]
fn every_fault_of_the_rooms_is_told_with_its_keys() {
    let faults: RoomFaults = serde_yaml::from_str(&example(ROOMS, "yaml room faults")).unwrap();
    assert_faults_told(ROOMS, &serde_json::to_value(faults).unwrap());
}

#[test]
fn every_fault_and_status_of_the_behaviour_service_is_told() {
    let example = example(BEHAVIOUR, "yaml behaviour faults");
    let faults: BehaviourFaults = serde_yaml::from_str(&example).unwrap();
    assert_faults_told(BEHAVIOUR, &serde_json::to_value(faults).unwrap());
    let fields = table(BEHAVIOUR, "The body of `POST /user/status`");
    let statuses = BehaviourStatus::ALL.map(|status| format!("`{}`", status.as_str()));
    assert_eq!(fields["status"][0], statuses.join(", "));
}

#[test]
fn every_fate_of_an_event_is_explained() {
    let told = table("docs/metrics.md", "## What becomes of an event");
    let told: Vec<_> = told.keys().map(String::as_str).collect();
    let mut fates = Fate::ALL.map(Fate::as_str);
    fates.sort_unstable();
    assert_eq!(told, fates);
}

#[test]
fn the_requests_and_events_that_faults_can_name_are_those_of_the_simulator() {
    let text = std::fs::read_to_string(SIMULATOR).unwrap();
    let named = |begin: &str| -> Vec<String> {
        let (_, list) = text.split_once(begin).unwrap();
        let (list, _) = list.split_once('.').unwrap();
        list.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let (requests, events) = (named("\nRequests are "), named("\nEvents are "));
    assert_eq!((requests.len(), events.len()), (21, 5));
    serde_json::from_value::<Vec<RequestKind>>(requests.into()).unwrap();
    serde_json::from_value::<Vec<EventKind>>(events.into()).unwrap();
}

#[tokio::test]
async fn the_requests_of_the_admin_api_exist() {
    let service = shipped_service().await;
    let api = service.read("/api/v1/openapi.json").await.body;
    let text = std::fs::read_to_string("docs/configuration.md").unwrap();
    let (_, below) = text.split_once("### Admin API").unwrap();
    let mut requests = 0;
    for line in below.lines().skip_while(|line| !line.starts_with('|')) {
        let Some(cell) = line.strip_prefix("| `") else {
            if line.is_empty() {
                break;
            }
            continue;
        };
        let (cell, _) = cell.split_once(" |").unwrap();
        let (method, paths) = cell.split_once(' ').unwrap();
        for path in paths.split(", ") {
            let path = path.trim_matches('`');
            let known = &api["paths"][path][method.to_lowercase()];
            assert!(known.is_object(), "{method} {path}");
            requests += 1;
        }
    }
    assert_eq!(requests, 27);
}

#[test]
fn the_limits_of_an_inbox_are_as_documented() {
    let events = format!("{},{:03} events", MOST_EVENTS / 1_000, MOST_EVENTS % 1_000);
    let bytes = format!("{} MiB", MOST_BYTES / (1024 * 1024));
    for document in ["docs/design.md", "docs/metrics.md", "docs/scenarios.md"] {
        let text = std::fs::read_to_string(document).unwrap();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, behind) = words.split_once(&events).expect(document);
        let near: String = behind.chars().take(100).collect();
        assert!(near.contains(&bytes), "{document}: {near}");
    }
}
