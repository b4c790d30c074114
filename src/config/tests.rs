mod declarations;
mod fuzz;

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{
    document::{Place, Problem, Problems, parse},
    scenario::Scenario,
    service::SECTIONS,
    simulator::Setup,
    testing::TemporaryFolder,
};

const CONFIGURATION: &str = include_str!("../../config/chatprobe.yaml");
const SCENARIO: &str = include_str!("../../config/scenarios/contact-center-chat.yaml");

#[test]
fn the_shipped_configuration_is_valid() {
    let plan = Plan::load(Path::new("config/chatprobe.yaml"), SECTIONS).unwrap();
    assert_eq!(plan.probes.len(), 2);
    assert_eq!(plan.bursts.len(), 2);
}

/// Loads a configuration whose folder has a secret in the file `key`.
fn load(text: &str, secret: &str) -> Result<Plan, Vec<Problem>> {
    let folder = TemporaryFolder::new();
    fs::write(folder.path().join("key"), secret).unwrap();
    let path = folder.path().join("chatprobe.yaml");
    fs::write(&path, text).unwrap();
    Plan::load(&path, SECTIONS)
}

#[test]
fn settings_are_what_is_written_or_their_defaults() {
    let plan = load("{}", "").unwrap();
    assert_eq!(plan.settings.listen, Listen::default());
    assert_eq!(plan.settings.caps, Caps::default());
    assert!(plan.settings.simulator.is_none() && plan.settings.callback_url.is_none());
    let plan = load(
        "listen: { web: '127.0.0.1:0' }\ncallbacks: { url: 'https://p/x/', early_for: 3s }\n\
         simulator:\nlimits: { max_rate: 60/m }\nshutdown:\n",
        "",
    )
    .unwrap();
    let settings = &plan.settings;
    assert_eq!(settings.listen.web.port(), 0);
    assert_eq!(settings.listen.callbacks, Listen::default().callbacks);
    assert_eq!(settings.callback_url.as_deref(), Some("https://p/x"));
    assert_eq!(settings.callbacks.early_for.as_secs(), 3);
    assert_eq!(settings.caps.max_rate.to_string(), "1/s");
    assert_eq!(settings.shutdown, Shutdown::default());
    let simulator = settings.simulator.as_ref().map(Setup::of_section);
    assert_eq!(simulator.unwrap().unwrap().listen, Setup::DEFAULT_LISTEN);
}

#[test]
fn what_is_read_at_the_start_only_is_told_when_it_changes() {
    let old = load("{}", "").unwrap().settings;
    for (text, sections) in [
        ("limits: { max_active_chats: 5 }\ntargets: {}", &[][..]),
        ("listen: { web: '127.0.0.1:1' }", &["listen"]),
        ("callbacks: { url: 'http://p' }", &["callbacks"]),
        ("callbacks: { early_for: 1s }", &["callbacks"]),
        ("shutdown: { grace: 1s }", &[]),
        (
            "admin: { token_file: key }\nsimulator: {}",
            &["admin", "simulator"],
        ),
        ("health: { start_lateness_p99: 1s }", &["health"]),
    ] {
        let new = load(text, "").unwrap().settings;
        assert_eq!(old.changed_for_restart(&new), sections, "{text}");
    }
}

#[test]
fn a_probe_is_another_one_when_its_secret_or_its_scenario_changes() {
    let probe = |configuration: &str, scenario: &str, secret: &str| {
        let folder = TemporaryFolder::new();
        fs::write(folder.path().join("key"), secret).unwrap();
        fs::write(folder.path().join("s.yaml"), scenario).unwrap();
        let path = folder.path().join("chatprobe.yaml");
        fs::write(&path, configuration).unwrap();
        Plan::load(&path, SECTIONS).unwrap().probes[0].fingerprint
    };
    let configuration = "scenarios: [s.yaml]\n\
        targets: { t: { url: 'http://h', secrets: { key: { file: key } } } }\n\
        probes: { p: { scenario: s, target: t, every: 30s } }";
    let scenario = "scenario: s\nsteps: [{ think: 1s }]";
    let first = probe(configuration, scenario, "a");
    assert_eq!(
        probe(&format!("# c\n{configuration}"), scenario, "a"),
        first
    );
    assert_ne!(probe(configuration, scenario, "b"), first);
    assert_ne!(
        probe(configuration, &scenario.replace("1s", "2s"), "a"),
        first
    );
    assert_ne!(
        probe(&configuration.replace("30s", "31s"), scenario, "a"),
        first
    );
}

/// Reads a text as a configuration and as a scenario; every problem has a place in the text.
fn read_both(text: &str) -> Result<(), TestCaseError> {
    let mut problems = load(text, "s3cret").err().unwrap_or_default();
    match parse("s.yaml", text) {
        Ok(node) => {
            let noted = Problems::default();
            let scenario = Scenario::read(&node, &noted);
            let noted = noted.into_result().err().unwrap_or_default();
            prop_assert_eq!(scenario.is_some(), noted.is_empty());
            problems.extend(noted);
        }
        Err(problem) => problems.push(problem),
    }
    // YAML ends a line with a lone carriage return too.
    let lines = text.split(['\n', '\r']).count();
    for Problem { place, message } in problems {
        let of_a_file = place == Place::whole(place.source.clone());
        let in_the_text = place.line >= 1 && place.line <= lines + 1 && place.column >= 1;
        prop_assert!(of_a_file || in_the_text, "{}: {}", place, message);
        prop_assert!(!message.is_empty());
    }
    Ok(())
}

/// A change such as a slip of the hand makes.
fn slip(text: &str, kind: u8, at: usize, other: usize, with: &str) -> String {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let (at, other) = (at % lines.len(), other % lines.len());
    match kind % 6 {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[other].clone()),
        2 => lines.swap(at, other),
        3 => with.clone_into(&mut lines[at]),
        _ => {
            let line: Vec<char> = lines[at].chars().collect();
            let begin = other % (line.len() + 1);
            let end = (begin + usize::from(kind % 6 == 4)).min(line.len());
            let around = [&line[..begin], &line[end..]];
            lines[at] = around
                .map(|part| part.iter().collect::<String>())
                .join(with);
        }
    }
    lines.join("\n")
}

proptest! {
    #[test]
    fn no_text_breaks_the_loader(text in "(?s).{0,200}") {
        read_both(&text)?;
    }

    #[test]
    fn no_text_that_looks_like_yaml_breaks_the_loader(
        text in "(([a-z]{1,8}|steps|step|http|think|capture): ?|[-&*!|>%@{}\\[\\],#'\"\n \t]|\\{\\{|\\}\\}|[0-9ä☃\u{feff}]){0,60}",
    ) {
        read_both(&text)?;
        read_both(&format!("scenario: s\nsteps:\n- {text}"))?;
    }

    #[test]
    fn no_slip_of_the_hand_breaks_the_loader(
        of_scenario: bool,
        slips in prop::collection::vec(
            (any::<u8>(), any::<usize>(), any::<usize>(), "[ -~ä\n]{0,3}"), 1..4,
        ),
    ) {
        let shipped = if of_scenario { SCENARIO } else { CONFIGURATION };
        let text = slips.iter().fold(shipped.to_owned(), |text, (kind, at, other, with)| {
            slip(&text, *kind, *at, *other, with)
        });
        read_both(&text)?;
    }
}
