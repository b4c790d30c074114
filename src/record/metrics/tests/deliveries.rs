use super::*;
use crate::event::{DeliveryEvent, DeliveryFate};

#[test]
fn deliveries_are_counted_by_what_became_of_them_and_begin_at_zero() {
    let fixture = Fixture::new();
    let subject = subject("room", "eu", Mode::Burst);
    fixture.metrics.declare_subject(&subject, &declaration());
    let of = |fate: &str| {
        let labels = format!("fate=\"{fate}\",mode=\"burst\",scenario=\"room\",target=\"eu\"");
        fixture.value(&format!("deliveries_total{{{labels}}}"))
    };
    let all = || DeliveryFate::ALL.map(|fate| of(fate.as_str()).unwrap());
    assert_eq!(all(), [0.0; 5]);
    let run = run_of("rush", "1", &subject);
    let latency = |millis| DeliveryEvent::Delivered {
        latency: Duration::from_millis(millis),
    };
    for event in [
        DeliveryEvent::Published { expected: 12 },
        latency(250),
        latency(500),
        latency(1_000),
        DeliveryEvent::Duplicate,
        DeliveryEvent::Lost(4),
        DeliveryEvent::Excused(5),
        DeliveryEvent::Untracked(7),
    ] {
        fixture.emit_in(&run, &RunEvent::Deliveries(event));
    }
    assert_eq!(all(), [3.0, 4.0, 1.0, 5.0, 7.0]);
    let histogram = |end: &str| {
        let labels = "mode=\"burst\",scenario=\"room\",target=\"eu\"";
        fixture.value(&format!("delivery_seconds_{end}{{{labels}}}"))
    };
    assert_eq!(histogram("count"), Some(3.0));
    assert_eq!(histogram("sum"), Some(1.75));
}

#[test]
fn a_scenario_without_rooms_has_no_series_of_deliveries() {
    let fixture = Fixture::new();
    let without = ScenarioDeclaration {
        sockets: SocketDeclaration::Sockets,
        ..declaration()
    };
    let subject = subject("echo", "eu", Mode::Burst);
    fixture.metrics.declare_subject(&subject, &declaration());
    // Declared anew, it has lost them.
    fixture.metrics.declare_subject(&subject, &without);
    let run = run_of("rush", "1", &subject);
    fixture.begin_with(0, &run, &without);
    let lost = RunEvent::Deliveries(DeliveryEvent::Lost(1));
    fixture.emit_in(&run, &lost);
    let all = fixture.output();
    assert!(!all.keys().any(|series| series.contains("deliver")));
    assert!(all.keys().any(|series| series.contains("sockets")));
}
