//! `chatprobe check`.

use crate::support::{Folder, Process, plain, shipped};

#[tokio::test]
async fn the_shipped_configuration_is_valid_and_told() {
    let file = shipped("chatprobe.yaml").display().to_string();
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let output = process.output();
    for part in [
        "is valid",
        "target    contact-center: http://127.0.0.1:4000",
        "scenario  contact-center-chat:",
        "probe     contact-center-chat: contact-center-chat against contact-center, every 30 s",
        "target    rooms: http://127.0.0.1:14222",
        "probe     websocket-support-chat: websocket-support-chat against rooms, every 30 s",
        "burst     nightly: contact-center-chat against contact-center, at `0 3 * * *` Europe/Berlin",
        "burst     lunch-rush: contact-center-chat against contact-center, when asked for",
        "            next due 20",
        "            graceful stop ",
        "            60 chats with 5 requests each, 302 requests in all",
        "            100 chats with 5 requests each, 502 requests in all",
        "            agent_join p95 <= 15 s",
        "            failed <= 1%, else it ends",
        "listen    web 127.0.0.1:8080",
        "listen    callbacks 127.0.0.1:8001",
        "simulator 127.0.0.1:4000, 200 agents",
        "rooms     127.0.0.1:14222",
        "series    ",
    ] {
        assert!(output.contains(part), "`{part}` in:\n{output}");
    }
    assert_eq!(process.log(), "");
}

#[tokio::test]
async fn numbers_stand_with_their_nouns() {
    let folder = Folder::new();
    folder.write(
        "one.yaml",
        "scenario: one\ninputs: { n: 1 }\nsteps:\n  - { step: a, http: { get: '{{ target.url }}/a' } }\n",
    );
    folder.write(
        "any.yaml",
        "scenario: any\nsteps:\n  - repeat: '{{ chat.number }}'\n    steps:\n      - { step: b, http: { get: '{{ target.url }}/b' } }\n",
    );
    let bursts = "bursts:\n  one: { scenario: one, target: centre, load: { chats: 1 } }\n  any: { scenario: any, target: centre, load: { chats: 1 } }\n  loop: { scenario: one, target: centre, load: { customers: 2, for: 1s } }";
    let configuration = plain("http://127.0.0.1:1", bursts)
        .replace("scenarios: ['", "scenarios: ['one.yaml', 'any.yaml', '");
    let file = folder.write("chatprobe.yaml", &configuration);
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let output = process.output();
    for line in [
        "scenario  one: 1 step, 1 input (",
        "scenario  any: 1 step, 0 inputs (",
        "            1 chat with 1 request, 1 request in all\n",
        "            1 chat with any number of requests, any number of requests in all\n",
        "            1 request a chat\n",
    ] {
        assert!(output.contains(line), "`{line}` in:\n{output}");
    }
}

/// What `check` says of a burst of this scenario, and how many series it counts.
async fn checked(scenario: &str) -> (String, u64) {
    let folder = Folder::new();
    folder.write("one.yaml", scenario);
    let bursts = "bursts: { one: { scenario: one, target: centre, load: { chats: 1 } } }";
    let configuration =
        plain("http://127.0.0.1:1", bursts).replace("scenarios: ['", "scenarios: ['one.yaml', '");
    let file = folder.write("chatprobe.yaml", &configuration);
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let output = process.output();
    let (_, series) = output.split_once("series    ").unwrap();
    let series = series.split_whitespace().next().unwrap().parse().unwrap();
    (output, series)
}

#[tokio::test]
async fn sockets_are_told_and_their_series_and_those_of_deliveries_counted() {
    let steps = "steps:\n  - { step: a, http: { get: '{{ target.url }}/a' } }\n";
    let connect = "  - { step: b, connect: '{{ target.url }}/b' }\n";
    let deliveries = "deliveries: { id: frame.json.id, within: 5s }\n";
    let (plain, without) = checked(&format!("scenario: one\n{steps}")).await;
    assert!(!plain.contains("at the same time"), "{plain}");
    let (told, with) = checked(&format!("scenario: one\n{steps}{connect}")).await;
    let line = "            1 socket a chat at the same time\n";
    assert!(told.contains(line), "{told}");
    // Ends by code, frames, and three histograms: more than a step has.
    assert!(with > without + 60, "{with} and {without}");
    let member = connect.replace("' }", "', member_of: lobby }");
    let (_, all) = checked(&format!("scenario: one\n{deliveries}{steps}{member}")).await;
    // Five dispositions, and a histogram.
    assert!(all > with + 10, "{all} and {with}");
}

#[tokio::test]
async fn a_publish_behind_which_chats_leave_too_soon_is_warned_of() {
    let scenario = |think| {
        format!(
            "scenario: one\ndeliveries: {{ id: frame.text, within: 5s }}\nsteps:\n  - {{ step: open, connect: '{{{{ target.url }}}}/', member_of: lobby }}\n  - {{ step: say, send: hi, publish: {{ id: hi, to: lobby }} }}\n  - {{ think: {think} }}\n"
        )
    };
    let (told, _) = checked(&scenario("2s")).await;
    for part in [
        "one.yaml:5:5: behind `say`",
        "after 2 s",
        "`within: 5 s`",
        "think",
    ] {
        assert!(told.contains(part), "`{part}` in:\n{told}");
    }
    assert_eq!(told.matches("warning: ").count(), 1, "{told}");
    let (told, _) = checked(&scenario("6s")).await;
    assert!(!told.contains("warning: "), "{told}");
    let file = shipped("scenarios/room-chat.yaml").display().to_string();
    let mut process = Process::start(&["check", &file]);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    assert!(
        !process.output().contains("warning: "),
        "{}",
        process.output()
    );
}

#[tokio::test]
async fn every_problem_is_shown_at_its_line_and_nothing_else() {
    let folder = Folder::new();
    let probe = "probes: { one: { scenario: contact-center-chat, target: centre, evry: 3s } }";
    let file = folder.write("chatprobe.yaml", &plain("http://127.0.0.1:1", probe));
    let mut process = Process::start(&["check", "--config", &file]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    for part in [
        &format!("{file}:5:"),
        "unknown key `evry`",
        "`every`",
        probe,
        "   ^",
        "nothing was started",
    ] {
        assert!(log.contains(part), "`{part}` in:\n{log}");
    }
    assert_eq!(process.output(), "");
}

#[tokio::test]
async fn what_the_service_refuses_to_start_with_is_not_valid() {
    let folder = Folder::new();
    folder.write("empty", "\n");
    for (sections, says) in [
        (
            "listen: { web: 0.0.0.0:0, callbacks: 127.0.0.1:0 }",
            "there is no admin token",
        ),
        (
            "admin: { token_file: missing }\nlisten: { web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }",
            "cannot read the admin token file",
        ),
        (
            "admin: { token_file: empty }\nlisten: { web: 127.0.0.1:0, callbacks: 127.0.0.1:0 }",
            "holds an empty admin token",
        ),
    ] {
        let file = folder.write("chatprobe.yaml", sections);
        let mut logs = Vec::new();
        for command in ["check", "serve"] {
            let mut process = Process::start(&[command, "--config", &file]);
            assert_eq!(process.ended().await, 2, "{command}: {sections}");
            assert_eq!(process.output(), "");
            assert!(process.log().contains(says), "{}", process.log());
            logs.push(process.log());
        }
        assert_eq!(logs[0], logs[1]);
    }
}

const ENVIRONMENT: &str = r#"
x-burst: &burst { scenario: plain, target: centre, load: &load { chats: ${CHATS} } }
targets:
  centre: { url: "https://${HOST}:${PORT:-8443}/$$v1", variables: { tenant: ${TENANT} } }
scenarios: ["${FOLDER}"]
limits: { max_active_chats: "${CHATS}", max_rate: ${RATE:-30/s} }
bursts:
  one: *burst
  two: { <<: *burst, load: { <<: *load, ramp: 1m } }
"#;

#[tokio::test]
async fn the_environment_and_merged_mappings_are_put_into_the_configuration() {
    let folder = Folder::new();
    let scenario = "x-http: &http { get: '{{ target.url }}/' }\nscenario: plain\nsteps: [{ step: a, http: { <<: *http, headers: { a: b } } }]\n";
    folder.write("scenarios/plain.yaml", scenario);
    // What editors and systems leave is no scenario.
    folder.write("scenarios/.#plain.yaml", "scenario: [");
    folder.write("scenarios/._plain.yml", "\0\0");
    let file = folder.write("chatprobe.yaml", ENVIRONMENT);
    let set = [
        ("HOST", "chat.example.com"),
        ("TENANT", "007"),
        ("CHATS", "25"),
        ("FOLDER", "scenarios"),
    ];
    let mut process = Process::start_in(&["check", "--config", &file], &set);
    assert_eq!(process.ended().await, 0, "{}", process.log());
    let output = process.output();
    for part in [
        "target    centre: https://chat.example.com:8443/$v1",
        "scenario  plain: 1 step, ",
        "burst     one: plain against centre, when asked for, { chats: 25 }",
        "burst     two: plain against centre, when asked for, { chats: 25, ramp: 1m }",
    ] {
        assert!(output.contains(part), "`{part}` in:\n{output}");
    }
    // The caps came from the environment as well, and the problem is told where the load stands.
    let set = [
        ("HOST", "a"),
        ("TENANT", "t"),
        ("CHATS", "31"),
        ("FOLDER", "scenarios"),
    ];
    let mut process = Process::start_in(&["check", "--config", &file], &set);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    assert!(
        log.contains(&format!("{file}:2:58: this load starts up to 31/s")),
        "{log}"
    );
    let mut process = Process::start_in(&["check", "--config", &file], &[("FOLDER", "scenarios")]);
    assert_eq!(process.ended().await, 2);
    let log = process.log();
    for (place, name) in [
        ("2:73", "CHATS"),
        ("4:27", "HOST"),
        ("4:77", "TENANT"),
        ("6:30", "CHATS"),
    ] {
        let part = format!("{file}:{place}: the environment variable `{name}` is not set");
        assert!(log.contains(&part), "`{part}` in:\n{log}");
    }
    assert!(
        log.contains("4 problems"),
        "what was not put in is told once: {log}"
    );
}
