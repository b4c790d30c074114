//! The scripts of the pipeline and the commands of the runbooks, as the pipeline and a person run them.

mod building;
mod checkout;
mod containers;
mod deploying;
mod runbooks;
mod test_command;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};

use crate::support::{Centre, Folder, PATIENCE, Process, get, plain};

/// Runs a script to its end, from another folder than the project's.
async fn script(path: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    command
        .args(arguments)
        .current_dir("/")
        .env_remove("CHATPROBE_CONFIG")
        .env_remove("CHATPROBE_LOG")
        .env_remove("CHATPROBE_ADMIN_TOKEN")
        .env("CHATPROBE", env!("CARGO_BIN_EXE_chatprobe"))
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    timeout(PATIENCE, running).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The shell scripts of these folders, all of which a person can run.
fn scripts() -> BTreeSet<String> {
    let mut scripts = BTreeSet::new();
    for folder in ["ci", "deploy", "deploy/secrets"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_script = path.is_file() && fs::read(&path).unwrap().starts_with(b"#!/bin/sh\n");
            if is_script {
                scripts.insert(path.display().to_string());
            }
        }
    }
    scripts
}

#[test]
fn every_step_of_the_pipeline_is_a_script_that_is_there() {
    let pipeline = fs::read_to_string("Jenkinsfile").unwrap();
    let scripts = scripts();
    let mut used = 0;
    for line in pipeline.lines().filter(|line| line.contains("sh ")) {
        let (_, step) = line.split_once("sh ").unwrap();
        let command = step.trim_start().trim_start_matches(['\'', '"']);
        let name = command.split([' ', '\'', '"']).next().unwrap();
        // What clears the reports of the last build has nothing to hide.
        if name != "rm" && !line.trim_start().starts_with("//") {
            assert!(scripts.contains(name), "{name} in: {line}");
            used += 1;
        }
    }
    assert!(used >= 12, "{used}");
    // `CHATPROBE = 'ci/in-image'` and the like, and what the documents name.
    for document in ["docs/pipeline.md", "deploy/secrets/README.md", "README.md"] {
        let text = fs::read_to_string(document).unwrap();
        for word in (pipeline.clone() + &text).split(['\'', '"', '`', ' ', '\n', ',', ':']) {
            let named = word.starts_with("ci/") || word.starts_with("deploy/");
            if named && !word.ends_with('/') {
                assert!(Path::new(word).exists(), "{word} in {document}");
            }
        }
    }
}

#[test]
fn every_script_can_be_run_and_says_how() {
    for path in scripts() {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path} is not executable");
        let text = fs::read_to_string(&path).unwrap();
        let usage = text.lines().nth(1).unwrap();
        assert!(usage.starts_with("# Usage: "), "{path}: {usage}");
        assert!(usage.contains(&path), "{path}: {usage}");
        assert!(text.contains("\nset -eu\n"), "{path}");
        let parsed = Command::new("sh").args(["-n", &path]).output().unwrap();
        assert!(parsed.status.success(), "{path}: {}", said(&parsed));
    }
}

#[tokio::test]
async fn the_jenkinsfile_is_a_declarative_pipeline_and_a_broken_one_is_not() {
    let good = script("ci/check-jenkinsfile", &[], &[]).await;
    assert!(good.status.success(), "{}", said(&good));
    let folder = Folder::new();
    let text = fs::read_to_string("Jenkinsfile").unwrap();
    for (from, to, says) in [
        ("stage('Smoke')", "stage('Deploy')", "the same name"),
        ("agent {", "agents {", "`agents` does not belong"),
        ("steps { sh 'ci/lint' }", "", "needs one of `steps`"),
        ("always { sh", "allways { sh", "`allways` does not belong"),
        ("stage('Build') {", "stage('Build' {", "unexpected token"),
    ] {
        assert!(text.contains(from), "{from}");
        let file = folder.write("Jenkinsfile", &text.replacen(from, to, 1));
        let broken = script("ci/check-jenkinsfile", &[&file], &[]).await;
        assert_eq!(broken.status.code(), Some(1), "{from}: {}", said(&broken));
        assert!(said(&broken).contains(says), "{from}: {}", said(&broken));
    }
}

/// Runs one of the two scripts that judge a test environment; its exit code and report.
async fn judge(path: &str, centre: &Centre, environment: &[(&str, &str)]) -> (i32, Value, String) {
    let folder = Folder::new();
    let configuration = folder.write("chatprobe.yaml", &plain(&centre.url, ""));
    let reports = folder.argument("reports");
    let mut all = vec![
        ("TARGET", centre.url.as_str()),
        ("REPORTS", &reports),
        // A busy machine must not decide here.
        ("CHATPROBE_CONFIG", &configuration),
    ];
    all.extend(environment);
    let output = script(path, &[], &all).await;
    let name = path.strip_prefix("ci/").unwrap();
    let report = fs::read_to_string(folder.path(&format!("reports/{name}.json")));
    let report = report.map_or(Value::Null, |text| {
        serde_json::from_str(&text).unwrap_or_default()
    });
    if !report.is_null() {
        let tests = fs::read_to_string(folder.path(&format!("reports/{name}/junit.xml"))).unwrap();
        assert!(tests.contains("name=\"verdict\""), "{tests}");
    }
    (output.status.code().unwrap(), report, said(&output))
}

const NO_CHATS: &str =
    "{ faults: { errors: [{ probability: 1, status: 503, only: [engagement_create] }] } }";

#[tokio::test]
async fn the_smoke_probe_passes_on_a_centre_that_works_and_on_no_other() {
    let centre = Centre::start("{}").await;
    let (code, report, said) = judge("ci/smoke", &centre, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(report["chats"]["passed"], 1, "{report:#}");

    let ill = Centre::start(NO_CHATS).await;
    let (code, report, said) = judge("ci/smoke", &ill, &[]).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(report["chats"]["failed"], 1, "{report:#}");

    let mut gone = Centre::start("{}").await;
    gone.process.finish().await;
    let (code, _, said) = judge("ci/smoke", &gone, &[]).await;
    assert_eq!(code, 1, "{said}");
}

#[tokio::test]
async fn the_load_gate_opens_for_thresholds_that_hold() {
    let load = [("LOAD", "{ rate: 10/s, for: 1s, max_active: 50 }")];
    let centre = Centre::start("{}").await;
    let (code, report, said) = judge("ci/load-gate", &centre, &load).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(report["verdict"], "passed", "{report:#}");
    assert_eq!(report["chats"]["passed"], 10, "{report:#}");

    let ill = Centre::start(NO_CHATS).await;
    let (code, report, said) = judge("ci/load-gate", &ill, &load).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(report["verdict"], "failed", "{report:#}");
}

#[tokio::test]
async fn the_load_gate_is_also_about_the_behaviour_service_where_there_is_one() {
    let centre = Centre::start("{}").await;
    let mut service = Process::start(&["simulate", "behaviour", "--listen", "127.0.0.1:0"]);
    let line = service.line("the simulated behaviour service is at").await;
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    let url = url.unwrap().trim_end_matches(';');
    let load = [
        ("LOAD", "{ chats: 1 }"),
        ("BEHAVIOUR_LOAD", "{ rate: 30/s, for: 1s, max_active: 50 }"),
        ("BEHAVIOUR", url),
    ];
    let (code, _, said) = judge("ci/load-gate", &centre, &load).await;
    assert_eq!(code, 0, "{said}");
    let stats = get(&format!("{url}/stats")).await.unwrap();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        stats["requests"],
        serde_json::json!({ "store": { "201": 10 }, "query": { "200": 20 } })
    );
    service.finish().await;
    let (code, report, said) = judge("ci/load-gate", &centre, &load).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(
        report["verdict"], "passed",
        "that of the contact centre: {report:#}"
    );
}

#[tokio::test]
async fn slack_is_told_the_result_with_a_link() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/services/T/B/X", listener.local_addr().unwrap());
    let slack = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with("]}") {
            let mut part = [0; 1024];
            let length = socket.read(&mut part).await.unwrap();
            assert!(length > 0, "{request}");
            request.push_str(std::str::from_utf8(&part[..length]).unwrap());
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        socket.write_all(answer).await.unwrap();
        request
    });
    let told = script(
        "ci/slack",
        &["FAILURE"],
        &[
            ("SLACK_URL", &url),
            ("JOB_NAME", r#"a "b" \ <c> & d"#),
            ("BUILD_NUMBER", "7"),
            ("BUILD_URL", "http://jenkins/job/7/"),
        ],
    )
    .await;
    assert!(told.status.success(), "{}", said(&told));
    let request = slack.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /services/T/B/X "), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let message = &body["attachments"][0];
    assert_eq!(message["color"], "danger");
    assert_eq!(
        message["text"],
        r#"a "b" \ &lt;c&gt; &amp; d #7: FAILURE, <http://jenkins/job/7/|log and reports>"#
    );

    // Its listener is gone.
    let unheard = script("ci/slack", &["SUCCESS"], &[("SLACK_URL", &url)]).await;
    assert!(!unheard.status.success());
}

#[tokio::test]
async fn secrets_are_made_once_and_the_address_of_slack_whenever_asked() {
    let folder = Folder::new();
    let secrets = folder.argument("secrets");
    let create = async |arguments: &[&str]| {
        let output = script("deploy/secrets/create", arguments, &[("SECRETS", &secrets)]).await;
        output.status.code().unwrap()
    };
    assert_eq!(create(&[]).await, 2);
    assert_eq!(create(&["hooks.slack.com"]).await, 2);
    assert_eq!(create(&["https://slack.invalid/1"]).await, 0);
    let token = folder.read("secrets/admin-token");
    assert_eq!(token.len(), 64);
    assert_ne!(token, folder.read("secrets/grafana-password"));
    assert_eq!(create(&["https://slack.invalid/2"]).await, 0);
    assert_eq!(folder.read("secrets/admin-token"), token);
    assert_eq!(folder.read("secrets/slack-url"), "https://slack.invalid/2");
    let mode = fs::metadata(&secrets).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn the_configuration_of_the_containers_is_valid_with_a_token_and_refused_without() {
    let file = crate::support::shipped("container.yaml")
        .display()
        .to_string();
    let check = async |environment: &[(&str, &str)]| {
        let arguments = ["check", "--config", &file];
        let mut process = crate::support::Process::start_in(&arguments, environment);
        let code = process.ended().await;
        (code, process.output() + &process.log())
    };
    let (code, said) = check(&[("CHATPROBE_ADMIN_TOKEN", "a-token-only-to-check")]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = check(&[]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("/run/secrets/admin_token"), "{said}");
}

#[tokio::test]
async fn the_configuration_for_kubernetes_without_the_simulator_is_valid() {
    let folder = Folder::new();
    let text = fs::read_to_string("deploy/kubernetes/without-simulator/chatprobe.yaml").unwrap();
    let scenarios = fs::canonicalize("config/scenarios").unwrap();
    let scenarios = format!("scenarios: ['{}']", scenarios.display());
    let text = text.replace("scenarios: [scenarios]", &scenarios);
    let file = folder.write("chatprobe.yaml", &text);
    let token = [("CHATPROBE_ADMIN_TOKEN", "a-token-only-to-check")];
    let arguments = ["check", "--config", &file];
    let mut process = crate::support::Process::start_in(&arguments, &token);
    assert_eq!(process.ended().await, 0, "{}", process.log());
}

#[tokio::test]
async fn the_first_run_of_the_image_makes_a_token_and_keeps_it_with_the_history() {
    let ran = script("ci/first-run", &[], &[]).await;
    match ran.status.code() {
        Some(0) => {
            let says = "as 10001:10001, root read-only, token made once";
            assert!(said(&ran).contains(says), "{}", said(&ran));
            let says = "and so is one with a mounted configuration";
            assert!(said(&ran).contains(says), "{}", said(&ran));
        }
        Some(3) => assert!(
            said(&ran).contains("allows no namespaces"),
            "{}",
            said(&ran)
        ),
        _ => panic!("{}", said(&ran)),
    }
}
