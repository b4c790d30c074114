//! What an agent compiles, lints, tests and checks.

use std::fs;

use super::{
    checkout::{Checkout, Ran},
    scripts,
};

#[tokio::test]
async fn the_lints_take_the_code_and_every_shell_script() {
    let checkout = Checkout::with(&["cargo", "shellcheck"]);
    fs::create_dir(checkout.path("alerting")).unwrap();
    checkout.write("alerting/check", "#!/bin/sh\n");
    let calls = checkout.stops_at_every_failure("ci/lint", &[]).await;
    let (shell, cargo) = calls.split_last().unwrap();
    assert_eq!(
        cargo,
        [
            "cargo [fmt] [--check]",
            "cargo [clippy] [--locked] [--all-targets] [--] [-D] [warnings]"
        ]
    );
    let mut checked: Vec<_> = shell.split(" [").skip(1).collect();
    checked.sort_unstable();
    let mut all = scripts();
    all.insert("alerting/check".to_owned());
    let all: Vec<_> = all.iter().map(|path| format!("{path}]")).collect();
    assert_eq!(checked, all);

    let without = Checkout::with(&["cargo"]).run("ci/lint", &[], &[]).await;
    assert_eq!(without.code, 2, "{}", without.said);
    assert!(without.said.contains("shellcheck is missing"));
}

#[tokio::test]
async fn the_build_compiles_the_command_and_then_the_tests() {
    let checkout = Checkout::with(&["cargo"]);
    let calls = checkout.stops_at_every_failure("ci/build", &[]).await;
    assert_eq!(
        calls,
        [
            "cargo [build] [--locked]",
            "cargo [test] [--locked] [--no-run]"
        ]
    );
}

/// Has one of the scripts that run tests report on what a cargo of our own says.
async fn tests(checkout: &Checkout, script: &str, log: &str, code: i32) -> Ran {
    let file = checkout.beside("log");
    fs::write(&file, log).unwrap();
    let code = code.to_string();
    let environment = [
        ("DOES", r#"cat "$LOG"; exit "$CODE""#),
        ("LOG", &file),
        ("CODE", &code),
    ];
    checkout.run(script, &[], &environment).await
}

#[tokio::test]
async fn the_integration_tests_are_all_those_outside_the_crate() {
    let checkout = Checkout::with(&["cargo"]);
    // What a star without quotes would become.
    checkout.write("a file", "");
    let sums = "test result: ok. 1 passed; 0 failed; 0 ignored; finished in 0.01s\n";
    let log = format!("     Running tests/a.rs (a-1)\ntest one ... ok\n{sums}");
    let ran = tests(&checkout, "ci/integration", &log, 0).await;
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert_eq!(
        ran.calls,
        ["cargo [test] [--locked] [--no-fail-fast] [--color] [never] [--test] [*]"]
    );
    let xml = checkout.read("reports/integration.xml");
    assert!(
        xml.contains(r#"<testsuites name="integration" tests="1""#),
        "{xml}"
    );
    assert!(!checkout.read("reports/integration.html").is_empty());
    let ran = tests(&checkout, "ci/integration", &log, 101).await;
    assert_eq!(ran.code, 101, "{}", ran.said);
}

const LOG: &str = r#"   Compiling chatprobe v0.1.0
     Running unittests src/lib.rs (target/debug/deps/chatprobe-0123)

running 3 tests
test units::tests::reads_a_rate ... ok
test units::tests::slow has been running for over 60 seconds
test units::tests::left_out ... ignored, not today
test units::tests::breaks ... FAILED

failures:

---- units::tests::breaks stdout ----
thread panicked: 1 < 2 && "quoted"

failures:
    units::tests::breaks

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.25s

     Running tests/crash.rs (target/debug/deps/crash-0123)

running 2 tests
test one ... ok
error: test failed
"#;

#[tokio::test]
async fn a_failed_test_run_leaves_its_reports_and_its_exit_code() {
    let checkout = Checkout::with(&["cargo"]);
    let ran = tests(&checkout, "ci/unit", LOG, 101).await;
    assert_eq!(ran.code, 101, "{}", ran.said);
    assert_eq!(
        ran.calls,
        ["cargo [test] [--locked] [--no-fail-fast] [--color] [never] [--lib]"]
    );
    let xml = checkout.read("reports/unit.xml");
    for part in [
        r#"<testsuites name="unit" tests="5" failures="1" errors="1" skipped="1">"#,
        r#"<testsuite name="src/lib.rs" tests="3" failures="1" errors="0" skipped="1" time="0.25">"#,
        r#"<testcase classname="unit.src.lib" name="units::tests::reads_a_rate"/>"#,
        r#"<skipped message="not today"/>"#,
        "<failure>thread panicked: 1 &lt; 2 &amp;&amp; &quot;quoted&quot;\n",
        r#"<testsuite name="tests/crash.rs" tests="2" failures="0" errors="1""#,
    ] {
        assert!(xml.contains(part), "{part} in:\n{xml}");
    }
    let page = checkout.read("reports/unit.html");
    for part in [
        "5 tests: 2 passed, 1 failed, 1 errors, 1 ignored.",
        "1 &lt; 2 &amp;&amp; &quot;quoted&quot;",
    ] {
        assert!(page.contains(part), "{part} in:\n{page}");
    }
}

#[tokio::test]
async fn a_log_that_was_not_understood_is_no_success() {
    let sums = "test result: ok. 2 passed; 0 failed; 0 ignored; finished in 0.01s\n";
    let begin = "     Running tests/a.rs (a-1)\ntest one ... ok\n";
    for (log, code, ends, says) in [
        (format!("{begin}test two ... ok\n{sums}"), 0, 0, ""),
        (format!("{begin}{sums}"), 0, 1, "other counts"),
        ("nothing\n".to_owned(), 0, 1, "no test"),
        ("error[E0433]\n".to_owned(), 101, 101, ""),
    ] {
        let checkout = Checkout::with(&["cargo"]);
        let ran = tests(&checkout, "ci/unit", &log, code).await;
        assert_eq!(ran.code, ends, "{}", ran.said);
        assert!(ran.said.contains(says), "{}", ran.said);
        let page = checkout.read("reports/unit.html");
        assert_eq!(page.contains("cargo ended with"), code != 0);
    }
}

const CHECKS: [&str; 4] = [
    "alerting/check",
    "grafana/check",
    "deploy/check",
    "ci/check-jenkinsfile",
];

#[tokio::test]
async fn the_configuration_is_checked_with_its_rules_boards_and_deployments() {
    let checkout = Checkout::with(&["python3"]);
    for check in CHECKS {
        checkout.replace(check);
    }
    let real = [("CHATPROBE", env!("CARGO_BIN_EXE_chatprobe"))];
    let calls = checkout
        .stops_at_every_failure("ci/configuration", &real)
        .await;
    assert_eq!(calls, CHECKS);

    for file in [
        "config/chatprobe.yaml",
        "config/container.yaml",
        "config/image.yaml",
        "config/rooms.yaml",
        "config/behaviour.yaml",
    ] {
        let shipped = checkout.read(file);
        checkout.write(file, "no_such_key: 1\n");
        let ran = checkout.run("ci/configuration", &[], &real).await;
        assert_eq!(ran.code, 2, "{file}: {}", ran.said);
        assert!(ran.said.contains("no_such_key"), "{file}: {}", ran.said);
        assert!(ran.calls.is_empty(), "{file}: {:?}", ran.calls);
        checkout.write(file, &shipped);
    }
}

#[tokio::test]
async fn what_checks_the_configuration_and_is_missing_is_named_all_of_it() {
    let checkout = Checkout::with(&[]);
    let ran = checkout.run("ci/configuration", &[], &[]).await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    for says in [
        "python3 is missing: apt-get",
        "target/debug/chatprobe is missing: run ci/build",
    ] {
        assert!(ran.said.contains(says), "{says}: {}", ran.said);
    }
}

/// Makes a virtual environment of fakes, anew each time.
const MAKES: &str = r#"case $line in
    *"[-c]"*) rm -rf target/schemathesis ;;
    *"[venv]"*)
        mkdir -p "$3/bin"
        for program in python schemathesis; do
            cat "$BIN/python3" >"$3/bin/$program"
            chmod +x "$3/bin/$program"
        done ;;
    *'{"burst": "'*)
        name=${line#*'{"burst": "'}
        echo "/api/v1/runs/of-${name%%'"'*}" ;;
    *"/api/v1/runs/of-customers]"*) echo '{"load_changed_to":"customers: 20"}' ;;
esac"#;

#[tokio::test]
async fn the_api_is_tried_with_runs_in_progress_and_what_is_pinned() {
    let checkout = Checkout::with(&["python3", "curl"]);
    let environment = [
        ("CHATPROBE", env!("CARGO_BIN_EXE_chatprobe")),
        ("DOES", MAKES),
    ];
    let calls = checkout
        .stops_at_every_failure("ci/api", &environment)
        .await;
    assert_eq!(calls.len(), 15, "{calls:?}");
    assert_eq!(
        calls[1..3],
        [
            "python3 [-m] [venv] [target/schemathesis]",
            "target/schemathesis/bin/python [-m] [pip] [install] [--quiet] [--disable-pip-version-check] [--requirement] [ci/api-requirements.txt]",
        ]
    );
    for call in calls[3..13].iter().chain(&calls[14..]) {
        assert!(call.starts_with("curl "), "{call}");
        assert!(call.contains("[authorization: Bearer "), "{call}");
    }
    let starts = |burst| format!(r#"[{{"burst": "{burst}"}}]"#);
    for (call, burst) in calls[3..]
        .iter()
        .zip(["customers", "customers", "arrivals", "arrivals"])
    {
        assert!(call.contains(&starts(burst)), "{burst}: {call}");
    }
    for (calls, name) in calls[7..].chunks(2).zip(["monday", "tuesday", "wednesday"]) {
        assert!(calls[0].contains(&starts("once")), "{}", calls[0]);
        let put = format!("/api/v1/baselines/{name}]");
        assert!(calls[1].contains(r#"[{"run": "of-once"}]"#), "{}", calls[1]);
        assert!(calls[1].contains(&put), "{put}: {}", calls[1]);
    }
    let tried = &calls[13];
    assert!(tried.contains("/bin/schemathesis "), "{tried}");
    assert!(tried.contains(" [run] [http://127.0.0.1:"), "{tried}");

    // What is installed is used again, until another version is pinned.
    let reuses = MAKES.replace("rm -rf target/schemathesis", ":");
    let again = [environment[0], ("DOES", reuses.as_str())];
    let installs = async || {
        let ran = checkout.run("ci/api", &[], &again).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        ran.calls.iter().any(|call| call.contains("[pip]"))
    };
    // The last failure came behind the installation.
    assert!(!installs().await);
    checkout.write("ci/api-requirements.txt", "schemathesis==0\n");
    assert!(installs().await);
    assert!(!installs().await);
}

#[tokio::test]
async fn a_service_that_did_not_bear_it_is_no_success() {
    let checkout = Checkout::with(&["python3", "curl"]);
    let panics = format!(
        r#"{MAKES}; case $line in *" [run] "*) echo "thread 'w' panicked at" >>reports/api.log ;; esac"#
    );
    let environment = [
        ("CHATPROBE", env!("CARGO_BIN_EXE_chatprobe")),
        ("DOES", &panics),
    ];
    let ran = checkout.run("ci/api", &[], &environment).await;
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.said.contains("did not bear it"), "{}", ran.said);
    assert!(ran.said.contains("panicked at"), "{}", ran.said);
}

#[tokio::test]
async fn a_change_that_is_never_accepted_is_no_success() {
    let checkout = Checkout::with(&["python3", "curl"]);
    let refuses = MAKES.replace(r#""customers: 20""#, "null");
    let environment = [
        ("CHATPROBE", env!("CARGO_BIN_EXE_chatprobe")),
        ("DOES", refuses.as_str()),
    ];
    let ran = checkout.run("ci/api", &[], &environment).await;
    assert_eq!(ran.code, 1, "{}", ran.said);
    let says = "no change of the run of-customers was accepted";
    assert!(ran.said.contains(says), "{}", ran.said);
}

#[tokio::test]
async fn what_tries_the_api_and_is_missing_is_named_all_of_it() {
    let ran = Checkout::with(&[]).run("ci/api", &[], &[]).await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    for says in [
        "target/debug/chatprobe is missing: run ci/build",
        "curl is missing: apt-get",
        "python3 with venv is missing: apt-get",
    ] {
        assert!(ran.said.contains(says), "{says}: {}", ran.said);
    }
}
