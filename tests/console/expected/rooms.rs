//! What the page of a run has to say of its sockets and rooms.

use serde_json::Value;

use super::{Expected, Told, float, number};

/// Nothing of a run without sockets.
pub(super) fn sockets(report: &Value, told: &mut Expected) {
    let sockets = &report["sockets"];
    if sockets.is_null() {
        return;
    }
    let frames = |direction: &str| {
        let [text, binary] = ["text", "binary"].map(|kind| float(&sockets[direction][kind]));
        Told::Number(Some(text + binary))
    };
    let mut put = |name: &str, value| told.insert(format!("Sockets / {name}"), value);
    put("open", number(&sockets["open"]));
    put("opened", number(&sockets["opened"]));
    put("frames received", frames("received"));
    put("frames sent", frames("sent"));
    if sockets["dropped"] != 0 {
        put("frames dropped from inboxes", number(&sockets["dropped"]));
    }
    for (by, codes) in sockets["closed"].as_object().unwrap() {
        let by = match by.as_str() {
            "us" => "chatprobe".to_owned(),
            by => format!("the {by}"),
        };
        let codes = codes.as_object().unwrap();
        let all = codes.values().map(float).sum();
        let codes: Vec<_> = codes
            .iter()
            .map(|(code, n)| format!("{code}: {n}"))
            .collect();
        put(
            &format!("closed by {by} ({})", codes.join(", ")),
            Told::Number(Some(all)),
        );
    }
    for (name, key) in [
        ("Frames until sent, p99", "send"),
        ("Pongs, p99", "pong"),
        ("Frames until read, p99", "read_delay"),
    ] {
        told.insert(name.to_owned(), number(&sockets[key]["p99"]));
    }
}

/// Nothing of a run without rooms.
pub(super) fn deliveries(report: &Value, told: &mut Expected) {
    let deliveries = &report["deliveries"];
    if deliveries.is_null() {
        return;
    }
    let mut put = |name: &str, value| told.insert(format!("Deliveries / {name}"), value);
    put("messages published", number(&deliveries["messages"]));
    put("expected", number(&deliveries["expected"]));
    for fate in ["delivered", "lost", "duplicate", "excused", "untracked"] {
        let number = deliveries["by_fate"][fate].as_f64().unwrap_or_default();
        put(fate, Told::Number(Some(number)));
    }
    if deliveries["open"] != 0 {
        put("not known yet", number(&deliveries["open"]));
    }
    for (name, quantile) in [
        ("p50", "p50"),
        ("p95", "p95"),
        ("p99", "p99"),
        ("slowest", "max"),
    ] {
        told.insert(
            format!("Latency, {name}"),
            number(&deliveries["latency"][quantile]),
        );
    }
}
