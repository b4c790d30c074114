use super::*;
use crate::listener::{Closed, Figures, Name};

#[test]
fn listeners_are_shown_as_they_stand_and_what_they_closed_is_counted_once() {
    let fixture = Fixture::new();
    let value = |name: &str, labels: &str| {
        fixture.value(&format!(
            "listener_{name}{{listener=\"callbacks\"{labels}}}"
        ))
    };
    let closed = || {
        Closed::ALL.map(|why| {
            let output = fixture.output();
            let reason = why.as_str();
            output[&format!(
                "chatprobe_listener_closed_total{{listener=\"callbacks\",reason=\"{reason}\"}}"
            )]
        })
    };
    assert_eq!(closed(), [0.0; 5]);
    let callbacks = Figures {
        connections: 12,
        limit: 512,
        bytes: 4_096,
        closed: [1, 2, 3, 4, 5],
        waited: 6,
        dropped: 7,
    };
    let web = Figures {
        connections: 3,
        ..Figures::default()
    };
    for _ in 0..2 {
        fixture.emit(&ServiceEvent::ListenersWatched(Box::new([
            callbacks,
            web,
            Figures::default(),
            Figures::default(),
            Figures::default(),
        ])));
    }
    let gauges = ["connections", "max_connections", "request_bytes"].map(|name| value(name, ""));
    assert_eq!(gauges, [Some(12.0), Some(512.0), Some(4_096.0)]);
    assert_eq!(closed(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    let counters = ["waits_total", "dropped_connections_total"].map(|name| value(name, ""));
    assert_eq!(counters, [Some(6.0), Some(7.0)]);
    let of_web = fixture.value("listener_connections{listener=\"web\"}");
    assert_eq!(of_web, Some(3.0));
    assert_eq!(
        Name::ALL.map(Name::as_str),
        ["callbacks", "web", "simulator", "rooms", "behaviour"]
    );
}
