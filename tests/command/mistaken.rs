//! Files that are not what they were taken for: one sentence says what they are.

use crate::support::{Folder, Process, shipped};

/// The exit code of a command, its output and its log.
async fn done(arguments: &[&str]) -> (i32, String, String) {
    let mut process = Process::start(arguments);
    let code = process.ended().await;
    (code, process.output(), process.log())
}

#[tokio::test]
async fn a_scenario_is_checked_by_itself() {
    let file = shipped("scenarios/contact-center-chat.yaml");
    let file = file.display().to_string();
    for arguments in [vec!["check", &file], vec!["check", "--config", &file]] {
        let (code, output, log) = done(&arguments).await;
        assert_eq!((code, log.as_str()), (0, ""), "{arguments:?}");
        for part in [
            "is a valid scenario",
            "scenario  contact-center-chat: 11 steps, 8 inputs",
            "5 requests a chat",
            "channel_provider_id, tenant_id",
        ] {
            assert!(output.contains(part), "`{part}` in:\n{output}");
        }
    }
    let folder = Folder::new();
    let text = "scenario: broken\ninputs: { count: { type: integer } }\nsteps:\n  - { step: a, htp: {} }\n  - { step: b, think: 1 }\n";
    let broken = folder.write("broken.yaml", text);
    let (code, output, log) = done(&["check", &broken]).await;
    assert_eq!((code, output.as_str()), (2, ""), "{log}");
    for part in [
        format!("{broken}:4:16: unknown key `htp`"),
        format!("{broken}:5:"),
    ] {
        assert!(log.contains(&part), "`{part}` in:\n{log}");
    }
    assert!(!log.contains("unknown key `scenario`"), "{log}");
    let wanting = text.replace("htp: {}", "http: { get: 'http://x/' }");
    let wanting = folder.write(
        "wanting.yaml",
        &wanting.replace("b, think: 1", "b, http: { get: 'http://x/' }"),
    );
    let (code, output, log) = done(&["check", &wanting]).await;
    assert_eq!(code, 0, "{log}");
    assert!(output.contains("inputs to set: count"), "{output}");
}

const FOREIGN: [(&str, &[u8], &str); 13] = [
    ("empty.yaml", b"", "there is nothing in it"),
    ("comment.yaml", b"# soon\n", "there is nothing in it"),
    (
        "rules.yml",
        b"groups:\n  - name: a\n    rules: []\n",
        "a file of Prometheus rules",
    ),
    (
        "compose.yml",
        b"services:\n  web: { image: x }\n",
        "a file of Docker Compose",
    ),
    (
        "k8s.yaml",
        b"apiVersion: v1\nkind: ConfigMap\ndata: {}\n",
        "a manifest of Kubernetes",
    ),
    (
        "report.json",
        b"{\"report\": {}, \"samples\": []}",
        "the record of a run",
    ),
    (
        "other.json",
        b"{\"name\": \"x\", \"private\": true}",
        "it has `name`, `private`",
    ),
    ("list.yaml", b"- a\n- b\n", "this is a list"),
    ("k6.js", b"import http from \"k6/http\";\n", "this is text"),
    ("binary", b"\x7fELF\x02\x01\x01\x00\xff\x00", "is not text"),
    ("utf16.yaml", b"\xff\xfea\x00", "UTF-16"),
    ("latin.yaml", b"targets: caf\xe9\n", "byte 13 is 0xe9"),
    ("elf", b"\x7fELF\x02\x01\x01\x00", "is this the right file?"),
];

#[tokio::test]
async fn a_file_that_is_something_else_is_one_problem() {
    let folder = Folder::new();
    for (name, bytes, says) in FOREIGN {
        std::fs::write(folder.path(name), bytes).unwrap();
        let file = folder.argument(name);
        let as_scenario = format!("scenarios: ['{file}']");
        let config = folder.write("config/chatprobe.yaml", &as_scenario);
        for arguments in [
            vec!["check", &file],
            vec!["serve", "--config", &file],
            vec!["check", "--config", &config],
            vec!["run", &file, "--target", "http://127.0.0.1:9"],
        ] {
            let (code, output, log) = done(&arguments).await;
            assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}: {log}");
            assert!(
                log.contains(says) && log.contains(&file),
                "{arguments:?}: {log}"
            );
            assert!(
                log.contains("chatprobe: 1 problem;"),
                "{arguments:?}: {log}"
            );
            plain(&log);
        }
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_another_is_named_with_its_own_place() {
    let folder = Folder::new();
    let scenario = folder.write("chat.yaml", "scenario: chat\nsteps: [{ think: 1s }]\n");
    let config = folder.write("chatprobe.yaml", "scenarios: [chat.yaml]\n");
    let itself = folder.write("itself.yaml", &format!("scenarios: ['{config}']\n"));
    let missing = folder.argument("chatprob.yaml");
    let folder_itself = folder.argument("");
    for (arguments, says) in [
        (
            vec!["serve", "--config", &scenario],
            format!("`chatprobe check {scenario}`"),
        ),
        (
            vec!["run", "x", "--config", &scenario],
            format!("`chatprobe check {scenario}`"),
        ),
        (
            vec!["health", "--config", &scenario],
            format!("`chatprobe check {scenario}`"),
        ),
        (vec!["run", &config], format!("`--config {config}`")),
        (vec!["check", &itself], format!("`--config {config}`")),
        (
            vec!["simulate", "--settings", &config],
            "under `simulator:`".to_owned(),
        ),
        (
            vec!["check", &missing],
            "did you mean `chatprobe.yaml`?".to_owned(),
        ),
        (
            vec!["check", &folder_itself],
            "it is a folder, not a file".to_owned(),
        ),
        (
            vec!["run", &folder_itself, "--config", &config],
            "is a folder".to_owned(),
        ),
        (
            vec!["run", "nosuch.yaml", "--config", &config],
            "`nosuch.yaml` is neither a file".to_owned(),
        ),
    ] {
        let (code, _, log) = done(&arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {log}");
        assert!(log.contains(&says), "{arguments:?}: `{says}` in:\n{log}");
        plain(&log);
    }
}

/// Nothing of what libraries and the system say of errors is in it.
#[track_caller]
pub fn plain(log: &str) {
    for speech in [
        "os error",
        "No such file",
        "stream did not contain",
        "deserialize",
        "invalid type",
        "invalid digit",
        "target type",
        "non-zero type",
        "unexpected end of",
        "expected expression",
        "flow ",
        "scalar",
        "Component error",
        "Pattern",
        "unsupported types",
        "missing field",
        "column: ",
        "InvalidC",
        "OtherError",
        "HTTP version parsed",
        "message completed",
        "lookup address",
        "u64",
        "usize",
    ] {
        assert!(!log.contains(speech), "`{speech}` in:\n{log}");
    }
}
