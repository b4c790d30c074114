//! The one command that runs all tests: what it installs, and what tests may not leave behind.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{checkout::Checkout, said};
use crate::support::Folder;

/// As root, and as somebody else.
const ROOT: (&str, &str) = ("DOES", r#"case $line in "id "*) echo 0 ;; esac"#);
const SOMEBODY: (&str, &str) = ("DOES", r#"case $line in "id "*) echo 1000 ;; esac"#);

const WANTED: [&str; 3] = [
    "sh=dash",
    "no-such-command=first,second",
    "/no/such/*/file=third",
];

#[tokio::test]
async fn missing_packages_are_installed_as_root_or_by_sudo() {
    let checkout = Checkout::with(&["id", "apt-get", "sudo"]);
    let there = [WANTED[0], "/*/self/exe=third"];
    let nothing = checkout.run("ci/install", &there, &[ROOT]).await;
    assert_eq!((nothing.code, nothing.calls.len()), (0, 0));

    let root = checkout.run("ci/install", &WANTED, &[ROOT]).await;
    assert_eq!(root.code, 0, "{}", root.said);
    assert_eq!(
        root.calls[1..],
        [
            "apt-get [update] [-qq]",
            "apt-get [install] [--yes] [--no-install-recommends] [first] [second] [third] [-qq]",
        ]
    );

    let other = checkout.run("ci/install", &WANTED, &[SOMEBODY]).await;
    assert_eq!(other.code, 0, "{}", other.said);
    assert_eq!(other.calls[1], "sudo [-n] [true]");
    assert_eq!(other.calls[2], "sudo [-n] [apt-get] [update] [-qq]");
    assert!(other.calls[3].ends_with("[first] [second] [third] [-qq]"));
}

#[tokio::test]
async fn packages_that_cannot_be_installed_are_named_in_one_line() {
    let line = "apt-get install --yes --no-install-recommends first second third";
    for programs in [&["id", "apt-get"][..], &["id"], &["id", "apt-get", "sudo"]] {
        let checkout = Checkout::with(programs);
        // With sudo: it wants a password, and there is nobody to ask.
        let refuses = r#"case $line in "id "*) echo 1000 ;; "sudo "*) exit 1 ;; esac"#;
        let ran = checkout
            .run("ci/install", &WANTED, &[("DOES", refuses)])
            .await;
        assert_eq!(ran.code, 2, "{}", ran.said);
        assert!(ran.said.contains(line), "{}", ran.said);
        assert!(!ran.calls.iter().any(|call| call.starts_with("apt-get ")));
    }
    // As root, where the package is not to be found.
    let checkout = Checkout::with(&["id", "apt-get"]);
    let fails = r#"case $line in "id "*) echo 0 ;; *"[install]"*) exit 100 ;; esac"#;
    let ran = checkout
        .run("ci/install", &WANTED, &[("DOES", fails)])
        .await;
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(ran.said.contains(line), "{}", ran.said);
}

#[tokio::test]
async fn the_test_command_installs_then_builds_then_runs_all_tests() {
    let checkout = Checkout::with(&["cargo"]);
    checkout.replace("ci/install");
    checkout.replace("ci/leaves-nothing");
    let calls = checkout.stops_at_every_failure("ci/test", &[]).await;
    assert!(calls[0].starts_with("ci/install "), "{calls:?}");
    for package in ["=chromium,chromium-driver]", "=prometheus]", "=shellcheck]"] {
        assert!(calls[0].contains(package), "{package} in {}", calls[0]);
    }
    assert_eq!(
        calls[1..],
        [
            "cargo [test] [--locked] [--no-run]",
            "ci/leaves-nothing [cargo] [test] [--locked] [--no-fail-fast]",
        ]
    );
    let some = checkout.run("ci/test", &["--test", "console"], &[]).await;
    assert!(some.calls[2].ends_with(" [--test] [console]"));

    let without = Checkout::with(&[]).run("ci/test", &[], &[]).await;
    assert_eq!(without.code, 2, "{}", without.said);
    assert!(without.said.contains("rustup.rs"), "{}", without.said);
}

#[tokio::test]
async fn the_long_tests_repeat_more_and_keep_the_table_of_the_benches() {
    let checkout = Checkout::with(&[]);
    for script in [
        "ci/test",
        "ci/fuzz",
        "ci/chaos",
        "ci/install",
        "benches/whole",
    ] {
        checkout.replace(script);
    }
    let says = (
        "DOES",
        r#"case $line in benches/whole*) echo "| bench |" ;; ci/test*) [ "$CHATPROBE_LONG_TESTS" = 1 ] ;; esac"#,
    );
    let calls = checkout.stops_at_every_failure("ci/long", &[says]).await;
    assert_eq!(
        calls,
        [
            "ci/test",
            "ci/fuzz [60]",
            "ci/chaos [--long]",
            "ci/install [wrk=wrk]",
            "benches/whole"
        ]
    );
    assert_eq!(checkout.run("ci/long", &[], &[says]).await.code, 0);
    assert_eq!(checkout.read("reports/benches.md"), "| bench |\n");
}

#[tokio::test]
async fn fuzz_targets_have_ten_seconds_each_or_those_that_are_asked_for() {
    let checkout = Checkout::with(&["cargo"]);
    for (arguments, seconds) in [(&[][..], "10"), (&["60"], "60")] {
        let does = format!(
            r#"case $line in *--nocapture*) [ "$CHATPROBE_FUZZ_SECONDS" = {seconds} ] && [ -d "$CHATPROBE_FUZZ_FOUND" ] ;; esac"#
        );
        let ran = checkout.run("ci/fuzz", arguments, &[("DOES", &does)]).await;
        assert_eq!(ran.code, 0, "{}", ran.said);
        assert_eq!(
            ran.calls,
            [
                "cargo [test] [--locked] [--lib] [--no-run]",
                "cargo [test] [--locked] [--lib] [tests::fuzz::] [--] [--nocapture]",
            ]
        );
    }
}

#[test]
fn fuzz_targets_and_trials_are_run_for_every_change() {
    let run = fs::read_to_string(".ci/run").unwrap();
    let pipeline = fs::read_to_string("Jenkinsfile").unwrap();
    let (for_every_change, _) = pipeline.split_once("stage('Long tests')").unwrap();
    for script in ["ci/lint", "ci/api", "ci/fuzz", "ci/chaos"] {
        assert!(
            run.lines().any(|line| line == format!("step {script}")),
            "{script}"
        );
        assert!(
            for_every_change.contains(&format!("sh '{script}'")),
            "{script}"
        );
    }
}

/// Runs a shell script under a copy of `ci/leaves-nothing`, in a checkout that has nothing else.
fn leaves_nothing(folder: &Folder, script: &str) -> Output {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/leaves-nothing");
    folder.write("ci/a-file", "");
    fs::create_dir_all(folder.path("target")).unwrap();
    let copy = folder.path("ci/leaves-nothing");
    fs::copy(original, &copy).unwrap();
    // A file that another thread's child still has open for writing cannot be executed itself.
    Command::new("python3")
        .arg(copy)
        .args(["sh", "-c", script])
        .current_dir(folder.path(""))
        .output()
        .unwrap()
}

#[test]
fn a_command_that_leaves_nothing_ends_as_it_would_alone() {
    let folder = Folder::new();
    for (script, code) in [
        ("true", 0),
        ("exit 3", 3),
        ("kill -9 $$", 137),
        ("touch target/built; mkdir proptest-regressions", 0),
        // Its processes have a moment to end.
        ("sleep 0.3 &", 0),
        ("echo x >$TMPDIR/file; rm $TMPDIR/file", 0),
    ] {
        let ran = leaves_nothing(&folder, script);
        assert_eq!(ran.status.code(), Some(code), "{script}: {}", said(&ran));
        assert!(!said(&ran).contains("left behind"), "{}", said(&ran));
    }
}

#[test]
fn what_a_command_leaves_is_named_and_removed() {
    thread::scope(|scope| {
        for (script, what) in [
            ("sleep 1234 &", "process: "),
            // Not even a session of its own hides it.
            ("setsid sh -c 'sleep 1234; true' &", "sleep 1234"),
            ("mkdir $TMPDIR/some-folder", "temporary file: some-folder"),
            // So that it can be traced who left it.
            (
                "mkdir -p $TMPDIR/some-folder/inner; touch $TMPDIR/some-folder/inner/file",
                "    inner/file",
            ),
            (
                "mkdir $TMPDIR/some-folder; cd $TMPDIR/some-folder; touch $(seq 100 123)",
                "    4 more",
            ),
            ("echo more >>ci/a-file", "changed: ci/a-file"),
            ("touch ci/new", "new or changed: ci/new"),
            ("rm ci/a-file", "deleted: ci/a-file"),
        ] {
            // For each process it waits some seconds.
            scope.spawn(move || assert_is_named_and_removed(script, what));
        }
    });
}

/// Whether dropping a folder panics while a thread writes to it.
fn drop_is_noticed() -> bool {
    let folder = Folder::new();
    let path = folder.path("");
    let done = AtomicBool::new(false);
    let noticed = thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                let written = fs::write(path.join(format!("file-{number}")), "");
                if written.is_err() || done.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        while !path.join("file-1").exists() {
            thread::yield_now();
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(folder)));
        done.store(true, Ordering::Relaxed);
        dropped.is_err()
    });
    // Of a folder that was noticed something may be left.
    let _ = fs::remove_dir_all(&path);
    noticed
}

#[test]
fn a_folder_to_which_a_thread_still_writes_fails_the_test_that_drops_it() {
    // Now and then the folder is deleted between two writes.
    assert!((0..1_000).any(|_| drop_is_noticed()));
}

fn assert_is_named_and_removed(script: &str, what: &str) {
    let folder = Folder::new();
    let ran = leaves_nothing(&folder, script);
    assert_eq!(ran.status.code(), Some(1), "{script}: {}", said(&ran));
    let told = said(&ran);
    let line = told.lines().find(|line| line.contains(what));
    assert!(line.is_some(), "{script}: {what} in {told}");
    if let Some((_, process)) = told.split_once("process: ") {
        let id = process.split(' ').next().unwrap();
        assert!(!Path::new("/proc").join(id).exists(), "{process}");
    }
    // Also when a test failed, which decides the exit code.
    let ran = leaves_nothing(&folder, &format!("{script}\nexit 101"));
    assert_eq!(ran.status.code(), Some(101), "{script}: {}", said(&ran));
}

#[test]
fn the_document_shows_every_trial_and_every_fuzz_target() {
    let names = |text: &str, begin: &str| -> Vec<String> {
        let (_, table) = text.split_once(begin).unwrap();
        let rows = table.lines().skip_while(|line| !line.starts_with("| `"));
        rows.map_while(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
            .collect()
    };
    let trials = fs::read_to_string("ci/trials/chaos.py").unwrap();
    let (_, trials) = trials.split_once("TRIALS = {\n").unwrap();
    let trials: Vec<_> = trials
        .lines()
        .map_while(|line| Some(line.trim_start().strip_prefix('"')?.split_once('"')?.0))
        .collect();
    let document = fs::read_to_string("docs/robustness.md").unwrap();
    assert_eq!(names(&document, "## Trials"), trials);

    let mut targets: Vec<_> = fs::read_dir("tests/fixtures/fuzz")
        .unwrap()
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    targets.sort();
    let mut documented = names(&document, "## Fuzz targets");
    documented.sort();
    assert_eq!(documented, targets);
}
