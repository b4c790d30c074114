use super::*;
use crate::driver::{Phase, Phases};

fn probe() -> Arc<RunIdentity> {
    run_of("watch", "1", &subject("chat", "eu", Mode::Probe))
}

#[test]
fn phases_of_requests_are_measured_as_far_as_they_got() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.begin(&run);
    let mut phases = Phases::default();
    phases.finish(Phase::Lookup, Duration::from_millis(4));
    phases.finish(Phase::Connect, Duration::from_millis(250));
    phases.break_off(Phase::Tls, Duration::from_secs(3));
    fixture.emit_in(
        &run,
        &RunEvent::StepEnded {
            step: step_named("send"),
            sent: Some(Sent {
                phases,
                ..Sent::default()
            }),
            outcome: StepOutcome::Failed(Reason::Tls),
        },
    );
    let of = |phase: &str, end: &str| {
        let labels = "scenario=\"chat\",target=\"eu\"";
        let series =
            format!("request_phase_seconds_{end}{{mode=\"probe\",phase=\"{phase}\",{labels}}}");
        fixture.value(&series).unwrap()
    };
    let counts = Phase::ALL.map(|phase| of(phase.as_str(), "count"));
    assert_eq!(counts, [1.0, 1.0, 0.0, 0.0]);
    assert_eq!((of("lookup", "sum"), of("connect", "sum")), (0.004, 0.25));
}

#[test]
fn requests_that_were_sent_once_more_are_counted_by_their_step() {
    let fixture = Fixture::new();
    let run = probe();
    for times in [1, 3] {
        let step = step_named("send");
        fixture.emit_in(&run, &RunEvent::RequestResent { step, times });
    }
    // Only what sends something has a series.
    assert_eq!(
        fixture.lines("requests_resent_total", ""),
        ["requests_resent_total{mode=\"probe\",scenario=\"chat\",step=\"send\",target=\"eu\"} 4"]
    );
}

#[test]
fn a_certificate_is_known_by_its_target_as_long_as_the_configuration_has_that() {
    let fixture = Fixture::new();
    let run = probe();
    fixture.begin(&run);
    let expiry = || fixture.value("target_certificate_expiry_timestamp_seconds{target=\"eu\"}");
    assert_eq!(expiry(), None);
    let show = |expires: Option<u64>| {
        let sent = Sent {
            certificate_expires: expires.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            ..Sent::default()
        };
        let ended = RunEvent::StepEnded {
            step: step_named("send"),
            sent: Some(sent),
            outcome: StepOutcome::Passed(Duration::ZERO),
        };
        fixture.emit_in(&run, &ended);
    };
    for (expires, shown) in [(Some(5), 5.0), (None, 5.0), (Some(9), 9.0)] {
        show(expires);
        assert_eq!(expiry(), Some(shown));
    }
    let retain = |target: &str| (fixture.metrics).retain_targets([target.into()].into());
    retain("eu");
    assert_eq!(expiry(), Some(9.0));
    retain("us");
    assert_eq!(expiry(), None);
    // A run that is still in progress does not bring it back.
    show(Some(9));
    assert_eq!(expiry(), None);
    // Once the configuration has the target again, the same run does.
    retain("eu");
    assert_eq!(expiry(), None);
    show(Some(11));
    assert_eq!(expiry(), Some(11.0));
}
