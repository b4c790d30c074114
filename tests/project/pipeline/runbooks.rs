//! What the runbooks have people type can be typed, where chatprobe has a token and where it has none.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::{checkout::Checkout, said};
use crate::support::{Centre, Folder, SCENARIO, Service, plain};

const BEGIN: &str = "[Before you begin](README.md) sets what the commands use.";

/// Each runbook by the name of its alert.
fn runbooks() -> BTreeMap<String, String> {
    let mut runbooks = BTreeMap::new();
    for entry in fs::read_dir("docs/runbooks").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().display().to_string();
        runbooks.insert(name, fs::read_to_string(path).unwrap());
    }
    runbooks.remove("README").unwrap();
    runbooks
}

/// The blocks of shell in a text, and what stands between blocks.
fn shell(text: &str) -> (Vec<&str>, String) {
    let parts: Vec<_> = text.split("```").collect();
    let blocks = parts.iter().skip(1).step_by(2);
    let shell = blocks.filter_map(|block| block.strip_prefix("sh\n"));
    (shell.collect(), parts.iter().step_by(2).copied().collect())
}

/// What sets the variables and functions, for compose, Kubernetes and a process started by hand.
fn preambles() -> [String; 3] {
    let text = fs::read_to_string("docs/runbooks/README.md").unwrap();
    let (blocks, _) = shell(&text);
    let preambles = blocks.iter().filter(|block| block.contains("AUTH="));
    let preambles: Vec<_> = preambles.map(ToString::to_string).collect();
    preambles.try_into().unwrap()
}

#[test]
fn every_runbook_says_first_what_its_commands_need() {
    for (name, text) in runbooks() {
        let (_, diagnosis) = text.split_once("\n## Diagnosis\n\n").unwrap();
        assert!(diagnosis.starts_with(BEGIN), "{name}");
        // Such an address or a manager of services is that of one deployment.
        for word in ["localhost", "journalctl", "systemctl", "docker compose "] {
            assert!(!text.contains(word), "{word} in {name}");
        }
    }
}

#[tokio::test]
async fn compose_and_kubernetes_are_asked_for_the_token_the_log_and_the_process() {
    let [compose, kubernetes, _] = preambles();
    for (preamble, program, token, asked) in [
        (
            compose,
            "docker",
            "of-a-file",
            [
                "docker [compose] [exec] [-T] [chatprobe] [a b]",
                "docker [compose] [logs] [--no-color] [--no-log-prefix] [--tail] [5000] [chatprobe]",
                "docker [compose] [ps] [--all] [chatprobe]",
                "docker [compose] [restart] [chatprobe]",
            ],
        ),
        (
            kubernetes,
            "kubectl",
            "of-a-secret",
            [
                "kubectl [--namespace] [chatprobe] [exec] [deployment/chatprobe] [--] [a b]",
                "kubectl [--namespace] [chatprobe] [logs] [deployment/chatprobe] [--tail] [5000]",
                "kubectl [--namespace] [chatprobe] [describe] [pods] [--selector] [app.kubernetes.io/name=chatprobe]",
                "kubectl [--namespace] [chatprobe] [rollout] [restart] [deployment/chatprobe]",
            ],
        ),
    ] {
        let checkout = Checkout::with(&[program]);
        checkout.write("deploy/secrets/admin-token", "of-a-file");
        let does = "case $line in *secret*) echo b2YtYS1zZWNyZXQ= ;; esac";
        let script = format!(
            "#!/bin/sh\nset -eu\ncd \"$(dirname \"$0\")\"\n{preamble}\n\
             inside 'a b'; logs; state; restart\necho \"$AUTH at $CHATPROBE, $PID\"\nwait\n"
        );
        checkout.write_script("try", &script);
        let ran = checkout.run("try", &[], &[("DOES", does)]).await;
        assert_eq!(ran.code, 0, "{program}: {}", ran.said);
        let told = format!("Authorization: Bearer {token} at http://localhost:8080, 1\n");
        assert!(ran.said.contains(&told), "{program}: {}", ran.said);
        for call in asked {
            assert!(
                ran.calls.contains(&call.to_owned()),
                "{call}: {:?}",
                ran.calls
            );
        }
    }
}

/// A probe that leaves the runs that are asked for to whoever asks, and a burst that lasts.
const PLAN: &str = "\
probes: { a-probe: { scenario: contact-center-chat, target: centre, every: 1h, \
  inputs: { session_pause: 10ms, first_message_delay: 10ms, reply_delay: 10ms } } }
bursts: { a-burst: { scenario: contact-center-chat, target: centre, \
  load: { rate: 1/s, for: 5m, max_active: 5 } } }";

/// Whether a command asks Prometheus or Alertmanager, which know no token of chatprobe, or for all
/// processes, which not every machine can tell.
fn others(command: &str) -> bool {
    let asks = ["$PROMETHEUS", "$ALERTMANAGER", "ps -eo"];
    asks.iter().any(|part| command.contains(part))
}

/// Runs every command of every runbook as somebody who has started chatprobe by hand.
async fn type_all(token: Option<&str>) {
    let centre = Centre::start("{}").await;
    let environment: Vec<_> = token
        .map(|token| ("CHATPROBE_ADMIN_TOKEN", token))
        .into_iter()
        .collect();
    let configuration = plain(&centre.url, PLAN);
    let mut service = Service::start_in(Folder::new(), &configuration, &[], &environment).await;
    service.token = token.map(str::to_owned);
    service.passed(1).await;
    let line = service.process.line("callbacks http://").await;
    let (_, callbacks) = line.split_once("callbacks ").unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_chatprobe")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let [_, _, preamble] = preambles();
    let mut typed = 0;
    for (name, text) in runbooks() {
        let burst = service.order("POST", "/api/v1/bursts", "{ burst: a-burst }");
        let id = burst.await.text("id");
        let (blocks, between) = shell(&text);
        let inline = between.split('`').skip(1).step_by(2);
        let inline = inline.filter(|words| words.starts_with("curl "));
        let commands = blocks.iter().flat_map(|block| block.lines()).chain(inline);
        for command in commands.filter(|command| !others(command)) {
            let script = format!("{preamble}\n{command}\n");
            let mut script = script.replace("http://localhost:8080", &service.web);
            for (placeholder, value) in [
                ("TARGET_URL", format!("{}/stats", centre.url).as_str()),
                ("CALLBACKS_URL", callbacks.trim_end_matches('/')),
                ("SCENARIO", SCENARIO),
                ("/runs/ID", &format!("/runs/{id}")),
                ("/probes/PROBE", "/probes/a-probe"),
                ("\"BURST\"", "\"a-burst\""),
            ] {
                script = script.replace(placeholder, value);
            }
            service
                .folder
                .write("target/chatprobe.log", &service.process.log());
            let ran = Command::new("sh")
                .args(["-c", &script])
                .current_dir(service.folder.path("."))
                .env_remove("CHATPROBE_ADMIN_TOKEN")
                .envs(environment.iter().copied())
                .env("CHATPROBE_CONFIG", service.folder.path("chatprobe.yaml"))
                .env("PATH", &path)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let said = said(&ran);
            assert!(ran.status.success(), "{name}: {command}: {said}");
            // The second of two stops finds a run that ends already.
            let late = said.contains("has ended") || said.contains("is finishing");
            assert!(
                !said.contains("\"error\":") || late,
                "{name}: {command}: {said}"
            );
            // A pipe ends as its last command does.
            assert!(!said.contains(": not found"), "{name}: {command}: {said}");
            typed += 1;
        }
        let stop = format!("/api/v1/runs/{id}/stop");
        service.order("POST", &stop, "{ now: true }").await;
    }
    assert!(typed >= 40, "{typed}");
}

#[tokio::test]
async fn the_commands_of_the_runbooks_work_where_chatprobe_has_a_token() {
    type_all(Some("a-token-of-this-test")).await;
}

#[tokio::test]
async fn the_commands_of_the_runbooks_work_where_chatprobe_has_none() {
    type_all(None).await;
}
