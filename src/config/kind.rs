//! Files that were taken for others: what a document is, by the keys at its top.

use crate::document::{Entry, Node, Place, Problems, Value, did_you_mean};

/// What chatprobe reads from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A configuration.
    Configuration,
    /// A scenario.
    Scenario,
}

/// Keys of a configuration that nothing else has.
const OF_CONFIGURATION: [&str; 4] = ["targets", "scenarios", "probes", "bursts"];

/// All its keys.
const MAY_BE_OF_CONFIGURATION: [&str; 13] = [
    "targets",
    "scenarios",
    "probes",
    "bursts",
    "listen",
    "callbacks",
    "limits",
    "health",
    "data",
    "admin",
    "shutdown",
    "push",
    "simulator",
];

/// Those of a scenario that nothing else has.
const OF_SCENARIO: [&str; 2] = ["scenario", "steps"];

/// Documents of others, and keys that all of a kind have.
const OTHERS: [(&[&str], &str); 11] = [
    (&["groups"], "a file of Prometheus rules"),
    (&["scrape_configs"], "a configuration of Prometheus"),
    (&["route", "receivers"], "a configuration of Alertmanager"),
    (&["apiVersion", "kind"], "a manifest of Kubernetes"),
    (&["services"], "a file of Docker Compose"),
    (&["openapi"], "a description of an API"),
    (&["panels"], "a board of Grafana"),
    (&["report", "samples"], "the record of a run"),
    (&["verdict", "chats"], "the report of a run"),
    (&["agents"], "a file of settings for `chatprobe simulate`"),
    (&["dependencies"], "the description of a package"),
];

/// Keys that are quoted of a document that nobody knows.
const MOST_QUOTED: usize = 5;

impl Kind {
    /// What a document is, if it is one of these.
    pub fn of(node: &Node) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            return None;
        };
        let has = |keys: &[&str]| {
            entries
                .iter()
                .any(|entry| keys.contains(&entry.key.as_str()))
        };
        // Others have `callbacks` or `data` as well.
        if has(&OF_SCENARIO) {
            Some(Self::Scenario)
        } else {
            let is_configuration =
                has(&OF_CONFIGURATION) || other(entries).is_none() && has(&MAY_BE_OF_CONFIGURATION);
            is_configuration.then_some(Self::Configuration)
        }
    }

    /// Whether a document may be of this kind. If it is something else altogether, that is noted as the one
    /// problem that it has.
    pub fn fits(self, node: &Node, problems: &Problems) -> bool {
        let Some(message) = self.mistaken_for(node) else {
            return true;
        };
        problems.add(&Place::whole(node.place.source.clone()), message);
        false
    }

    fn mistaken_for(self, node: &Node) -> Option<String> {
        let wanted = self.name();
        let entries = match &node.value {
            Value::Map(entries) if !entries.is_empty() => entries,
            Value::Map(_) => return None,
            Value::Null => {
                return Some(format!(
                    "there is nothing in it; {wanted} begins with {}",
                    self.beginning()
                ));
            }
            _ => {
                let kind = node.kind();
                return Some(format!(
                    "this is {kind} and not {wanted}, which begins with {}",
                    self.beginning()
                ));
            }
        };
        let found = Self::of(node);
        if found == Some(self) {
            return None;
        }
        if let Some(found) = found {
            return Some(found.instead_of(self, &node.place.source));
        }
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
        if let Some(other) = other(entries) {
            return Some(format!("this is {other} and not {wanted} of chatprobe"));
        }
        // One key may be misspelt.
        let known = self.keys();
        let is_close = |key: &&str| !did_you_mean(key, known.iter().copied()).is_empty();
        if keys.iter().any(is_close) {
            return None;
        }
        let shown: Vec<_> = keys.iter().take(MOST_QUOTED).collect();
        let shown: Vec<_> = shown.into_iter().map(|key| format!("`{key}`")).collect();
        let more = if keys.len() > MOST_QUOTED {
            " and more"
        } else {
            ""
        };
        Some(format!(
            "this is not {wanted} of chatprobe: it has {}{more}, and {wanted} begins with {}",
            shown.join(", "),
            self.beginning()
        ))
    }

    fn instead_of(self, wanted: Self, file: &str) -> String {
        match (self, wanted) {
            (Self::Scenario, _) => format!(
                "this is a scenario and not a configuration: `chatprobe check {file}` checks it by itself, and a \
                 configuration names it under `scenarios`"
            ),
            (Self::Configuration, _) => format!(
                "this is a configuration and not a scenario: `--config {file}` takes it, and then a scenario goes by its \
                 name"
            ),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "a configuration",
            Self::Scenario => "a scenario",
        }
    }

    const fn beginning(self) -> &'static str {
        match self {
            Self::Configuration => "keys such as `targets:` and `scenarios:`",
            Self::Scenario => "`scenario: NAME` and has `steps:`",
        }
    }

    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Configuration => &MAY_BE_OF_CONFIGURATION,
            Self::Scenario => &OF_SCENARIO,
        }
    }
}

/// Whose document it is instead.
fn other(entries: &[Entry]) -> Option<&'static str> {
    let has = |key: &&str| entries.iter().any(|entry| entry.key == *key);
    let found = OTHERS.iter().find(|(signs, _)| signs.iter().all(has));
    found.map(|(_, other)| *other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    fn told(kind: Kind, text: &str) -> Option<String> {
        let problems = Problems::default();
        let fits = kind.fits(&parse("x.yaml", text).unwrap(), &problems);
        let told = problems.into_result().err().map(|list| {
            assert_eq!((list.len(), list[0].place.line), (1, 0), "{text}");
            list[0].message.clone()
        });
        assert_eq!(fits, told.is_none());
        told
    }

    #[test]
    fn a_file_that_is_something_else_is_one_problem() {
        for (text, says) in [
            (
                "scenario: a\nsteps: []",
                "a scenario and not a configuration",
            ),
            (
                "steps: []\ncallbacks: {}",
                "a scenario and not a configuration",
            ),
            ("groups: []", "Prometheus rules"),
            ("services: {}\nvolumes: {}", "Docker Compose"),
            ("{ \"report\": {}, \"samples\": [] }", "the record of a run"),
            ("apiVersion: v1\nkind: ConfigMap\ndata: {}", "Kubernetes"),
            ("a: 1\nb: 2", "it has `a`, `b`"),
            ("", "there is nothing in it"),
            ("# nothing", "there is nothing in it"),
            ("hello", "this is text"),
            ("[1]", "this is a list"),
        ] {
            let told = told(Kind::Configuration, text);
            assert!(
                told.as_ref().is_some_and(|it| it.contains(says)),
                "{told:?}"
            );
        }
        for (text, says) in [
            (
                "targets: {}\nprobes: {}",
                "a configuration and not a scenario",
            ),
            ("groups: []", "Prometheus rules"),
            ("", "there is nothing in it"),
        ] {
            let told = told(Kind::Scenario, text);
            assert!(
                told.as_ref().is_some_and(|it| it.contains(says)),
                "{told:?}"
            );
        }
    }

    #[test]
    fn what_may_be_meant_is_read_as_it_is() {
        for text in ["{}", "target: {}", "targets: {}\nservices: {}"] {
            assert_eq!(told(Kind::Configuration, text), None, "{text}");
        }
        for text in ["scenrio: a", "steps: []", "scenario: a"] {
            assert_eq!(told(Kind::Scenario, text), None, "{text}");
        }
    }
}
