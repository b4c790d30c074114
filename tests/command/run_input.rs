//! What `chatprobe run` makes of its command line: what cannot be used, and what a seed decides.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Path, routing::get};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{Centre, Folder, Process, Run, SCENARIO, free_address, plain};

/// Every kind of unusable input, with what is said about it.
const UNUSABLE: [(&[&str], &str); 14] = [
    (
        &["nothing"],
        "`nothing` is neither a file nor a scenario of the configuration",
    ),
    (
        &["contact-center-cht"],
        "did you mean `contact-center-chat`?",
    ),
    (
        &[SCENARIO, "--target", "nobody"],
        "the configuration has centre",
    ),
    (&[SCENARIO, "--load", "{ chats: many }"], "--load"),
    (&[SCENARIO, "--load", "{ chats: 0 }"], "--load"),
    (&[SCENARIO, "--load", "{ chats: 1"], "--load"),
    (
        &[SCENARIO, "--input", "messages"],
        "`messages` is no assignment; write `name=value`",
    ),
    (
        &[SCENARIO, "--input", "mesages=1"],
        "did you mean `messages`?",
    ),
    (
        &[SCENARIO, "--input", "messages=few"],
        "input `messages` takes a whole number",
    ),
    (&[SCENARIO, "--input", "reply_delay=-1s"], "reply_delay"),
    (
        &[SCENARIO, "--threshold", "{ step: agent_jion, p95: 1s }"],
        "did you mean `agent_join`?",
    ),
    (&[SCENARIO, "--threshold", "{ p42: 1s }"], "--threshold"),
    (
        &[SCENARIO, "--config", "/nowhere/chatprobe.yaml"],
        "/nowhere/chatprobe.yaml: cannot be read",
    ),
    (
        &[SCENARIO, "--variable", "tenant_id"],
        "`tenant_id` is no assignment",
    ),
];

#[tokio::test]
async fn unusable_input_exits_with_two_before_anything_is_sent() {
    let centre = Centre::start("{}").await;
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain(&centre.url, ""));
    for (arguments, says) in UNUSABLE {
        let own = arguments.contains(&"--config");
        let config: &[&str] = if own { &[] } else { &["--config", &file] };
        let mut process = Process::start(&[&["run"], arguments, config].concat());
        let code = process.ended().await;
        let log = process.log();
        assert_eq!(code, 2, "{arguments:?}: {log}");
        assert!(log.contains(says), "{arguments:?} is said to be:\n{log}");
        assert!(log.contains("nothing was started"), "{arguments:?}:\n{log}");
        assert_eq!(process.output(), "", "{arguments:?}");
    }
    assert_eq!(centre.stats().await["requests"], serde_json::json!({}));
}

#[tokio::test]
async fn a_missing_variable_of_the_target_is_said_before_anything_is_sent() {
    let file = crate::support::shipped("scenarios/contact-center-chat.yaml")
        .display()
        .to_string();
    // Without a configuration there is only the address.
    let nowhere = Folder::new().argument("chatprobe.yaml");
    let mut process = Process::start(&[
        "run",
        &file,
        "--config",
        &nowhere,
        "--target",
        "http://127.0.0.1:1",
        "--variable",
        "tenant_id=t",
    ]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(
        log.contains("has no variable `channel_provider_id`"),
        "{log}"
    );
}

#[tokio::test]
async fn of_two_values_for_one_input_the_last_counts() {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).with(&["-i", "messages=5", "-i", "messages=1"]);
    let run = run.done().await.exits(0);
    assert_eq!(run.passed("send_chat"), 1);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let file = crate::support::shipped("scenarios/contact-center-chat.yaml")
        .display()
        .to_string();
    let nowhere = Folder::new().argument("chatprobe.yaml");
    for target in [
        "ftp://127.0.0.1:1",
        "http://",
        "http://me:secret@127.0.0.1:1",
    ] {
        let mut process = Process::start(&[
            "run",
            &file,
            "--config",
            &nowhere,
            "--target",
            target,
            "--variable",
            "tenant_id=t",
            "--variable",
            "channel_provider_id=p",
        ]);
        let code = process.ended().await;
        assert_eq!(code, 2, "{target}: {}{}", process.output(), process.log());
    }
}

#[tokio::test]
async fn an_input_leads_to_another_server_only_with_also() {
    let folder = Folder::new();
    let scenario = "scenario: s\ninputs: { next: { type: text } }\nsteps:\n  - step: go\n    \
                    http: { get: '{{ inputs.next }}/a' }\n";
    let file = folder.write("s.yaml", scenario);
    let nowhere = folder.argument("chatprobe.yaml");
    let other = format!("http://{}", free_address());
    let next = format!("next={other}");
    let target = format!("http://{}", free_address());
    let arguments = [
        "run", &file, "--config", &nowhere, "--target", &target, "-i", &next,
    ];
    for (also, code, says) in [
        (&[][..], 2, format!("also: [\"{other}\"]")),
        (&["--also", &other], 1, "refused".to_owned()),
        (
            &["--also", "https://h/path"],
            2,
            "leave the rest out".to_owned(),
        ),
    ] {
        let mut process = Process::start(&[&arguments[..], also].concat());
        let ended = process.ended().await;
        let said = process.output() + &process.log();
        assert_eq!(ended, code, "{said}");
        assert!(said.contains(&says), "{said}");
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_written_and_a_taken_port_exit_with_two() {
    let centre = Centre::start("{}").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, says) in [
        (
            ["--json", "/nowhere/report.json"],
            "cannot write the report to `/nowhere/report.json`",
        ),
        (["--callback-listen", &address], "--callback-listen"),
    ] {
        let folder = Folder::new();
        let file = folder.write("chatprobe.yaml", &plain(&centre.url, ""));
        let quick = [
            "-i",
            "session_pause=0s",
            "-i",
            "first_message_delay=0s",
            "-i",
            "reply_delay=0s",
        ];
        let run = ["run", SCENARIO, "--config", &file];
        let mut process = Process::start(&[&run, &quick[..], &arguments].concat());
        let code = process.ended().await;
        assert_eq!(code, 2, "{arguments:?}: {}", process.log());
        assert!(
            process.log().contains(says),
            "{arguments:?}: {}",
            process.log()
        );
    }
    assert_eq!(
        centre.stats().await["requests"],
        serde_json::json!({}),
        "nothing was sent in vain"
    );
}

#[tokio::test]
async fn a_target_that_cannot_be_meant_is_said_with_what_could_be() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain("http://127.0.0.1:1", ""));
    for (target, says) in [
        (
            "center",
            "there is no target named `center`, the configuration has centre; did you mean `centre`?",
        ),
        ("127.0.0.1:4000", "did you mean `http://127.0.0.1:4000`?"),
        ("localhost", "did you mean `http://localhost`?"),
    ] {
        let arguments = ["run", SCENARIO, "--config", &file, "--target", target];
        let mut process = Process::start(&arguments);
        assert_eq!(process.ended().await, 2, "{target}");
        let log = process.log();
        assert!(log.contains(says), "{target}: {log}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_with_what_to_write() {
    for (arguments, says) in [
        (
            ["simulate", "--listen", "4001"],
            "write for instance `127.0.0.1:4001`",
        ),
        (
            ["simulate", "--listen", "localhost:4002"],
            "write for instance `127.0.0.1:4002`",
        ),
        (
            ["run", "--callback-listen", "here"],
            "write for instance `127.0.0.1:4000`",
        ),
        (["check", "--log", "verbose"], "`verbose` is no level"),
        (
            ["serve", "--log", "nonsense=bar=baz"],
            "`bar=baz` is no level",
        ),
        (
            ["serve", "--log", "info,=debug"],
            "`=debug` names no module",
        ),
    ] {
        let mut process = Process::start(&arguments);
        assert_eq!(process.ended().await, 2, "{arguments:?}");
        let log = process.log();
        assert!(log.contains(says), "{arguments:?}: {log}");
    }
    let mut process = Process::start_in(&["serve"], &[("CHATPROBE_LOG", "loud")]);
    assert_eq!(process.ended().await, 2);
    assert!(process.log().contains("`loud` is no level"));
}

#[tokio::test]
async fn filters_that_make_sense_are_taken() {
    let folder = Folder::new();
    let file = folder.write("chatprobe.yaml", &plain("http://127.0.0.1:1", ""));
    for filter in [
        "",
        "warn",
        "INFO",
        "info,chatprobe=debug",
        "chatprobe::web=trace, warn",
        "info,chatprobe[span{field=1}]=debug",
    ] {
        let mut process = Process::start(&["check", "--config", &file, "--log", filter]);
        assert_eq!(process.ended().await, 0, "`{filter}`: {}", process.log());
    }
}

type Pauses = BTreeMap<String, Duration>;

/// A server at which chats show up before and after their pause, and how long that was.
async fn watch_pauses() -> (String, Arc<Mutex<BTreeMap<String, Vec<Instant>>>>) {
    let visits = Arc::new(Mutex::new(BTreeMap::<String, Vec<Instant>>::new()));
    let book = visits.clone();
    let visit = move |Path(chat): Path<String>| {
        book.lock()
            .unwrap()
            .entry(chat)
            .or_default()
            .push(Instant::now());
        async { "{}" }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/{chat}", get(visit))).into_future());
    (url, visits)
}

async fn pauses(seed: &str) -> Pauses {
    let (url, visits) = watch_pauses().await;
    let folder = Folder::new();
    let scenario = folder.write(
        "thinker.yaml",
        "scenario: thinker\nsteps:\n  - step: before\n    http: { get: \"{{ target.url }}/{{ chat.number }}\" }\n  \
         - think: { uniform: [0s, 3s] }\n  - step: after\n    http: { get: \"{{ target.url }}/{{ chat.number }}\" }\n",
    );
    let run = Run::new(folder, &scenario, &url).load("{ chats: 6 }");
    run.with(&["--seed", seed]).done().await.exits(0);
    let visits = visits.lock().unwrap();
    visits
        .iter()
        .map(|(chat, times)| (chat.clone(), times[1] - times[0]))
        .collect()
}

/// Whether every chat paused as long as in the other run, give or take what a busy host adds.
fn alike(one: &Pauses, other: &Pauses) -> bool {
    one.iter()
        .all(|(chat, pause)| pause.abs_diff(other[chat]) < Duration::from_millis(250))
}

#[tokio::test]
async fn the_same_seed_draws_the_same_pauses_for_every_chat() {
    let (first, again, other) = tokio::join!(pauses("11"), pauses("11"), pauses("12"));
    assert_eq!(first.len(), 6);
    assert!(alike(&first, &again), "{first:?} is not {again:?}");
    assert!(!alike(&first, &other), "{first:?} is {other:?}");
    // Neighbours draw for themselves.
    let spread = first
        .values()
        .max()
        .unwrap()
        .abs_diff(*first.values().min().unwrap());
    assert!(spread > Duration::from_millis(300), "{first:?}");
}

#[tokio::test]
async fn a_callback_address_is_checked_and_may_end_in_a_slash() {
    let centre = Centre::start("{}").await;
    let listen = crate::support::free_address().to_string();
    let reached = format!("http://{listen}/");
    let arguments = ["--callback-listen", &listen, "--callback-url", &reached];
    let run = Run::of_shipped(&centre.url).with(&arguments).done().await;
    assert_eq!(run.exits(0).chats("passed"), 1);
    let run = Run::of_shipped(&centre.url).with(&["--callback-url", "here"]);
    let run = run.done().await;
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.log.contains("--callback-url: `here` is not an address"),
        "{run:#?}"
    );
}
