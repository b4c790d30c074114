use super::*;
use crate::event::{Declarations, Fate, SkipReason};
use crate::vitals::{Beat, Load};

fn probe() -> Arc<RunIdentity> {
    run_of("watch", "1", &subject("chat", "eu", Mode::Probe))
}

fn burst(id: &str) -> Arc<RunIdentity> {
    run_of("morning", id, &subject("chat", "eu", Mode::Burst))
}

#[test]
fn events_are_counted_by_what_became_of_them() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.begin(&run);
    let settle = |run: Option<&Arc<RunIdentity>>, fate| match run {
        Some(run) => fixture.emit_in(run, &RunEvent::CallbackSettled(fate)),
        None => fixture.emit(&ServiceEvent::StrayCallback(fate)),
    };
    for (times, fate) in (1..).zip(Fate::ALL) {
        (0..times).for_each(|_| settle(Some(&run), fate));
    }
    settle(None, Fate::Unknown);
    settle(None, Fate::Rejected);
    settle(None, Fate::Rejected);
    // Heard of, and not yet settled.
    fixture.emit_in(&run, &RunEvent::CallbackReceived { through: None });
    // Another target of the same scenario.
    let other = run_of("watch", "2", &subject("chat", "us", Mode::Probe));
    fixture.begin(&other);
    settle(Some(&other), Fate::Late);
    let value = |scenario: &str, target: &str, fate: Fate| {
        let fate = fate.as_str();
        fixture.value(&format!(
            "callback_events_total{{fate=\"{fate}\",scenario=\"{scenario}\",target=\"{target}\"}}"
        ))
    };
    let of_chat = Fate::ALL.map(|fate| value("chat", "eu", fate).unwrap());
    assert_eq!(of_chat, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let of_other = Fate::ALL.map(|fate| value("chat", "us", fate).unwrap());
    assert_eq!(of_other.iter().sum::<f64>(), 1.0);
    let last_of = |target: &str| {
        let labels = format!("scenario=\"chat\",target=\"{target}\"");
        fixture.value(&format!(
            "callback_last_event_timestamp_seconds{{{labels}}}"
        ))
    };
    let last = || last_of("eu");
    assert_eq!(last(), Some(f64::from(EPOCH)));
    let received = RunEvent::CallbackReceived { through: None };
    fixture.emit_in_at(9, &run, &received);
    assert_eq!(last(), Some(f64::from(EPOCH) + 9.0));
    assert_eq!(last_of("us"), Some(0.0));
    let of_none = Fate::ALL.map(|fate| value("none", "none", fate).unwrap());
    assert_eq!(of_none, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
}

#[test]
fn requests_on_callback_paths_that_only_ask_and_ids_that_repeat_are_counted() {
    let fixture = Fixture::new();
    let count = |name: &str| {
        let labels = "scenario=\"chat\",target=\"eu\"";
        fixture.value(&format!("callback_{name}_total{{{labels}}}"))
    };
    for run in [probe(), burst("1")] {
        fixture.emit_in(&run, &RunEvent::CallbackVerified);
        fixture.emit_in(&run, &RunEvent::CallbackIdRepeated);
    }
    fixture.emit_in(&burst("2"), &RunEvent::CallbackIdRepeated);
    assert_eq!(count("verifications"), Some(2.0));
    assert_eq!(count("repeated_ids"), Some(3.0));
}

#[test]
fn a_probe_says_how_it_went_last_and_when() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.declare_probe(&run.subject, Duration::from_millis(90_500));
    let state = || {
        let value = |name: &str| {
            fixture
                .value(&format!("probe_{name}{{scenario=\"chat\",target=\"eu\"}}"))
                .unwrap()
        };
        let since = |name: &str| (value(name) > 0.0).then(|| value(name) - f64::from(EPOCH));
        let at = (
            since("last_run_timestamp_seconds"),
            since("last_success_timestamp_seconds"),
        );
        assert_eq!(value("interval_seconds"), 90.5);
        let failures = ["connect", "status"].map(|reason| {
            let labels = format!("reason=\"{reason}\",scenario=\"chat\",target=\"eu\"");
            let series = format!("probe_consecutive_failures{{{labels}}}");
            fixture.value(&series).unwrap()
        });
        (value("last_success"), failures, at.0, at.1)
    };
    let end = |second, verdict, failed_for: Option<Reason>| {
        fixture.emit_in_at(
            second,
            &run,
            &RunEvent::Ended {
                verdict,
                reason: None,
                all_passed: failed_for.is_none(),
                failed_for,
            },
        );
    };
    let (connect, status) = (Some(Reason::Connect), Some(Reason::Status));
    assert_eq!(state(), (0.0, [0.0, 0.0], None, None));
    end(10, Verdict::Passed, None);
    assert_eq!(state(), (1.0, [0.0, 0.0], Some(10.0), Some(10.0)));
    end(20, Verdict::Failed, status);
    assert_eq!(state(), (0.0, [0.0, 1.0], Some(20.0), Some(10.0)));
    end(30, Verdict::Stopped, connect);
    end(31, Verdict::Invalid, None);
    assert_eq!(state(), (0.0, [0.0, 1.0], Some(20.0), Some(10.0)));
    end(40, Verdict::Failed, connect);
    end(50, Verdict::Failed, connect);
    assert_eq!(state(), (0.0, [2.0, 1.0], Some(50.0), Some(10.0)));
    end(60, Verdict::Passed, None);
    assert_eq!(state(), (1.0, [0.0, 0.0], Some(60.0), Some(60.0)));

    let paused = |paused| {
        let subject = run.subject.clone();
        fixture.emit(&ServiceEvent::ProbePaused { subject, paused });
        fixture.value("probe_paused{scenario=\"chat\",target=\"eu\"}")
    };
    assert_eq!((paused(true), paused(false)), (Some(1.0), Some(0.0)));

    for reason in [SkipReason::Paused, SkipReason::Overlap, SkipReason::Paused] {
        let subject = run.subject.clone();
        fixture.emit(&ServiceEvent::ProbeSkipped { subject, reason });
    }
    assert_eq!(
        fixture.lines("probe_skipped_total", ""),
        [
            "probe_skipped_total{reason=\"overlap\",scenario=\"chat\",target=\"eu\"} 1",
            "probe_skipped_total{reason=\"paused\",scenario=\"chat\",target=\"eu\"} 2",
        ]
    );
    assert_eq!(fixture.lines("bursts_total", ""), Vec::<String>::new());
}

#[test]
fn a_burst_says_when_it_ran_and_what_came_of_it() {
    let fixture = Fixture::new();
    let (one, two) = (burst("1"), burst("2"));
    let labels = "burst=\"morning\",scenario=\"chat\",target=\"eu\"";
    let value = |name: &str| fixture.value(&format!("burst_{name}{{{labels}}}")).unwrap();
    let end = |second, run: &Arc<RunIdentity>, verdict| {
        fixture.emit_in_at(
            second,
            run,
            &RunEvent::Ended {
                verdict,
                reason: None,
                all_passed: false,
                failed_for: None,
            },
        );
    };
    fixture.begin_at(10, &one);
    fixture.begin_at(12, &two);
    assert_eq!(value("active"), 2.0);
    assert_eq!(
        value("last_start_timestamp_seconds"),
        f64::from(EPOCH) + 12.0
    );
    assert_eq!(value("last_end_timestamp_seconds"), 0.0);
    (0..3).for_each(|_| fixture.emit_in(&one, &RunEvent::ArrivalDropped));
    end(20, &one, Verdict::Invalid);
    assert_eq!(value("active"), 1.0);
    end(22, &two, Verdict::Failed);
    assert_eq!(value("active"), 0.0);
    assert_eq!(value("last_end_timestamp_seconds"), f64::from(EPOCH) + 22.0);
    assert_eq!(
        fixture.lines("bursts_total", ""),
        [
            "bursts_total{burst=\"morning\",scenario=\"chat\",target=\"eu\",verdict=\"failed\"} 1",
            "bursts_total{burst=\"morning\",scenario=\"chat\",target=\"eu\",verdict=\"invalid\"} 1",
            "bursts_total{burst=\"morning\",scenario=\"chat\",target=\"eu\",verdict=\"passed\"} 0",
            "bursts_total{burst=\"morning\",scenario=\"chat\",target=\"eu\",verdict=\"stopped\"} 0",
        ]
    );
    assert_eq!(
        fixture.value(&format!("burst_arrivals_dropped_total{{{labels}}}")),
        Some(3.0)
    );
    fixture.emit(&ServiceEvent::BurstSkipped {
        burst: "morning".into(),
    });
    assert_eq!(value("skipped_total"), 1.0);
    assert_eq!(
        fixture.lines("probe_last_success", ""),
        Vec::<String>::new()
    );
}

#[test]
fn chatprobe_says_how_late_it_is_and_what_it_runs() {
    let fixture = Fixture::new();
    fixture.start_chat(&probe());
    fixture.start_chat(&burst("1"));
    fixture.start_chat(&burst("1"));
    fixture.emit(&ServiceEvent::SchedulerLag(Duration::from_micros(400)));
    fixture.emit(&ServiceEvent::SchedulerLag(Duration::from_secs(2)));
    let lateness = |le: &str, mode: &str| {
        fixture.value(&format!(
            "start_lateness_seconds_bucket{{mode=\"{mode}\",le=\"{le}\"}}"
        ))
    };
    assert_eq!(
        [lateness("0.002", "burst"), lateness("0.005", "burst")],
        [Some(0.0), Some(2.0)]
    );
    assert_eq!(
        [lateness("0.002", "probe"), lateness("0.005", "probe")],
        [Some(0.0), Some(1.0)]
    );
    let ask = |run: &Arc<RunIdentity>| {
        fixture.step(run, "send", StepOutcome::Passed(Duration::from_secs(1)));
    };
    ask(&probe());
    ask(&burst("1"));
    ask(&burst("1"));
    let sent_late = |le: &str, mode: &str| {
        fixture.value(&format!(
            "send_lateness_seconds_bucket{{mode=\"{mode}\",le=\"{le}\"}}"
        ))
    };
    assert_eq!(
        [sent_late("0.002", "burst"), sent_late("0.005", "burst")],
        [Some(0.0), Some(2.0)]
    );
    assert_eq!(
        [sent_late("0.002", "probe"), sent_late("0.005", "probe")],
        [Some(0.0), Some(1.0)]
    );
    assert_eq!(
        fixture.value("scheduler_lag_seconds_bucket{le=\"0.0005\"}"),
        Some(1.0)
    );
    assert_eq!(fixture.value("scheduler_lag_seconds_count"), Some(2.0));
    assert_eq!(fixture.value("scheduler_lag_seconds_sum"), Some(2.0004));
    let build = format!(
        "build_info{{revision=\"unknown\",version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(fixture.value(&build), Some(1.0));
}

#[test]
fn heartbeats_of_the_thread_outside_say_how_the_machine_treats_the_process() {
    let fixture = Fixture::new();
    let gauges = || {
        let output = fixture.output();
        [
            "chatprobe_generator_cpu_wait",
            "chatprobe_host_runnable_threads",
        ]
        .map(|name| output[name])
    };
    let counters = || {
        let output = fixture.output();
        [
            "chatprobe_host_listen_overflows_total",
            "chatprobe_host_listen_drops_total",
        ]
        .map(|name| output[name])
    };
    assert_eq!(gauges(), [0.0, 0.0]);
    assert_eq!(counters(), [0.0, 0.0]);
    let beat = |late, load| fixture.emit(&ServiceEvent::Beat(Beat { late, load }));
    let load = Load {
        cpu_wait: Some(1.5),
        run_queue: Some(7),
        listen_overflows: 3,
        listen_drops: 4,
        ..Load::default()
    };
    beat(Duration::from_micros(60), Some(load));
    beat(Duration::ZERO, Some(load));
    assert_eq!(counters(), [6.0, 8.0]);
    beat(Duration::from_secs(2), None);
    assert_eq!(gauges(), [1.5, 7.0], "until the next reading");
    let lag = |series: &str| fixture.value(&format!("generator_thread_lag_seconds{series}"));
    assert_eq!(lag("_bucket{le=\"1\"}"), Some(2.0));
    assert_eq!(lag("_count"), Some(3.0));
    assert_eq!(lag("_sum"), Some(2.000_06));
    beat(Duration::ZERO, Some(Load::default()));
    assert_eq!(gauges(), [1.5, 7.0], "the kernel did not tell");
    let idle = Load {
        cpu_wait: Some(0.0),
        run_queue: Some(0),
        ..Load::default()
    };
    beat(Duration::ZERO, Some(idle));
    assert_eq!(gauges(), [0.0, 0.0]);
}

#[test]
fn a_refused_configuration_leaves_the_time_of_the_last_good_one() {
    let fixture = Fixture::new();
    let state = || {
        let good = fixture.value("config_last_reload_successful").unwrap();
        (
            good,
            fixture
                .value("config_last_reload_success_timestamp_seconds")
                .unwrap(),
        )
    };
    assert_eq!(state(), (0.0, 0.0));
    fixture.emit_at(
        5,
        &ServiceEvent::ConfigurationAccepted(Declarations::default()),
    );
    assert_eq!(state(), (1.0, f64::from(EPOCH) + 5.0));
    fixture.emit_at(9, &ServiceEvent::ConfigurationRefused);
    assert_eq!(state(), (0.0, f64::from(EPOCH) + 5.0));
}

/// As the output has it.
fn float(value: u64) -> f64 {
    value.to_string().parse().unwrap()
}

#[test]
fn the_resources_are_those_that_the_monitor_sees() {
    let fixture = Fixture::new();
    let before = fixture.metrics.monitor().latest();
    let output = fixture.output();
    let seen = fixture.metrics.monitor().latest();
    assert_eq!(
        output["process_resident_memory_bytes"],
        float(seen.resident_memory_bytes)
    );
    assert_eq!(
        output["process_resident_memory_peak_bytes"],
        float(seen.resident_memory_peak_bytes)
    );
    assert_eq!(output["process_open_fds"], float(seen.open_fds));
    assert_eq!(output["process_max_fds"], float(seen.max_fds));
    assert_eq!(output["process_threads"], float(seen.threads));
    assert_eq!(
        output["process_start_time_seconds"],
        float(seen.start_time_seconds)
    );
    assert_eq!(output["chatprobe_host_cpus"], float(seen.host_cpus));
    assert_eq!(
        output["chatprobe_host_memory_total_bytes"],
        float(seen.host_memory_total_bytes)
    );
    assert_eq!(
        output["chatprobe_host_memory_available_bytes"],
        float(seen.host_memory_available_bytes)
    );
    let close = |name: &str, seen: Duration| {
        assert!((output[name] - seen.as_secs_f64()).abs() < 1e-6, "{name}");
    };
    close("process_cpu_user_seconds_total", seen.cpu_user);
    close("process_cpu_system_seconds_total", seen.cpu_system);
    close("process_cpu_seconds_total", seen.cpu_user + seen.cpu_system);
    assert!(seen.cpu_user >= before.cpu_user);
}

#[test]
fn what_a_probe_did_in_time_is_counted_against_its_objectives() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.declare_probe(&run.subject, Duration::from_mins(1));
    fixture.begin(&run);
    let seconds = Duration::from_secs;
    for (step, outcome) in [
        ("agent_join", StepOutcome::Passed(seconds(15))),
        ("agent_join", StepOutcome::Passed(seconds(16))),
        ("agent_join", StepOutcome::Failed(Reason::AgentJoinTimeout)),
        ("send", StepOutcome::Passed(seconds(2))),
        ("send", StepOutcome::Passed(seconds(1))),
        ("send", StepOutcome::Passed(Duration::from_millis(2_001))),
        ("send", StepOutcome::Failed(Reason::Status)),
    ] {
        fixture.step(&run, step, outcome);
    }
    // The same by a burst is a load test, and says nothing about what the probe is held to.
    let burst = run_of("morning", "2", &subject("chat", "eu", Mode::Burst));
    fixture.begin(&burst);
    fixture.step(&burst, "send", StepOutcome::Passed(seconds(1)));
    let labels = "scenario=\"chat\",target=\"eu\"";
    assert_eq!(
        fixture.lines("probe_agent_joins_in_time_total", ""),
        [format!("probe_agent_joins_in_time_total{{{labels}}} 1")]
    );
    assert_eq!(
        fixture.lines("probe_steps_in_time_total", ""),
        ["probe_steps_in_time_total{scenario=\"chat\",step=\"send\",target=\"eu\"} 2"]
    );
    let objective = |name: &str, objective: &str| {
        let labels = format!("objective=\"{objective}\",{labels}");
        fixture.value(&format!("probe_objective_{name}{{{labels}}}"))
    };
    assert_eq!(objective("ratio", "success"), Some(0.99));
    assert_eq!(objective("ratio", "agent_join"), Some(0.95));
    assert_eq!(objective("seconds", "agent_join"), Some(15.0));
    assert_eq!(objective("seconds", "steps"), Some(2.0));
    assert_eq!(objective("seconds", "success"), None);
}
