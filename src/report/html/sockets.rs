//! Sockets, and what members of rooms received.

use maud::{Markup, html};

use super::{Column, table};
use crate::{
    event::DeliveryFate,
    report::wording::{NOT_MEASURED, bytes, count, percent, seconds},
    runner::{DeliveryReport, FrameFigures, Quantiles, RunReport, SocketReport},
};

/// Nothing for a run without sockets.
pub fn sockets(report: &RunReport) -> Markup {
    html! {
        @if let Some(sockets) = &report.sockets { (of_sockets(sockets)) }
        @if let Some(deliveries) = &report.deliveries { (of_deliveries(deliveries)) }
    }
}

fn of_sockets(sockets: &SocketReport) -> Markup {
    let head = [
        Column::Text("Frames"),
        Column::Number("Text"),
        Column::Number("Binary"),
        Column::Number("Data"),
    ];
    let delays = [
        ("Sent frames until the system had taken them", &sockets.send),
        ("Pings until they were answered", &sockets.pong),
        ("Received frames until they were read", &sockets.read_delay),
    ];
    html! {
        section {
            h2 { "Sockets" }
            p {
                (count(sockets.opened)) " opened, " (count(sockets.open)) " of them still open"
                @for (by, number, codes) in sockets.closed_in_words() {
                    "; " (count(number)) " closed by " (by.in_words()) " (" (codes) ")"
                }
                "."
                @if sockets.dropped > 0 {
                    " " (count(sockets.dropped)) " received frames fell out of the inboxes of their chats."
                }
            }
            (table("Frames", &head, &html! {
                (frames("received", sockets.received)) (frames("sent", sockets.sent))
            }))
            (table("Delays of frames", &quantile_head("Delay"), &html! {
                @for (name, delay) in delays { (quantiles(name, delay)) }
            }))
        }
    }
}

fn frames(direction: &str, figures: FrameFigures) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "bytes for people to read")]
    let data = figures.bytes as f64;
    html! { tr {
        th scope="row" { (direction) }
        td.number { (count(figures.text)) }
        td.number { (count(figures.binary)) }
        td.number { (bytes(data)) }
    } }
}

fn of_deliveries(deliveries: &DeliveryReport) -> Markup {
    let head = [
        Column::Text("Disposition"),
        Column::Number("Deliveries"),
        Column::Number("Of those expected"),
    ];
    let expected = deliveries.expected;
    html! {
        section {
            h2 { "Deliveries" }
            p {
                (count(deliveries.messages)) " messages were published, and "
                (count(expected)) " deliveries to other members of their rooms were expected."
            }
            (table("Deliveries", &head, &html! {
                @for fate in DeliveryFate::ALL {
                    @let number = deliveries.of_fate(fate);
                    @let is_bad = fate == DeliveryFate::Lost && number > 0;
                    tr {
                        th scope="row" { (fate.as_str()) }
                        td.number.bad[is_bad] { (count(number)) }
                        td.number {
                            @if fate.is_expected() && expected > 0 { (percent(share(number, expected))) }
                            @else { "–" }
                        }
                    }
                }
                @if deliveries.open > 0 {
                    tr { th scope="row" { "not known yet" } td.number { (count(deliveries.open)) } td.number { "–" } }
                }
            }))
            (table("Latency of deliveries", &quantile_head("Latency"), &html! {
                (quantiles("from the publication to the arrival", &deliveries.latency))
            }))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
fn share(part: u64, of: u64) -> f64 {
    part as f64 / of as f64
}

fn quantile_head(name: &str) -> Vec<Column<'_>> {
    let mut head = vec![Column::Text(name), Column::Number("Count")];
    head.extend(["p50", "p95", "p99", "Most"].map(Column::Number));
    head
}

fn quantiles(name: &str, quantiles: &Quantiles) -> Markup {
    let figures = [quantiles.p50, quantiles.p95, quantiles.p99, quantiles.max];
    html! { tr {
        th scope="row" { (name) }
        td.number { (count(quantiles.count)) }
        @for figure in figures {
            td.number { (figure.map_or_else(|| NOT_MEASURED.to_owned(), seconds)) }
        }
    } }
}
