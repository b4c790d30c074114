//! Sockets of a run, and what members of rooms received.

use maud::{Markup, html};

use super::words::{count, time};
use crate::{
    event::DeliveryFate,
    runner::{DeliveryReport, RunReport, SocketReport},
};

/// Nothing for a run without sockets.
pub(super) fn sockets(report: &RunReport) -> Markup {
    html! {
        @if let Some(sockets) = &report.sockets { (of_sockets(sockets)) }
        @if let Some(deliveries) = &report.deliveries { (of_deliveries(deliveries)) }
    }
}

fn of_sockets(sockets: &SocketReport) -> Markup {
    html! {
        h2 { "Sockets" }
        ul.figures {
            li { strong { (count(sockets.open)) } " open" }
            li { strong { (count(sockets.opened)) } " opened" }
            @for (by, number, codes) in sockets.closed_in_words() {
                li { strong { (count(number)) } " closed by " (by.in_words()) " " small { "(" (codes) ")" } }
            }
            li { strong data-count="frames received" { (count(sockets.received.frames())) } " frames received" }
            li { strong data-count="frames sent" { (count(sockets.sent.frames())) } " frames sent" }
            @if sockets.dropped > 0 {
                li { strong { (count(sockets.dropped)) } " frames dropped from inboxes" }
            }
        }
        dl.facts {
            div { dt { "Frames until sent, p99" } dd { (time(sockets.send.p99)) } }
            div { dt { "Pongs, p99" } dd { (time(sockets.pong.p99)) } }
            div { dt { "Frames until read, p99" } dd { (time(sockets.read_delay.p99)) } }
        }
    }
}

fn of_deliveries(deliveries: &DeliveryReport) -> Markup {
    let latency = &deliveries.latency;
    html! {
        h2 { "Deliveries" }
        ul.figures {
            li { strong { (count(deliveries.messages)) } " messages published" }
            li { strong data-count="deliveries expected" { (count(deliveries.expected)) } " expected" }
            @for fate in DeliveryFate::ALL {
                @let number = deliveries.of_fate(fate);
                @let is_bad = fate == DeliveryFate::Lost && number > 0;
                li.failed[is_bad] {
                    strong data-count={ "deliveries " (fate.as_str()) } { (count(number)) } " " (fate.as_str())
                }
            }
            @if deliveries.open > 0 { li { strong { (count(deliveries.open)) } " not known yet" } }
        }
        dl.facts {
            @for (name, value) in [("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("slowest", latency.max)] {
                div { dt { "Latency, " (name) } dd { (time(value)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{record, with_rooms};

    #[test]
    fn a_run_with_rooms_shows_its_sockets_and_what_was_lost_and_another_shows_neither() {
        let plain = record(&[]);
        assert_eq!(sockets(&plain.report).into_string(), "");
        let shown = sockets(&with_rooms(plain).report).into_string();
        for told in [
            "<strong>1</strong> open",
            "<strong>4</strong> closed by the target <small>(1001: 3, app: 1)</small>",
            "<strong data-count=\"frames received\">39</strong> frames received",
            "<li class=\"failed\"><strong data-count=\"deliveries lost\">3</strong> lost",
            "<dt>Latency, p99</dt><dd>45 ms</dd>",
        ] {
            assert!(shown.contains(told), "{told} in {shown}");
        }
    }
}
