//! What watches over chatprobe: rules, alerts and words for Slack, and the metrics that all of it uses.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::Folder;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap()
}

/// The names in the catalogues, and those of them that are there to be explored.
fn catalogue() -> (BTreeSet<String>, BTreeSet<String>) {
    let catalogue = text("docs/metrics.md") + &text("docs/pushing.md");
    let rows = catalogue.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        let prefixes = ["chatprobe_", "process_"];
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
    let folders = ["prometheus/rules", "grafana/dashboards"];
    let entries = folders.map(|folder| fs::read_dir(project(folder)).unwrap());
    let files = entries.into_iter().flatten();
    let mut used = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        // A colon makes the name of a recording rule.
        let words = code.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c));
        for word in words.filter(|word| !word.contains(':')) {
            let known_prefix = ["chatprobe_", "process_"]
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
    assert!(invented.is_empty(), "not in the catalogues: {invented:?}");
    let unused: BTreeSet<_> = all.difference(&used).cloned().collect();
    assert_eq!(
        unused, explored,
        "the catalogues say `For exploration.` of what no rule and no board uses"
    );
}

/// `alerting/generate` with parameters that differ from those of the project.
pub fn generate(folder: &Folder, parameters: &str) -> Output {
    let file = folder.write("parameters.toml", parameters);
    let to = folder.argument("made");
    let mut command = Command::new(project("alerting/generate"));
    command.args(["--parameters", &file, "--to", &to]);
    command.output().unwrap()
}

#[test]
fn rules_and_boards_are_made_with_the_labels_links_and_times_of_a_parameters_file() {
    let folder = Folder::new();
    let parameters = text("alerting/parameters.toml")
        .replace(r#"["cluster", "namespace"]"#, r#"["region"]"#)
        .replace("http://localhost:8080", "https://probe.example/console")
        .replace(r#"watchdog = """#, r#"watchdog = "https://ping.example/1""#)
        .replace(r#""30m""#, r#""45m""#)
        .replace(r#""15s""#, r#""30s""#);
    let made = generate(&folder, &parameters);
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    let read = |path: &str| fs::read_to_string(folder.argument(&format!("made/{path}"))).unwrap();
    let outages = read("prometheus/rules/outages.yml");
    assert!(
        outages.contains("max by (region, scenario, target)"),
        "{outages}"
    );
    assert!(outages.contains(r#"console_url: "https://probe.example/console/""#));
    assert!(read("prometheus/rules/bursts.yml").contains("> time() - 2700"));
    let service = read("prometheus/rules/service.yml");
    assert!(service.contains("for: 4m") && service.contains("one every 30s"));
    let routes = read("alerting/alertmanager.yml");
    assert!(routes.contains("group_by: [alertname, region, scenario, target]"));
    assert!(routes.contains(
        "  - name: watchdog\n    webhook_configs:\n      - url: 'https://ping.example/1'\n"
    ));
    // alertmanager.yml names it.
    let words = "alerting/templates/slack.tmpl";
    assert_eq!(read(words), text(words));
    let board = read("grafana/dashboards/overview.json");
    assert!(board.contains("label_values(chatprobe_build_info, region)"));
    for text in [outages, service, routes, board] {
        assert!(!text.contains("cluster") && !text.contains("@{"), "{text}");
    }
}

#[test]
fn the_document_has_the_parameters_the_examples_and_the_message_as_they_are() {
    let document = text("docs/alerting.md");
    let parameters = text("alerting/parameters.toml");
    let (own, _) = parameters.split_once("[links]").unwrap();
    for (name, _) in own.lines().filter_map(|line| line.split_once(" = ")) {
        assert!(document.contains(&format!("| `{name}` |")), "{name}");
    }
    let message = text("alerting/tests/slack/page.txt");
    assert!(
        document.contains(&format!("```text\n{message}```")),
        "{message}"
    );
    let examples = text("alerting/examples.yml");
    for block in document.split("```yaml\n").skip(1) {
        let block = block.split("```").next().unwrap();
        assert!(examples.contains(block), "{block}");
    }
}

#[test]
fn a_parameter_that_cannot_be_is_refused_by_its_name() {
    let right = text("alerting/parameters.toml");
    for (from, to, said) in [
        (
            r#""15s""#,
            r#""often""#,
            "`scrape_interval` is 'often', not a duration",
        ),
        (
            r#""namespace"]"#,
            r#""scenario"]"#,
            "`keep` names 'scenario'",
        ),
        (
            "http://localhost:3000",
            "localhost:3000",
            "links.grafana is 'localhost:3000'",
        ),
        (
            "missed_for =",
            "missing_for =",
            "missing or unknown: missed_for, missing_for",
        ),
        (
            r#"["cluster", "namespace"]"#,
            r#""cluster""#,
            "`keep` is 'cluster', not a list of labels",
        ),
        (r#"["cluster","#, "[5,", "`keep` names 5"),
        (r#""(.*/)?chatprobe""#, "5", "`job` is 5, not a regular"),
        (
            r#""(.*/)?chatprobe""#,
            r#""(chatprobe""#,
            "`job` is '(chatprobe', no regular expression: missing )",
        ),
        (
            r#""15s""#,
            r#""5m""#,
            "`scrape_interval` is 5m, more than 60s",
        ),
        (r#""1h""#, r#""1m""#, "`missed_for` is 1m, less than 4m"),
        (
            r#""http://localhost:8080""#,
            "8080",
            "links.console is 8080",
        ),
        (
            r#"watchdog = """#,
            r#"watchdog = "ping""#,
            "watchdog is 'ping', not an address",
        ),
    ] {
        let refused = generate(&Folder::new(), &right.replace(from, to));
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn a_quote_in_the_name_of_a_job_stays_within_its_string() {
    let folder = Folder::new();
    let parameters = text("alerting/parameters.toml").replace(r#""(.*/)?chatprobe""#, r#"'a"\.b'"#);
    let made = generate(&folder, &parameters);
    assert!(made.status.success(), "{made:?}");
    let service = fs::read_to_string(folder.argument("made/prometheus/rules/service.yml")).unwrap();
    assert!(service.contains(r#"up{job=~"a\"\\.b"}"#), "{service}");
}

#[test]
fn a_check_of_a_folder_that_does_not_exist_says_what_would_be_written_to_it() {
    let folder = Folder::new();
    let to = folder.argument("made");
    let mut command = Command::new(project("alerting/generate"));
    let checked = command.args(["--check", "--to", &to]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("prometheus/rules/outages.yml is not what"));
    assert!(!said.contains("Traceback"), "{said}");
    assert!(!Path::new(&to).exists());
}

/// It says how often chatprobe is scraped, as two other files do.
const SERVICE_MONITOR: &str = "deploy/kubernetes/prometheus-operator/service-monitor.yaml";

/// A copy of what `alerting/check` looks at, with parameters as an installation of its own would have.
fn installation() -> Folder {
    let folder = Folder::new();
    let parts = [
        "alerting",
        "prometheus",
        "grafana",
        "docs/runbooks",
        SERVICE_MONITOR,
    ];
    let mut copy = Command::new("cp");
    copy.current_dir(project("")).args(["-r", "--parents"]);
    assert!(
        copy.args(parts)
            .arg(folder.argument(""))
            .status()
            .unwrap()
            .success()
    );
    for (path, changes) in [
        (
            "alerting/parameters.toml",
            &[
                (r#"["cluster", "namespace"]"#, r#"["region"]"#),
                ("http://localhost", "https://watch.example"),
                (r#""30m""#, r#""45m""#),
                ("15s", "30s"),
                (r#"watchdog = """#, r#"watchdog = "https://ping.example/1""#),
            ][..],
        ),
        (SERVICE_MONITOR, &[("15s", "30s")]),
        ("prometheus/prometheus.yml", &[("15s", "30s")]),
        (
            "grafana/provisioning/datasources/prometheus.yaml",
            &[("15s", "30s")],
        ),
    ] {
        let shipped = text(path);
        let changed = changes
            .iter()
            .fold(shipped.clone(), |text, (from, to)| text.replace(from, to));
        assert_ne!(changed, shipped, "{path}");
        folder.write(path, &changed);
    }
    folder
}

#[test]
fn rules_routes_words_and_runbooks_are_as_they_should_be_whatever_the_parameters() {
    let mut same = Command::new(project("alerting/generate"));
    let same = same.arg("--check").output().unwrap();
    assert!(same.status.success(), "{same:?}");
    let folder = installation();
    for script in ["alerting/generate", "alerting/check"] {
        let ran = Command::new(folder.argument(script)).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
    }
}

#[test]
fn a_scrape_interval_that_another_file_has_otherwise_is_told() {
    for path in [
        "prometheus/prometheus.yml",
        "grafana/provisioning/datasources/prometheus.yaml",
        SERVICE_MONITOR,
    ] {
        let folder = installation();
        folder.write(path, &text(path));
        let mut generate = Command::new(folder.argument("alerting/generate"));
        let refused = generate.output().unwrap();
        let error = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{error}");
        let says = format!("{path}: `");
        assert!(error.contains(&says), "{error}");
        assert!(error.contains("is not 30s, as parameters.toml"), "{error}");
    }
}

/// Rules that promtool takes and that are not as they should be.
const FAULTY: &str = "
      - record: chatprobe_bursts_everywhere
        expr: max by (target) (chatprobe_burst_active)
      - record: chatprobe_bursts_everywhere
        expr: max(chatprobe_burst_active)
      - record: target:chatprobe_burst_active:max1d
        expr: max by (@{keep}target) (max_over_time(chatprobe_burst_active[1d]))
";

#[test]
fn rules_that_are_twins_drop_labels_or_have_other_names_are_no_success() {
    let folder = installation();
    // What is tried takes half a minute, and is tried elsewhere.
    for file in fs::read_dir(folder.path("alerting/tests")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "yml") {
            fs::remove_file(path).unwrap();
        }
    }
    let bursts = "alerting/source/rules/bursts.yml";
    let shipped = text(bursts);
    let (first, rest) = shipped.split_once("rules:\n").unwrap();
    folder.write(bursts, &format!("{first}rules:{FAULTY}{rest}"));
    let made = Command::new(folder.argument("alerting/generate")).output();
    assert!(made.unwrap().status.success());
    let mut check = Command::new(folder.argument("alerting/check"));
    let checked = check.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    for says in [
        "promtool finds fault with prometheus/rules/bursts.yml",
        "duplicate rule(s) found",
        "Not called LEVEL:METRIC:OPERATIONS: chatprobe_bursts_everywhere",
        "drops the labels of the parameters",
        "expr: max by (target) (chatprobe_burst_active)",
        "expr: max(chatprobe_burst_active)",
        "Windows of 30m or more need a group with an interval:\nprometheus/rules/bursts.yml: chatprobe-bursts:",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
}
