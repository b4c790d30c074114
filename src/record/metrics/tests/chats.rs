use super::*;

const P: &str = "mode=\"probe\",scenario=\"chat\",target=\"eu\"";
const B: &str = "mode=\"burst\",scenario=\"chat\",target=\"eu\"";

fn probe() -> Arc<RunIdentity> {
    run_of("watch", "1", &subject("chat", "eu", Mode::Probe))
}

fn burst(id: &str) -> Arc<RunIdentity> {
    run_of("morning", id, &subject("chat", "eu", Mode::Burst))
}

#[test]
fn every_chat_is_counted_by_how_it_ended() {
    let fixture = Fixture::new();
    let run = burst("1");
    let endings = [
        Ending::Passed,
        Ending::Passed,
        failed(Reason::Status),
        failed(Reason::AgentJoinTimeout),
        failed(Reason::Status),
        Ending::Stopped,
    ];
    (0..8).for_each(|_| fixture.start_chat(&run));
    assert_eq!(fixture.value(&format!("chats_active{{{B}}}")), Some(8.0));
    for (chat, ending) in (1..).zip(endings) {
        fixture.end_chat(&run, chat, ending);
    }
    let value = |name: &str| fixture.value(&format!("{name}{{{B}}}"));
    assert_eq!(value("chats_started_total"), Some(8.0));
    assert_eq!(value("chats_passed_total"), Some(2.0));
    assert_eq!(value("chats_stopped_total"), Some(1.0));
    assert_eq!(value("chats_active"), Some(2.0));
    assert_eq!(
        fixture.counts("chats_failed_total"),
        [
            "chats_failed_total{mode=\"burst\",reason=\"agent_join_timeout\",scenario=\"chat\",target=\"eu\"} 1",
            "chats_failed_total{mode=\"burst\",reason=\"status\",scenario=\"chat\",target=\"eu\"} 2",
        ]
    );
    // Only what passed has a duration.
    assert_eq!(value("chat_duration_seconds_count"), Some(2.0));
    assert_eq!(value("chat_duration_seconds_sum"), Some(14.0));
    let bucket =
        |le: &str| fixture.value(&format!("chat_duration_seconds_bucket{{{B},le=\"{le}\"}}"));
    assert_eq!([bucket("5"), bucket("10")], [Some(0.0), Some(2.0)]);
}

#[test]
fn a_step_that_a_stop_cuts_short_has_neither_passed_nor_failed() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.step(&run, "agent_join", StepOutcome::Stopped);
    let labels = "mode=\"probe\",scenario=\"chat\",step=\"agent_join\",target=\"eu\"";
    let value = |name: &str| fixture.value(&format!("{name}{{{labels}}}"));
    assert_eq!(value("steps_stopped_total"), Some(1.0));
    assert_eq!(value("steps_passed_total"), Some(0.0));
    assert_eq!(value("step_duration_seconds_count"), Some(0.0));
    assert_eq!(fixture.counts("steps_failed_total"), Vec::<String>::new());
}

#[test]
fn a_step_that_failed_has_no_duration() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.step(&run, "send", StepOutcome::Passed(Duration::from_millis(20)));
    fixture.step(&run, "send", StepOutcome::Passed(Duration::from_millis(30)));
    fixture.step(&run, "send", StepOutcome::Failed(Reason::Timeout));
    fixture.step(&run, "agent_join", StepOutcome::Failed(Reason::Dns));
    let labels =
        |step: &str| format!("mode=\"probe\",scenario=\"chat\",step=\"{step}\",target=\"eu\"");
    let value = |name: &str, step: &str| fixture.value(&format!("{name}{{{}}}", labels(step)));
    assert_eq!(value("steps_passed_total", "send"), Some(2.0));
    assert_eq!(value("steps_passed_total", "agent_join"), Some(0.0));
    assert_eq!(value("step_duration_seconds_count", "send"), Some(2.0));
    assert_eq!(value("step_duration_seconds_sum", "send"), Some(0.05));
    assert_eq!(
        value("step_duration_seconds_count", "agent_join"),
        Some(0.0)
    );
    let bucket = |le: &str| {
        fixture.value(&format!(
            "step_duration_seconds_bucket{{{},le=\"{le}\"}}",
            labels("send")
        ))
    };
    assert_eq!(bucket("0.01"), Some(0.0));
    assert_eq!(bucket("0.025"), Some(1.0));
    assert_eq!(bucket("0.05"), Some(2.0));
    assert_eq!(bucket("+Inf"), Some(2.0));
    assert_eq!(
        fixture.counts("steps_failed_total"),
        [
            "steps_failed_total{mode=\"probe\",reason=\"dns\",scenario=\"chat\",step=\"agent_join\",target=\"eu\"} 1",
            "steps_failed_total{mode=\"probe\",reason=\"timeout\",scenario=\"chat\",step=\"send\",target=\"eu\"} 1",
        ]
    );
}

#[test]
fn labels_that_read_alike_in_a_row_are_different_series() {
    let fixture = Fixture::new();
    for (scenario, target) in [("ab", "c"), ("a", "bc")] {
        let run = run_of("watch", "1", &subject(scenario, target, Mode::Probe));
        fixture.start_chat(&run);
    }
    assert_eq!(
        fixture.lines("chats_started_total", ""),
        [
            "chats_started_total{mode=\"probe\",scenario=\"a\",target=\"bc\"} 1",
            "chats_started_total{mode=\"probe\",scenario=\"ab\",target=\"c\"} 1",
        ]
    );
}

#[test]
fn only_an_agent_who_joined_has_a_wait_and_only_a_timeout_is_one() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Passed(Duration::from_secs(4)),
    );
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Failed(Reason::AgentJoinTimeout),
    );
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Failed(Reason::AgentJoinTimeout),
    );
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Failed(Reason::Disconnected),
    );
    fixture.step(&run, "send", StepOutcome::Passed(Duration::from_secs(9)));
    let value = |name: &str| fixture.value(&format!("{name}{{{P}}}"));
    assert_eq!(value("agent_join_seconds_count"), Some(1.0));
    assert_eq!(value("agent_join_seconds_sum"), Some(4.0));
    assert_eq!(value("agent_join_timeouts_total"), Some(2.0));
}

#[test]
fn a_threshold_is_a_bucket() {
    let boundaries = Boundaries {
        agent_join: vec![Duration::from_secs(7)],
        step: vec![Duration::from_millis(300)],
        chat: vec![Duration::from_secs(8)],
        ..Boundaries::default()
    };
    let fixture = Fixture::with(&boundaries);
    let run = probe();
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Passed(Duration::from_millis(6_500)),
    );
    fixture.step(
        &run,
        "agent_join",
        StepOutcome::Passed(Duration::from_millis(7_500)),
    );
    fixture.step(
        &run,
        "send",
        StepOutcome::Passed(Duration::from_millis(300)),
    );
    fixture.end_chat(&run, 1, Ending::Passed);
    let join = |le: &str| fixture.value(&format!("agent_join_seconds_bucket{{{P},le=\"{le}\"}}"));
    assert_eq!(
        [join("5"), join("7"), join("10")],
        [Some(0.0), Some(1.0), Some(2.0)]
    );
    let step = "mode=\"probe\",scenario=\"chat\",step=\"send\",target=\"eu\"";
    let step = |le: &str| {
        fixture.value(&format!(
            "step_duration_seconds_bucket{{{step},le=\"{le}\"}}"
        ))
    };
    assert_eq!([step("0.25"), step("0.3")], [Some(0.0), Some(1.0)]);
    let chat =
        |le: &str| fixture.value(&format!("chat_duration_seconds_bucket{{{P},le=\"{le}\"}}"));
    assert_eq!([chat("5"), chat("8")], [Some(0.0), Some(1.0)]);
}

#[test]
fn the_oldest_wait_is_known_in_whatever_order_waits_end() {
    let fixture = Fixture::new();
    let (one, two) = (burst("1"), burst("2"));
    let now = || {
        let value = |name: &str| fixture.value(&format!("{name}{{{B}}}")).unwrap();
        let oldest = value("agent_wait_oldest_start_timestamp_seconds");
        (
            value("chats_waiting_for_agent"),
            (oldest > 0.0).then(|| oldest - f64::from(EPOCH)),
        )
    };
    fixture.wait(10, &one, 1);
    fixture.wait(11, &one, 2);
    fixture.wait(12, &two, 1);
    fixture.wait(13, &two, 2);
    assert_eq!(now(), (4.0, Some(10.0)));
    fixture.wait_no_more(&one, 2);
    assert_eq!(now(), (3.0, Some(10.0)));
    fixture.wait_no_more(&one, 1);
    assert_eq!(now(), (2.0, Some(12.0)));
    // The same number in another run is another chat.
    fixture.wait_no_more(&one, 1);
    assert_eq!(now(), (2.0, Some(12.0)));
    // A clock that was set back makes the later wait the older.
    fixture.wait(5, &one, 3);
    assert_eq!(now(), (3.0, Some(5.0)));
    fixture.wait_no_more(&two, 1);
    fixture.wait_no_more(&one, 3);
    assert_eq!(now(), (1.0, Some(13.0)));
    fixture.wait_no_more(&two, 2);
    assert_eq!(now(), (0.0, None));
    // The same chat may wait again.
    fixture.wait(20, &one, 1);
    assert_eq!(now(), (1.0, Some(20.0)));
}

#[test]
fn no_wait_outlives_its_run() {
    let fixture = Fixture::new();
    let run = burst("1");
    let waiting = || fixture.value(&format!("chats_waiting_for_agent{{{B}}}"));
    fixture.begin(&run);
    fixture.wait(1, &run, 1);
    fixture.wait(2, &run, 2);
    assert_eq!(waiting(), Some(2.0));
    fixture.end(&run);
    assert_eq!(waiting(), Some(0.0));
    assert_eq!(
        fixture.value(&format!("agent_wait_oldest_start_timestamp_seconds{{{B}}}")),
        Some(0.0)
    );
}
