use std::{io, sync::Arc, time::Duration};

use tokio::time::advance;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{event::Trigger, scenario::Reason};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log and what it wrote.
struct Fixture {
    log: FailureLog,
    captured: Captured,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Fixture {
    fn new() -> Self {
        let captured = Captured::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(captured.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .finish();
        Self {
            log: FailureLog::default(),
            captured,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The lines since the last call.
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.captured.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn fail(&self, run: &Arc<RunIdentity>, chat: u64) {
        self.log.observe(
            run,
            &RunEvent::ChatEnded {
                chat,
                ending: Ending::Failed(Failure {
                    step: "send".into(),
                    reason: Reason::Status,
                    detail: "expected 200, got 503".into(),
                }),
                duration: Duration::from_secs(1),
                correlation: vec![
                    ("session_id".into(), "s-1".into()),
                    ("engagement_id".into(), "e 1".into()),
                ],
            },
        );
    }

    fn end(&self, run: &Arc<RunIdentity>, verdict: Verdict, all_passed: bool) {
        self.log.observe(
            run,
            &RunEvent::Ended {
                verdict,
                reason: (verdict != Verdict::Passed).then(|| "no agent,\nno answer".to_owned()),
                all_passed,
                failed_for: None,
            },
        );
    }
}

fn run(target: &str, mode: Mode) -> Arc<RunIdentity> {
    Arc::new(RunIdentity {
        id: format!("run-{target}"),
        name: "morning".into(),
        subject: Subject {
            scenario: "chat".into(),
            target: target.into(),
            mode,
        },
        trigger: Trigger::Api,
        is_member: false,
    })
}

#[tokio::test(start_paused = true)]
async fn a_failed_chat_is_one_line_with_everything_one_searches_for() {
    let fixture = Fixture::new();
    fixture.fail(&run("eu", Mode::Burst), 17);
    assert_eq!(
        fixture.lines(),
        [
            "WARN chat failed scenario=chat target=eu mode=\"burst\" run=run-eu chat=17 step=send reason=status detail=expected 200, got 503 correlation=session_id=\"s-1\" engagement_id=\"e 1\" failure=run-eu-17"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn chats_that_passed_or_were_stopped_are_no_lines() {
    let fixture = Fixture::new();
    for ending in [Ending::Passed, Ending::Stopped] {
        let ended = RunEvent::ChatEnded {
            chat: 1,
            ending,
            duration: Duration::ZERO,
            correlation: Vec::new(),
        };
        fixture.log.observe(&run("eu", Mode::Burst), &ended);
    }
    assert_eq!(fixture.lines(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn of_many_failures_some_are_written_and_the_rest_is_counted() {
    let fixture = Fixture::new();
    let run = run("eu", Mode::Burst);
    for chat in 0..4_322 {
        fixture.fail(&run, chat);
    }
    assert_eq!(fixture.lines().len(), 10);
    advance(Duration::from_millis(999)).await;
    fixture.fail(&run, 5_000);
    assert_eq!(fixture.lines(), Vec::<String>::new());
    advance(Duration::from_millis(1)).await;
    fixture.fail(&run, 5_001);
    fixture.fail(&run, 5_002);
    let lines = fixture.lines();
    assert_eq!(lines.len(), 1);
    let start = "WARN chat failed, and 4,313 more like it scenario=chat";
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    assert!(lines[0].contains("chat=5001"));

    fixture.end(&run, Verdict::Failed, false);
    assert_eq!(
        fixture.lines(),
        [
            "WARN failed chats left out: 1 scenario=\"chat\" target=\"eu\" mode=\"burst\" run=\"run-eu\"",
            "INFO burst ended burst=\"morning\" scenario=\"chat\" target=\"eu\" run=\"run-eu\" verdict=\"failed\" reason=\"no agent,\\nno answer\"",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn quiet_time_gives_ten_lines_back_and_no_more() {
    let fixture = Fixture::new();
    let run = run("eu", Mode::Burst);
    let fail_often = || (0..100).for_each(|chat| fixture.fail(&run, chat));
    fail_often();
    assert_eq!(fixture.lines().len(), 10);
    advance(Duration::from_millis(3_500)).await;
    fail_often();
    assert_eq!(fixture.lines().len(), 3);
    advance(Duration::from_millis(500)).await;
    fail_often();
    assert_eq!(fixture.lines().len(), 1);
    advance(Duration::from_hours(24)).await;
    fail_often();
    assert_eq!(fixture.lines().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn one_target_does_not_silence_another_nor_a_burst_the_probe() {
    let fixture = Fixture::new();
    (0..100).for_each(|chat| fixture.fail(&run("eu", Mode::Burst), chat));
    fixture.lines();
    fixture.fail(&run("us", Mode::Burst), 1);
    fixture.fail(&run("eu", Mode::Probe), 1);
    assert_eq!(fixture.lines().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_burst_logs_its_begin() {
    let fixture = Fixture::new();
    for mode in [Mode::Burst, Mode::Probe] {
        fixture.log.observe(&run("eu", mode), &RunEvent::Started);
    }
    assert_eq!(
        fixture.lines(),
        ["INFO burst started burst=\"morning\" scenario=\"chat\" target=\"eu\" run=\"run-eu\""]
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_logs_when_its_outcome_changes() {
    let fixture = Fixture::new();
    let run = run("eu", Mode::Probe);
    let rest = "probe=\"morning\" scenario=\"chat\" target=\"eu\" run=\"run-eu\"";
    let cases = [
        (Verdict::Stopped, false, None),
        (
            Verdict::Passed,
            true,
            Some("INFO probe succeeded for the first time"),
        ),
        (Verdict::Passed, true, None),
        (Verdict::Failed, false, Some("WARN probe is failing")),
        (Verdict::Failed, false, None),
        (Verdict::Stopped, true, None),
        (Verdict::Invalid, true, None),
        (Verdict::Passed, true, Some("INFO probe recovered")),
        (Verdict::Passed, true, None),
    ];
    for (index, (verdict, passed, line)) in cases.into_iter().enumerate() {
        fixture.end(&run, verdict, passed);
        let expected: Vec<String> = line
            .map(|line| format!("{line} {rest}"))
            .into_iter()
            .collect();
        assert_eq!(fixture.lines(), expected, "{index}");
    }
    let fails_from_the_first = self::run("us", Mode::Probe);
    fixture.end(&fails_from_the_first, Verdict::Failed, false);
    assert_eq!(fixture.lines().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_is_forgotten() {
    let fixture = Fixture::new();
    (0..50).for_each(|chat| fixture.fail(&run("eu", Mode::Burst), chat));
    (0..50).for_each(|chat| fixture.fail(&run("us", Mode::Burst), chat));
    fixture.log.retain(|subject| &*subject.target == "us");
    let mut all = fixture.log.0.lock().unwrap();
    assert_eq!(all.len(), 1);
    let told = all.values_mut().next().unwrap();
    assert_eq!(told.failures.take_left_out(), 40);
}

#[test]
fn numbers_are_grouped() {
    let cases = [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (4_312, "4,312"),
        (1_234_567, "1,234,567"),
    ];
    for (number, text) in cases {
        assert_eq!(grouped(number), text);
    }
}
