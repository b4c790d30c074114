//! The bar on a terminal, as a pseudoterminal shows it.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use crate::support::Folder;

/// One picture of the bar: what the run is at, how much of that is done in percents, and the rest of the line.
#[derive(Debug)]
struct Frame {
    stage: String,
    percent: u64,
    rest: String,
}

impl Frame {
    /// `starting ███░░ 16%  passed 0  failed 0  5.0/s  3 active, 4 s left`
    fn read(line: &str) -> Option<Self> {
        let (before, rest) = line.split_once('%')?;
        let stage = before
            .split(|c: char| !c.is_alphabetic() && c != ' ')
            .next()?;
        let percent = before.rsplit(' ').next()?;
        let stage = stage.trim();
        ["setting up", "starting", "finishing", "tearing down"]
            .contains(&stage)
            .then_some(())?;
        Some(Self {
            stage: stage.to_owned(),
            percent: percent.parse().ok()?,
            rest: rest.to_owned(),
        })
    }

    /// In seconds.
    fn left(&self) -> Option<f64> {
        let (before, _) = self.rest.split_once(" s left")?;
        before.rsplit(' ').next()?.parse().ok()
    }
}

/// What a run shows on a terminal of 150 columns, line by line as they are drawn over each other; `None` if the system
/// has no program that makes one.
fn shown(before: &str, scenario: &str, load: &str) -> Option<Vec<String>> {
    let folder = Folder::new();
    let file = folder.write("a.yaml", scenario);
    let config = folder.write(
        "chatprobe.yaml",
        "targets: { t: { url: 'http://127.0.0.1:9' } }\n",
    );
    let program = env!("CARGO_BIN_EXE_chatprobe");
    let command = format!(
        "stty cols 150 rows 20; {before} {program} run {file} --config {config} --load '{load}' --grace 2s"
    );
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_remove("CHATPROBE_LOG")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("this system has no `script`: not tested");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.split(['\r', '\n', '\u{1b}']);
    let lines =
        lines.map(|line| line.trim_start_matches(|c: char| "[;0123456789KABJm".contains(c)));
    Some(lines.map(str::to_owned).collect())
}

fn frames(lines: &[String]) -> Vec<Frame> {
    lines.iter().filter_map(|line| Frame::read(line)).collect()
}

#[test]
fn the_bar_agrees_with_the_time_that_is_left() {
    let scenario = "scenario: a\nsteps: [{ think: 1500ms }]\n";
    for load in [
        "{ chats: 40, ramp: 4s }",
        "{ rate: 10/s, for: 4s }",
        "{ customers: 5, for: 4s }",
    ] {
        let Some(lines) = shown("", scenario, load) else {
            return;
        };
        let frames = frames(&lines);
        let starting: Vec<_> = frames.iter().filter(|it| it.stage == "starting").collect();
        assert!(starting.len() >= 5, "{load}: {frames:#?}");
        for frame in &starting {
            let left = frame.left().unwrap_or_else(|| panic!("{frame:?}"));
            #[expect(clippy::cast_precision_loss, reason = "up to 100")]
            let by_bar = 4.0 * (1.0 - frame.percent as f64 / 100.0);
            // It is told in whole seconds, rounded up.
            assert!((-0.1..=1.1).contains(&(left - by_bar)), "{load}: {frame:?}");
        }
        let finishing: Vec<_> = frames.iter().filter(|it| it.stage == "finishing").collect();
        assert!(!finishing.is_empty(), "{load}: {frames:#?}");
        for frame in finishing {
            assert!(
                frame.left().is_none() && frame.rest.contains(" active"),
                "{load}: {frame:?}"
            );
        }
    }
}

#[test]
fn a_run_that_was_told_to_end_has_no_time_left_to_start_chats() {
    // It takes requests and never answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let scenario = format!("scenario: a\nsteps: [{{ step: ask, http: {{ get: '{url}' }} }}]\n");
    let Some(lines) = shown("timeout -s INT 2", &scenario, "{ rate: 5/s, for: 1h }") else {
        return;
    };
    // It does not stand behind the bar.
    let told = lines
        .iter()
        .any(|line| line.starts_with("stopped by SIGINT (Ctrl-C): nothing new begins"));
    assert!(told, "{lines:#?}");
    let frames = frames(&lines);
    let last_start = frames
        .iter()
        .rposition(|it| it.stage == "starting")
        .unwrap();
    assert!(frames[last_start].rest.contains("59 min"), "{frames:#?}");
    let after = &frames[last_start + 1..];
    let finishing = after.iter().filter(|it| it.stage == "finishing").count();
    assert!(finishing >= 3, "{frames:#?}");
    assert!(
        after.iter().all(|it| !it.rest.contains("left")),
        "{frames:#?}"
    );
}
