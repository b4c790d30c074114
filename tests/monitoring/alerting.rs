//! What watches over chatprobe: rules, alerts and words for Slack, and the metrics that all of it uses.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

/// The names in the catalogue, and those of them that are there to be explored.
fn catalogue() -> (BTreeSet<String>, BTreeSet<String>) {
    let catalogue = text("docs/metrics.md");
    let rows = catalogue.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        let prefixes = ["chatprobe_", "process_", "host_"];
        let is_metric = prefixes.iter().any(|prefix| name.starts_with(prefix));
        is_metric.then(|| (name.to_owned(), line.contains("For exploration.")))
    });
    let rows: Vec<_> = rows.collect();
    let all = rows.iter().map(|(name, _)| name.clone()).collect();
    let explored = rows.iter().filter(|(_, explored)| *explored);
    (all, explored.map(|(name, _)| name.clone()).collect())
}

/// The metrics that rules, alerts and boards name.
fn used() -> BTreeSet<String> {
    let mut files = vec![
        "prometheus/rules/chatprobe.rules.yml".to_owned(),
        "alerting/alerts.yml".to_owned(),
    ];
    for board in ["overview", "scenario", "bursts", "service"] {
        files.push(format!("grafana/dashboards/{board}.json"));
    }
    let mut used = BTreeSet::new();
    for file in files {
        let text = text(&file);
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        // A colon makes the name of a recording rule.
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
        for word in words.filter(|word| !word.contains(':')) {
            let known_prefix = ["chatprobe_", "process_", "host_"]
                .iter()
                .any(|prefix| word.starts_with(prefix));
            if known_prefix {
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| word.strip_suffix(end));
                used.insert(base.unwrap_or(word).to_owned());
            }
        }
    }
    used
}

#[test]
fn rules_and_boards_name_metrics_that_exist_and_leave_none_out_unsaid() {
    let (all, explored) = catalogue();
    let used = used();
    let invented: Vec<_> = used.difference(&all).collect();
    assert!(invented.is_empty(), "not in docs/metrics.md: {invented:?}");
    let unused: BTreeSet<_> = all.difference(&used).cloned().collect();
    assert_eq!(
        unused, explored,
        "docs/metrics.md says `For exploration.` of what no rule and no board uses"
    );
}

#[test]
fn rules_routes_words_and_runbooks_are_as_they_should_be() {
    let checked = Command::new(project("alerting/check")).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}
