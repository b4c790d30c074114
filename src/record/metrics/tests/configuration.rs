use super::*;
use crate::event::{
    BurstDeclaration, Declarations, Fate, LatencyLimit, LimitSubject, MemberDeclaration, Observers,
    SkipReason,
};

/// All series but those of the process and of chatprobe itself.
fn series(fixture: &Fixture) -> BTreeMap<String, f64> {
    let mut output = fixture.output();
    output.retain(|series, _| {
        ["scenario=", "burst="]
            .iter()
            .any(|label| series.contains(label))
            && !series.contains("\"none\"")
    });
    output
}

fn declared() -> (Fixture, Subject, Subject) {
    let fixture = Fixture::new();
    let probe = subject("chat", "eu", Mode::Probe);
    let burst = subject("chat", "us", Mode::Burst);
    for subject in [&probe, &burst] {
        fixture.metrics.declare_subject(subject, &declaration());
    }
    fixture.declare_probe(&probe, Duration::from_mins(1));
    fixture
        .metrics
        .declare_burst(&whole_burst("morning", &burst));
    (fixture, probe, burst)
}

#[test]
fn everything_known_is_there_from_the_start_and_events_add_no_series() {
    let (fixture, probe, burst) = declared();
    let before = series(&fixture);
    for (series, value) in &before {
        if series.contains("probe_interval") {
            assert_eq!(*value, 60.0);
        } else if !series.contains("probe_objective") {
            assert_eq!(*value, 0.0, "{series}");
        }
    }
    for (name, subject) in [("watch", &probe), ("morning", &burst)] {
        let run = run_of(name, "1", subject);
        fixture.begin(&run);
        for chat in 1..=2 {
            fixture.start_chat(&run);
            fixture.wait(1, &run, chat);
            fixture.wait_no_more(&run, chat);
            let joined = StepOutcome::Passed(Duration::from_secs(1));
            fixture.step(&run, "agent_join", joined);
            fixture.step(&run, "send", StepOutcome::Failed(Reason::Status));
        }
        fixture.end_chat(&run, 1, Ending::Passed);
        fixture.end_chat(&run, 2, failed(Reason::Status));
        fixture.emit_in(&run, &RunEvent::CallbackSettled(Fate::Late));
        fixture.end(&run);
    }
    fixture.emit(&ServiceEvent::ProbeSkipped {
        subject: probe,
        reason: SkipReason::Overlap,
    });
    let after = series(&fixture);
    assert!(before.keys().eq(after.keys()));
}

#[test]
fn the_number_of_series_is_the_one_foretold() {
    let boundaries = Boundaries {
        step: vec![Duration::from_millis(333)],
        ..Boundaries::default()
    };
    let fixture = Fixture::with(&boundaries);
    let all = || fixture.output().len();
    let own = all();
    assert_eq!(fixture.metrics.series(), own);
    let without = ScenarioDeclaration {
        agent_join: false,
        callbacks: false,
        sockets: SocketDeclaration::None,
        ..declaration()
    };
    (fixture.metrics).declare_subject(&subject("a", "eu", Mode::Probe), &without);
    assert_eq!(all() - own, boundaries.series_per_subject(&without));
    let before = all();
    (fixture.metrics).declare_subject(&subject("b", "eu", Mode::Burst), &declaration());
    // When the last one came, ids that repeat, verifications.
    let callbacks = Fate::ALL.len() + 3;
    assert_eq!(
        all() - before,
        boundaries.series_per_subject(&declaration()) + callbacks
    );
    let before = all();
    // Probe and burst share the callbacks.
    (fixture.metrics).declare_subject(&subject("b", "eu", Mode::Probe), &declaration());
    assert_eq!(
        all() - before,
        boundaries.series_per_subject(&declaration())
    );
    assert_eq!(fixture.metrics.series(), all());
}

#[test]
fn limits_of_objectives_and_thresholds_become_boundaries() {
    let seconds = Duration::from_secs;
    let limit = |step: Option<&str>, within| LatencyLimit {
        subject: step.map_or(LimitSubject::Chats, |step| {
            LimitSubject::Step(step_named(step))
        }),
        within: seconds(within),
    };
    let declarations = Declarations {
        probes: vec![ProbeDeclaration {
            subject: subject("chat", "eu", Mode::Probe),
            scenario: declaration(),
            every: seconds(60),
            objectives: Objectives::default(),
        }],
        bursts: vec![BurstDeclaration {
            name: "morning".into(),
            subject: subject("chat", "us", Mode::Burst),
            members: vec![MemberDeclaration {
                subject: subject("chat", "us", Mode::Burst),
                scenario: declaration(),
                limits: vec![
                    limit(None, 9),
                    limit(Some("send"), 3),
                    limit(Some("agent_join"), 8),
                    LatencyLimit {
                        subject: LimitSubject::Deliveries,
                        within: seconds(4),
                    },
                ],
            }],
        }],
        ..Declarations::default()
    };
    let boundaries = Boundaries::of(&declarations);
    assert_eq!(boundaries.chat, [seconds(9)]);
    assert_eq!(boundaries.step, [2, 3, 8].map(seconds));
    assert_eq!(boundaries.agent_join, [15, 8].map(seconds));
    assert_eq!(boundaries.delivery, [seconds(4)]);
}

#[test]
fn the_numbers_in_the_catalogue_are_right() {
    let nothing = ScenarioDeclaration {
        steps: Vec::new(),
        agent_join: false,
        callbacks: false,
        sockets: SocketDeclaration::None,
    };
    let mut every_reason = nothing.clone();
    every_reason.steps = vec![StepDeclaration {
        name: "all".into(),
        reasons: Reason::ALL.to_vec(),
        observes: None,
        is_request: true,
        polls: false,
    }];
    let boundaries = Boundaries::default();
    let count = |declaration: &ScenarioDeclaration| boundaries.series_per_subject(declaration);
    assert_eq!(count(&nothing), 4 + 19 + 56);
    assert_eq!(count(&every_reason), 94 + 2 + 16 + 18);
    let with_agent = ScenarioDeclaration {
        agent_join: true,
        ..nothing.clone()
    };
    assert_eq!(count(&with_agent) - count(&nothing), 20);
    let with_sockets = ScenarioDeclaration {
        sockets: SocketDeclaration::Sockets,
        ..nothing.clone()
    };
    assert_eq!(count(&with_sockets) - count(&nothing), 72);
    let with_deliveries = ScenarioDeclaration {
        sockets: SocketDeclaration::Rooms,
        ..nothing.clone()
    };
    assert_eq!(count(&with_deliveries) - count(&with_sockets), 22);
    let (fixture, ..) = declared();
    let has = |label: &str| {
        series(&fixture)
            .keys()
            .filter(|series| series.contains(label))
            .count()
    };
    assert_eq!(has("chatprobe_probe_"), 10 + 4 + 3 + 1);
    assert_eq!(has("burst=\"morning\""), 9);
}

#[test]
fn what_is_not_kept_goes_and_nothing_else_changes() {
    let (fixture, probe, burst) = declared();
    for (name, subject) in [("watch", &probe), ("morning", &burst)] {
        let run = run_of(name, "1", subject);
        fixture.begin(&run);
        fixture.start_chat(&run);
        fixture.step(&run, "send", StepOutcome::Failed(Reason::Status));
        fixture.end_chat(&run, 1, failed(Reason::Status));
        fixture.end(&run);
    }
    let before = series(&fixture);
    fixture
        .metrics
        .retain(|subject| *subject == probe, |_, _| false);
    let mut expected = before.clone();
    expected.retain(|series, _| !series.contains("target=\"us\"") && !series.contains("burst="));
    assert_eq!(series(&fixture), expected);
    assert!(expected.len() < before.len());
    // The scenario has no target left.
    fixture.metrics.retain(|_| false, |_, _| false);
    assert_eq!(series(&fixture), BTreeMap::new());
    // An event for a chat that ended long ago does not bring it back.
    let settle = || {
        let run = run_of("watch", "1", &probe);
        fixture.emit_in(&run, &RunEvent::CallbackSettled(Fate::Late));
    };
    settle();
    assert_eq!(series(&fixture), BTreeMap::new());
    let late = "callback_events_total{fate=\"late\",scenario=\"none\",target=\"none\"}";
    assert_eq!(fixture.value(late), Some(1.0));
    // It counts there once the scenario is back.
    fixture.metrics.declare_subject(&probe, &declaration());
    settle();
    let back = "callback_events_total{fate=\"late\",scenario=\"chat\",target=\"eu\"}";
    assert_eq!([fixture.value(late), fixture.value(back)], [Some(1.0); 2]);
}

#[test]
fn what_a_run_still_writes_to_goes_with_its_end() {
    let (fixture, probe, burst) = declared();
    let runs = [
        run_of("watch", "1", &probe),
        run_of("morning", "1", &burst),
        run_of("morning", "2", &burst),
    ];
    for run in &runs {
        fixture.begin(run);
        fixture.start_chat(run);
    }
    fixture.metrics.retain(|_| false, |_, _| false);
    for run in &runs {
        fixture.end_chat(run, 1, Ending::Passed);
    }
    let active = fixture.lines("chats_active", "");
    assert_eq!(
        active,
        [
            "chats_active{mode=\"burst\",scenario=\"chat\",target=\"us\"} 0",
            "chats_active{mode=\"probe\",scenario=\"chat\",target=\"eu\"} 0",
        ]
    );
    fixture.end(&runs[0]);
    fixture.end(&runs[1]);
    assert_eq!(fixture.lines("chats_active", "").len(), 1);
    assert_eq!(
        fixture.lines("burst_active", ""),
        ["burst_active{burst=\"morning\",scenario=\"chat\",target=\"us\"} 1"]
    );
    fixture.end(&runs[2]);
    assert_eq!(series(&fixture), BTreeMap::new());
}

#[test]
fn a_burst_goes_by_its_name_and_one_by_hand_with_its_subject() {
    let (fixture, _, burst) = declared();
    for name in ["morning", "evening", RunIdentity::AD_HOC] {
        let run = run_of(name, name, &burst);
        fixture.begin(&run);
        fixture.end(&run);
    }
    fixture
        .metrics
        .retain(|_| true, |name, _| name == "evening");
    let passed = |fixture: &Fixture| fixture.lines("bursts_total", "verdict=\"passed\"");
    assert_eq!(
        passed(&fixture),
        [
            "bursts_total{burst=\"ad-hoc\",scenario=\"chat\",target=\"us\",verdict=\"passed\"} 1",
            "bursts_total{burst=\"evening\",scenario=\"chat\",target=\"us\",verdict=\"passed\"} 1",
        ]
    );
    fixture
        .metrics
        .retain(|subject| *subject != burst, |_, _| false);
    assert_eq!(passed(&fixture), Vec::<String>::new());
    assert_eq!(fixture.lines("burst_active", ""), Vec::<String>::new());
}

#[test]
fn declared_anew_a_subject_keeps_its_counts_and_loses_what_it_no_longer_has() {
    let (fixture, probe, _) = declared();
    let run = run_of("watch", "1", &probe);
    fixture.begin(&run);
    fixture.start_chat(&run);
    fixture.step(&run, "send", StepOutcome::Failed(Reason::Status));
    let mut changed = declaration();
    changed.agent_join = false;
    changed.steps[1].name = "hello".into();
    changed.steps[0].reasons = vec![Reason::Status, Reason::Capture];
    fixture.metrics.declare_subject(&probe, &changed);
    let steps = || fixture.lines("steps_failed_total", "target=\"eu\"");
    // The run goes on with the steps that it began with.
    assert_eq!(steps().len(), 2 + 2 + 2 + 1);
    fixture.step(&run, "send", StepOutcome::Failed(Reason::Connect));
    fixture.end_chat(&run, 1, failed(Reason::Connect));
    fixture.end(&run);
    let line = |step: &str, reason: &str, value: u8| {
        format!(
            "steps_failed_total{{mode=\"probe\",reason=\"{reason}\",scenario=\"chat\",step=\"{step}\",target=\"eu\"}} {value}"
        )
    };
    assert_eq!(
        steps(),
        [
            line("hello", "agent_join_timeout", 0),
            line("send", "capture", 0),
            line("hello", "disconnected", 0),
            line("send", "status", 1),
        ]
    );
    assert_eq!(
        fixture.lines("agent_join_timeouts_total", "target=\"eu\""),
        Vec::<String>::new()
    );
    assert_eq!(
        fixture.lines("chats_started_total", "target=\"eu\"").len(),
        1
    );
    // It counts on where it stood.
    let next = run_of("watch", "2", &probe);
    fixture.begin_with(0, &next, &changed);
    fixture.step(&next, "send", StepOutcome::Failed(Reason::Status));
    assert_eq!(steps()[3], line("send", "status", 2));
    assert_eq!(fixture.metrics.series(), fixture.output().len());
}

#[test]
fn scrapes_and_reloads_among_the_events_lose_nothing() {
    let (fixture, probe, burst) = declared();
    std::thread::scope(|scope| {
        for (name, subject) in [("watch", &probe), ("morning", &burst)] {
            let fixture = &fixture;
            scope.spawn(move || {
                for id in 0..300 {
                    let run = run_of(name, &id.to_string(), subject);
                    fixture.begin(&run);
                    for chat in 0..3 {
                        fixture.start_chat(&run);
                        fixture.wait(1, &run, chat);
                        fixture.step(&run, "send", StepOutcome::Failed(Reason::Status));
                        fixture.end_chat(&run, chat, failed(Reason::Status));
                    }
                    fixture.end(&run);
                }
            });
        }
        for _ in 0..20 {
            fixture.metrics.declare_subject(&probe, &declaration());
            fixture.metrics.retain(|_| true, |_, _| true);
            fixture.metrics.render().unwrap();
        }
    });
    let output = series(&fixture);
    let sum = |name: &str, label: &str| -> f64 {
        let found = output
            .iter()
            .filter(|(series, _)| series.contains(name) && series.contains(label));
        found.map(|(_, value)| value).sum()
    };
    assert_eq!(sum("chats_started_total", ""), 1_800.0);
    assert_eq!(sum("chats_failed_total", "status"), 1_800.0);
    assert_eq!(sum("steps_failed_total", "status"), 1_800.0);
    assert_eq!(sum("chats_active", ""), 0.0);
    assert_eq!(sum("waiting_for_agent", ""), 0.0);
    assert_eq!(sum("bursts_total", "passed"), 300.0);
}

#[test]
fn a_burst_by_hand_has_its_series_at_zero_from_its_start() {
    let fixture = Fixture::new();
    let text = "scenario: chat\nsteps: [ { step: say, http: { get: 'http://x' } } ]\n";
    let node = crate::document::parse("chat.yaml", text).unwrap();
    let scenario =
        crate::scenario::Scenario::read(&node, &crate::document::Problems::default()).unwrap();
    let run = run_of(
        RunIdentity::AD_HOC,
        "1",
        &subject("chat", "eu", Mode::Burst),
    );
    let observers = Observers::default().and(fixture.metrics.clone());
    observers.of_run(&run, &scenario).emit(&RunEvent::Started);
    let value = |series: &str| fixture.value(series);
    let labels = "scenario=\"chat\",target=\"eu\"";
    for series in [
        format!("chats_failed_total{{mode=\"burst\",reason=\"connect\",{labels}}}"),
        "steps_failed_total{mode=\"burst\",reason=\"status\",scenario=\"chat\",step=\"say\",target=\"eu\"}".to_owned(),
        format!("bursts_total{{burst=\"ad-hoc\",{labels},verdict=\"failed\"}}"),
    ] {
        assert_eq!(value(&series), Some(0.0), "{series}");
    }
}
