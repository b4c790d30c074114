use super::*;
use crate::scenario::{FrameKind, SocketEnd, SocketEvent};

const SUBJECT: &str = "mode=\"burst\",scenario=\"room\",target=\"eu\"";

fn started() -> (Fixture, Arc<RunIdentity>) {
    let fixture = Fixture::new();
    let subject = subject("room", "eu", Mode::Burst);
    fixture.metrics.declare_subject(&subject, &declaration());
    (fixture, run_of("rush", "1", &subject))
}

fn closed(by: SocketEnd, code: impl Into<Option<u16>>) -> SocketEvent {
    let code = code.into();
    SocketEvent::Closed { by, code }
}

fn emit(fixture: &Fixture, run: &Arc<RunIdentity>, events: &[SocketEvent]) {
    for event in events {
        fixture.emit_in(run, &RunEvent::Socket(*event));
    }
}

#[test]
fn sockets_are_counted_as_long_as_they_are_open_and_by_who_closed_them_and_how() {
    let (fixture, run) = started();
    let open = || fixture.value(&format!("sockets_open{{{SUBJECT}}}"));
    let of = |by: &str, code: &str| {
        let series = format!("sockets_closed_total{{by=\"{by}\",code=\"{code}\",{SUBJECT}}}");
        fixture.value(&series)
    };
    // What an alert looks at begins at zero, whatever code a target will give.
    for code in ["1000", "1001", "1011", "1013", "app", "none", "other"] {
        assert_eq!(of("target", code), Some(0.0), "{code}");
    }
    assert_eq!(
        (of("us", "1000"), of("network", "none")),
        (Some(0.0), Some(0.0))
    );
    assert_eq!((of("us", "app"), open()), (None, Some(0.0)));
    emit(&fixture, &run, &[SocketEvent::Opened; 7]);
    let events = [
        closed(SocketEnd::Target, 1001),
        closed(SocketEnd::Target, 4001),
        closed(SocketEnd::Target, 4002),
        closed(SocketEnd::Us, 3000),
        closed(SocketEnd::Network, None),
    ];
    emit(&fixture, &run, &events);
    assert_eq!(open(), Some(2.0));
    assert_eq!(of("target", "1001"), Some(1.0));
    assert_eq!(
        (of("target", "app"), of("us", "app")),
        (Some(2.0), Some(1.0))
    );
    assert_eq!(of("network", "none"), Some(1.0));
    // However many codes there are, the series are few.
    let every = (0..=u16::MAX).flat_map(|code| SocketEnd::ALL.map(|by| closed(by, code)));
    every.for_each(|event| emit(&fixture, &run, &[event]));
    assert_eq!(fixture.lines("sockets_closed_total", "").len(), 3 * 15 - 1);
}

#[test]
fn frames_are_counted_by_direction_and_kind_with_their_bytes_and_delays() {
    let (fixture, run) = started();
    let received = |kind, bytes, millis: Option<u64>| SocketEvent::Received {
        kind,
        bytes,
        read_delay: millis.map(Duration::from_millis),
    };
    emit(
        &fixture,
        &run,
        &[
            received(FrameKind::Text, 100, Some(250)),
            received(FrameKind::Text, 20, None),
            received(FrameKind::Binary, 3, Some(500)),
            SocketEvent::Sent {
                kind: FrameKind::Text,
                bytes: 7,
                took: Duration::from_millis(125),
            },
            SocketEvent::Ponged {
                after: Duration::from_secs(2),
            },
            SocketEvent::Dropped,
        ],
    );
    let frames = |direction: &str, kind: &str| {
        let labels = "mode=\"burst\",scenario=\"room\",target=\"eu\"";
        let series = format!("frames_total{{direction=\"{direction}\",kind=\"{kind}\",{labels}}}");
        fixture.value(&series).unwrap()
    };
    assert_eq!(
        (frames("received", "text"), frames("received", "binary")),
        (2.0, 1.0)
    );
    assert_eq!(
        (frames("sent", "text"), frames("sent", "binary")),
        (1.0, 0.0)
    );
    let bytes = |direction: &str| {
        let series = format!("frame_bytes_total{{direction=\"{direction}\",{SUBJECT}}}");
        fixture.value(&series).unwrap()
    };
    assert_eq!((bytes("received"), bytes("sent")), (123.0, 7.0));
    let histogram = |name: &str| {
        let of = |end: &str| {
            fixture
                .value(&format!("{name}_{end}{{{SUBJECT}}}"))
                .unwrap()
        };
        (of("count"), of("sum"))
    };
    assert_eq!(histogram("frame_read_delay_seconds"), (2.0, 0.75));
    assert_eq!(histogram("frame_send_seconds"), (1.0, 0.125));
    assert_eq!(histogram("socket_pong_seconds"), (1.0, 2.0));
    let dropped = fixture.value(&format!("frames_dropped_total{{{SUBJECT}}}"));
    assert_eq!(dropped, Some(1.0));
}

#[test]
fn a_scenario_without_sockets_has_no_series_of_them() {
    let (fixture, _) = started();
    let without = ScenarioDeclaration {
        sockets: SocketDeclaration::None,
        ..declaration()
    };
    let has = || {
        let names = ["socket", "frame", "deliver"];
        let output = fixture.output();
        let series = output
            .keys()
            .filter(|series| names.iter().any(|name| series.contains(name)));
        series.count()
    };
    assert_eq!(has(), 72 + 22);
    fixture
        .metrics
        .declare_subject(&subject("room", "eu", Mode::Burst), &without);
    assert_eq!(has(), 0);
}
