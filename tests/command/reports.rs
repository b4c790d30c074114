//! `chatprobe run --report` and `--baseline`: the documents, and what an earlier run does to the verdict.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use quick_junit::{Report, TestCaseStatus};
use serde_json::Value;

use crate::support::{Centre, Finished, Folder, Run, Signal};

/// What each request of the target takes, so that a busy machine decides less than it does.
fn slow(by: &str) -> String {
    format!("{{ join: {by}, answer: {by}, faults: {{ slow: [{{ probability: 1, by: {by} }}] }} }}")
}

/// A run that writes its documents.
struct Reported {
    run: Run,
    folder: String,
}

impl Reported {
    fn new(centre: &Centre) -> Self {
        let run = Run::of_shipped(&centre.url);
        let folder = run.folder.argument("reports/nightly");
        let run = run.with(&["--report", &folder]);
        Self { run, folder }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.run = self.run.with(arguments);
        self
    }

    fn path(&self, name: &str) -> String {
        PathBuf::from(&self.folder).join(name).display().to_string()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn record(&self) -> Value {
        serde_json::from_str(&self.text("report.json")).unwrap()
    }

    /// The sum of a column of a table.
    fn sum(&self, table: &str, column: &str) -> u64 {
        let text = self.text(table);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let at = headers.iter().position(|name| name == column).unwrap();
        let cells = reader.records().map(|row| row.unwrap()[at].to_owned());
        cells
            .map(|cell| cell.parse::<u64>().unwrap_or_default())
            .sum()
    }

    /// The tests of the JUnit document: whether each passed, by its class and name.
    fn tests(&self) -> BTreeMap<(String, String), bool> {
        let report = Report::deserialize_from_str(&self.text("junit.xml")).unwrap();
        let cases = report
            .test_suites
            .iter()
            .flat_map(|suite| &suite.test_cases);
        let told = cases.map(|case| {
            let class = case.classname.as_ref().unwrap().to_string();
            let part = class.rsplit('.').next().unwrap().to_owned();
            let passed = !matches!(case.status, TestCaseStatus::NonSuccess { .. });
            ((part, case.name.to_string()), passed)
        });
        told.collect()
    }

    fn failed(&self) -> Vec<String> {
        let tests = self.tests().into_iter();
        tests.filter(|test| !test.1).map(|test| test.0.0).collect()
    }
}

#[tokio::test]
async fn a_run_is_written_as_documents_that_say_the_same() {
    let centre = Centre::start(
        "{ faults: { errors: [{ probability: 0.2, status: 503, only: [engagement_create] }] } }",
    )
    .await;
    let reported = Reported::new(&centre).with(&[
        "--load",
        "{ rate: 20/s, for: 3s }",
        "--threshold",
        "{ failed: 90% }",
        "--seed",
        "3",
    ]);
    let run = reported.run.done().await.exits(0);
    let record = reported.record();
    assert_eq!(record["report"], run.report);
    assert!(run.chats("failed") > 0, "{run:#?}");

    for step in run.report["steps"].as_array().unwrap() {
        let name = step["step"].as_str().unwrap();
        for count in ["passed", "failed", "stopped"] {
            let told = reported.sum("timeline.csv", &format!("{name}.{count}"));
            assert_eq!(told, step[count].as_u64().unwrap(), "{name}.{count}");
        }
    }
    for count in ["started", "passed", "failed", "stopped"] {
        assert_eq!(
            reported.sum("timeline.csv", count),
            run.chats(count),
            "{count}"
        );
    }
    assert_eq!(reported.sum("timeline.csv", "due"), 60);
    let steps = run.report["steps"].as_array().unwrap().iter();
    let passed: u64 = steps.map(|step| step["passed"].as_u64().unwrap()).sum();
    assert_eq!(reported.sum("steps.csv", "passed"), passed);
    assert_eq!(reported.sum("steps.csv", "failed"), run.chats("failed"));

    let tests = reported.tests();
    let steps = run.report["steps"].as_array().unwrap().len();
    assert_eq!(
        tests.len(),
        steps + 2,
        "and the verdict and a threshold: {tests:?}"
    );
    assert!(tests.values().all(|passed| *passed), "{tests:?}");
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_says_the_verdict_first() {
    let centre = Centre::start("{}").await;
    let reported = Reported::new(&centre).with(&["--threshold", "{ step: agent_join, max: 1ms }"]);
    reported.run.done().await.exits(1);
    let page = reported.text("report.html");
    for reference in [
        "src=", "href=", "url(", "@import", "<script", "<link", "http://", "https://",
    ] {
        // Where the target is may stand there as text.
        let shown = page.replace(&centre.url, "");
        assert!(!shown.contains(reference), "{reference}");
    }
    let verdict = page.find("Failed</h2>").unwrap();
    assert!(verdict < page.find("<table").unwrap());
    assert!(page.contains("broken: agent_join max &lt;= 1 ms"), "{page}");
    assert_eq!(reported.failed(), ["thresholds", "verdict"]);
}

/// The text of a page, each piece for itself, without what it quotes of a configuration as code.
fn visible(page: &str) -> String {
    let (_, body) = page.split_once("<body>").unwrap();
    let pieces = body.split('<').filter_map(|piece| piece.split_once('>'));
    let texts: Vec<_> = pieces
        .filter(|(tag, _)| *tag != "code")
        .map(|(_, text)| text)
        .collect();
    texts.join("\n")
}

/// The text without what it quotes of a configuration, which stands in braces.
fn without_quotes(text: &str) -> String {
    let mut depth = 0_u32;
    let outside = text.chars().filter(|c| {
        depth += u32::from(*c == '{');
        let is_outside = depth == 0;
        depth -= u32::from(*c == '}' && depth > 0);
        is_outside
    });
    outside.collect()
}

/// Times of more than three digits or without a space before their unit, and moments with parts of seconds.
fn not_for_people(text: &str) -> Vec<String> {
    let text = without_quotes(text);
    let words: Vec<_> = text
        .split(|c: char| c.is_whitespace() || ",;()".contains(c))
        .collect();
    let digits = |number: &str| {
        let all = number
            .chars()
            .filter(char::is_ascii_digit)
            .collect::<String>();
        all.trim_start_matches('0').len()
    };
    let is_unit = |word: &str| ["s", "ms", "µs", "min", "m", "h"].contains(&word);
    let times = words
        .windows(2)
        .filter(|pair| is_unit(pair[1]) && pair[0].parse::<f64>().is_ok() && digits(pair[0]) > 3);
    let times = times.map(|pair| pair.join(" "));
    let joined = words.iter().filter(|word| {
        let behind = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = behind.split(|c: char| !c.is_alphabetic()).next();
        behind.len() < word.len() && unit.is_some_and(is_unit)
    });
    let parts = words.iter().filter(|word| {
        let (before, behind) = word.split_once('.').unwrap_or_default();
        before.contains(':') && behind.starts_with(|c: char| c.is_ascii_digit())
    });
    let words = joined.chain(parts).map(|&word| word.to_owned());
    times.chain(words).collect()
}

#[tokio::test]
async fn people_read_short_figures_and_programs_exact_ones() {
    let centre = Centre::start("{ faults: { agents: { never_come: 0.5 } } }").await;
    let inputs = ["-i", "agent_join_timeout=333.333ms"];
    let reported = Reported::new(&centre)
        .with(&inputs)
        .with(&["--threshold", "{ step: agent_join, p95: 10s }"])
        .with(&["--load", "{ chats: 20, ramp: 3s }"]);
    let run = reported.run.done().await.exits(0);
    let page = visible(&reported.text("report.html"));
    for text in [&page, &run.output, &run.log] {
        assert_eq!(not_for_people(text), Vec::<String>::new(), "{text}");
    }
    let began = run.report["started_at"].as_str().unwrap();
    assert!(began.contains('.') && !page.contains(began), "{began}");
    let seconds = run.report["elapsed_seconds"].to_string();
    assert!(seconds.len() > 5, "{seconds}");

    let machine = &run.report["machine"];
    let cpus = machine["cpus"]["mean"].as_f64().unwrap();
    let memory = machine["memory_bytes"]["most"].as_f64().unwrap();
    // A few chats take little of a CPU, and no program so little memory.
    assert!(cpus > 0.0 && cpus < 8.0, "{machine:#}");
    assert!(memory > 5e6 && memory < 4e9, "{machine:#}");
    for (name, text) in [("CPUs used", &page), ("CPUs used", &run.output)] {
        let (_, behind) = text.split_once(name).unwrap();
        let told = behind.split_whitespace().next().unwrap();
        let told: f64 = told.trim_matches(['<', ',']).parse().unwrap();
        assert!(
            (told - cpus).abs() <= 0.05 * cpus.max(0.02),
            "{told} of {cpus}"
        );
    }
    let (_, behind) = page.split_once("Memory in RAM").unwrap();
    let words: Vec<_> = behind.split_whitespace().collect();
    let sizes = words.windows(2).filter(|pair| pair[1] == "MB");
    let sizes: Vec<f64> = sizes.map(|pair| pair[0].parse().unwrap()).collect();
    // The mean and the most of the row, of three digits each.
    let most = sizes[1] * 1e6;
    assert!((most - memory).abs() <= 0.01 * memory, "{most} of {memory}");
}

#[tokio::test]
async fn an_interrupted_run_has_its_documents_too() {
    let centre = Centre::start("{}").await;
    let reported = Reported::new(&centre).with(&["--load", "{ rate: 5/s, for: 5m }"]);
    let process = reported.run.start();
    centre
        .stats_when("an agent", |stats| {
            stats["joins"]["count"].as_u64() > Some(0)
        })
        .await;
    process.signal(Signal::SIGINT);
    let run = reported.run.finish(process).await;
    assert_eq!(run.code, 130, "{run:#?}");
    for step in run.report["steps"].as_array().unwrap() {
        let name = step["step"].as_str().unwrap();
        let told = reported.sum("timeline.csv", &format!("{name}.stopped"));
        assert_eq!(told, step["stopped"].as_u64().unwrap(), "{name}");
    }
    assert_eq!(reported.record()["report"]["verdict"], "stopped");
    assert!(
        reported
            .text("report.html")
            .contains("Stopped before its end")
    );
}

/// Long enough to see how it varies by itself: more than twelve seconds, and twenty of each step.
const LOAD: [&str; 2] = ["--load", "{ rate: 10/s, for: 13s }"];

async fn against(centre: &Centre, baseline: &Reported, limit: &str) -> (Reported, Finished) {
    let baseline = baseline.path("report.json");
    let arguments = ["--baseline", &baseline, "--regression", limit];
    let reported = Reported::new(centre).with(&LOAD).with(&arguments);
    let run = reported.run.done().await;
    (reported, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_worse_than_an_earlier_run_by_more_than_is_allowed_exits_with_one() {
    let (quick, late) = tokio::join!(async { Centre::start(&slow("500ms")).await }, async {
        Centre::start(&slow("750ms")).await
    },);
    let baseline = Reported::new(&quick).with(&LOAD);
    baseline.run.done().await.exits(0);

    let ((same, alike), (worse, other), (_, allowed)) = tokio::join!(
        against(&quick, &baseline, "100%"),
        against(&late, &baseline, "10%"),
        against(&late, &baseline, "100%"),
    );
    let alike = alike.exits(0);
    assert!(alike.output.contains("\nbaseline: run "), "{alike:#?}");
    assert_eq!(same.failed(), Vec::<String>::new());

    let other = other.exits(1);
    assert_eq!(other.report["verdict"], "passed", "its own thresholds held");
    let says = "FAILED against the baseline: session_create p50: ";
    assert!(other.output.contains(says), "{}", other.output);
    assert_eq!(worse.failed(), ["baseline"]);
    let page = worse.text("report.html");
    assert!(
        page.contains("Failed: worse than the baseline</h2>"),
        "{page}"
    );

    let allowed = allowed.exits(0);
    assert!(
        allowed.output.contains("session_create p50: "),
        "{}",
        allowed.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_and_counts_lead_a_comparison_of_runs_that_are_too_short_for_more() {
    let failing =
        "{ faults: { errors: [{ probability: 0.7, status: 503, only: [engagement_create] }] } }";
    let (good, bad) = tokio::join!(Centre::start("{}"), Centre::start(failing));
    let load = |chats: u32| format!("{{ chats: {chats}, ramp: 1s }}");
    let (few, many) = (load(20), load(60));
    let baseline = Reported::new(&good).with(&["--load", &few]);
    let again = Reported::new(&good).with(&["--load", &few]);
    let (one, other) = tokio::join!(baseline.run.done(), again.run.done());
    one.exits(0);
    other.exits(0);
    let (baseline, again) = (baseline.path("report.json"), again.path("report.json"));

    let worse = Reported::new(&bad).with(&["--load", &many, "--baseline", &baseline]);
    let told = worse.run.done().await.exits(1);
    let passed = told.chats("passed");
    let says = format!("\ncompared: Worse. Now failed: {passed} of 60 chats passed (");
    assert!(told.output.contains(&says), "{}", told.output);
    let says = "Before passed: 20 of 20 chats passed (100.0%). Of ";
    assert!(told.output.contains(says), "{}", told.output);
    assert!(
        told.output
            .contains("\n(whole chats) failed: 0% of 20 before, "),
        "{}",
        told.output
    );
    let page = worse.text("report.html");
    assert!(
        page.contains(&format!("Worse. Now failed: {passed} of 60 chats passed (")),
        "{page}"
    );

    // With two baselines, and one of them twice.
    let both = ["--baseline", &baseline, "--baseline", &again];
    let same = Reported::new(&good)
        .with(&["--load", &few, "--regression", "20%"])
        .with(&both);
    let told = same.run.done().await.exits(0);
    for says in [
        // On a busy machine two equal runs may differ by more than two baselines do.
        ". Now passed: 20 of 20",
        "Before 2 runs (2 passed): 40 of 40 chats passed",
        "\nbaseline: runs ",
    ] {
        assert!(told.output.contains(says), "{}", told.output);
    }
    assert!(
        same.text("junit.xml").contains("<skipped"),
        "nobody saw that it is no worse"
    );
    let twice = ["--baseline", &baseline, "--baseline", &baseline];
    let refused = Run::of_shipped(&good.url).with(&twice).done().await;
    assert!(
        refused.code == 2 && refused.log.contains(", which is given already; "),
        "{refused:#?}"
    );
}

#[tokio::test]
async fn a_step_of_the_baseline_that_is_gone_does_not_pass_silently() {
    let centre = Centre::start("{}").await;
    let few = ["--load", "{ chats: 2 }"];
    let earlier = Reported::new(&centre).with(&few);
    earlier.run.done().await.exits(0);
    let renamed = earlier
        .text("report.json")
        .replace("session_create", "session_open");
    let baseline = earlier.run.folder.write("baseline.json", &renamed);
    let told = Reported::new(&centre).with(&few);
    let told = told.with(&["--baseline", &baseline]);
    let told = told.run.done().await.exits(0);
    for caveat in [
        "compared with care: only the baseline has the steps `session_open`",
        "compared with care: only the run has the steps `session_create`",
    ] {
        assert!(told.output.contains(caveat), "{}", told.output);
    }
    let arguments = ["--baseline", &baseline, "--regression", "100%"];
    let reported = Reported::new(&centre).with(&few).with(&arguments);
    let failed = reported.run.done().await.exits(1);
    let says = "FAILED against the baseline: session_open is gone: ";
    assert!(failed.output.contains(says), "{}", failed.output);
    assert_eq!(reported.failed(), ["baseline"]);
}

#[tokio::test]
async fn a_baseline_that_cannot_be_used_stops_the_run_before_it_begins() {
    let centre = Centre::start("{}").await;
    let reported = Reported::new(&centre);
    let folder = &reported.run.folder;
    let broken = folder.write("broken.json", "{ \"report\": 1 }");
    let missing = folder.argument("missing.json");
    for (file, says) in [
        (&broken, "is not the record of a run: "),
        (&missing, "cannot be read: "),
    ] {
        let run = Run::of_shipped(&centre.url)
            .with(&["--baseline", file])
            .done()
            .await;
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(
            run.log.contains(says) && run.log.contains("--baseline: `"),
            "{run:#?}"
        );
    }
    let run = Run::of_shipped(&centre.url)
        .with(&["--regression", "20%"])
        .done()
        .await;
    assert_eq!(run.code, 2, "{run:#?}");
    assert_eq!(centre.stats().await["joins"]["count"], 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_stops_the_run_before_it_begins() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url);
    let file = run.folder.write("file", "");
    let run = run.with(&["--report", &file]);
    let mut process = run.start();
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(log.contains("name another place with --report"), "{log}");
}

#[tokio::test]
async fn a_terminal_is_told_where_the_report_is_whatever_came_of_the_run() {
    let folder = Folder::new();
    let scenario = folder.write("a.yaml", "scenario: a\nsteps: [{ think: 1ms }]\n");
    let reports = folder.argument("today");
    let all = format!(
        "wrote report.html, report.json, steps.csv, timeline.csv, junit.xml to `{reports}`"
    );
    let run = Run::new(folder, &scenario, "http://127.0.0.1:9");
    let json = format!(
        "wrote the report to `{}`",
        run.folder.argument("report.json")
    );
    let run = run.with(&["--report", &reports]);
    let passed = run.done().await.exits(0);
    let run = run.with(&["--threshold", "{ max: 1us }"]);
    let failed = run.done().await.exits(1);
    let run = run.with(&["--load", "{ customers: 1, for: 1h }"]);
    let process = run.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal(Signal::SIGTERM);
    let interrupted = run.finish(process).await.exits(130);
    for run in [passed, failed, interrupted] {
        for says in [&all, &json] {
            assert!(run.log.contains(says), "`{says}` in:\n{}", run.log);
        }
    }
}
