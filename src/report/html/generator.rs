//! What was asked for, and how the generator fared.

use maud::{Markup, html};

use super::{Column, table};
use crate::{
    report::wording::{
        Format, NOT_MEASURED, bytes, number, other_callbacks, percent, rate, seconds, span,
    },
    runner::{MeanAndMost, Quantiles, RunReport, RunState},
};

/// The load asked for and achieved.
pub fn load(report: &RunReport) -> Markup {
    let chats = &report.chats;
    html! {
        section {
            h2 { "Load" }
            p { "Asked for: " code { (report.load) }
                @if let Some(changed) = &report.load_changed_to { ", changed to " code { (changed) } " while it ran" }
                "."
            }
            p { "Achieved: " (chats.started) " chats began"
                @if let Some(rate) = report.mean_start_rate().map(rate) { ", " (rate) " on average while they were to" }
                ", at most " (chats.most_in_progress) " at once; " (chats.dropped) " were due and dropped. "
                "The run took " (span(report.elapsed_seconds)) "." }
        }
    }
}

/// Whether the generator did what it was asked to.
pub fn health(report: &RunReport) -> Markup {
    let machine = &report.machine;
    let delays = [
        ("Chats began after they were due", &report.start_lateness),
        ("Requests waited for the generator", &report.send_lateness),
        ("Its heartbeat was late", &report.scheduler_lag),
        ("Answers and events waited to be read", &report.read_delay),
        ("A thread that only sleeps woke late", &machine.thread_lag),
    ];
    let readings: [(_, _, Format); 7] = [
        ("CPUs used", &machine.cpus, number),
        ("CPU wait", &machine.cpu_wait, number),
        ("Memory in RAM", &machine.memory_bytes, bytes),
        ("Host busy", &machine.host_busy, percent),
        ("Files open", &machine.files, number),
        ("TCP sockets", &machine.sockets, number),
        ("Run queue of the host", &machine.run_queue, number),
    ];
    let mut delay_head = vec![Column::Text("Delay")];
    delay_head.extend(["p50", "p95", "p99", "Most"].map(Column::Number));
    let mut reading_head = vec![Column::Text("Machine")];
    reading_head.extend(["Mean", "Most"].map(Column::Number));
    html! {
        section {
            h2 { "Generator" }
            @if report.state == RunState::Interrupted {
                p { "The run was cut off: this is how the generator stood at the end of its last second that was kept, if one was. What was not kept is not measured." }
            } @else if machine.cpus.mean.is_none() {
                p { "The machine is read once a second: this run was too short for a reading." }
            }
            (table("Delays", &delay_head, &html! {
                @for (name, delay) in delays { (delayed(name, delay)) }
            }))
            (table("Machine", &reading_head, &html! {
                @for (name, reading, format) in readings { (read(name, *reading, format)) }
            }))
        }
    }
}

fn delayed(name: &str, delay: &Quantiles) -> Markup {
    let figures = [delay.p50, delay.p95, delay.p99, delay.max];
    html! {
        tr {
            th scope="row" { (name) }
            @if figures.iter().all(Option::is_none) {
                td.number colspan=(figures.len()) { (NOT_MEASURED) }
            } @else {
                @for figure in figures {
                    td.number { (figure.map_or_else(|| NOT_MEASURED.to_owned(), seconds)) }
                }
            }
        }
    }
}

fn read(name: &str, reading: MeanAndMost, format: Format) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @match reading.mean.zip(reading.most) {
                None => td.number colspan="2" { (NOT_MEASURED) },
                Some((mean, most)) => { td.number { (format(mean)) } td.number { (format(most)) } }
            }
        }
    }
}

/// What came in, and what became of it.
pub fn received_events(report: &RunReport) -> Markup {
    let events = &report.events;
    let settled: u64 = events.by_fate.values().sum();
    // Seconds that an earlier chatprobe kept do not have it.
    let unknown = match report.state {
        RunState::Interrupted => events.received.saturating_sub(settled + events.waiting),
        _ => 0,
    };
    let head = [Column::Text("Disposition"), Column::Number("Events")];
    html! {
        section {
            h2 { "Events received" }
            @if events.received == 0 { p { "None." } }
            @else {
                (table("Events received", &head, &html! {
                    @for (fate, count) in &events.by_fate {
                        tr { th scope="row" { (fate.as_str().replace('_', " ")) } td.number { (count) } }
                    }
                    @if unknown == 0 { tr { th scope="row" { "waiting" } td.number { (events.waiting) } } }
                    @else { tr { th scope="row" { "not known" } td.number { (unknown) } } }
                    tr { th scope="row" { "received" } td.number { (events.received) } }
                }))
            }
            @if let Some(others) = other_callbacks(events) { p { (others) } }
            @for difference in &events.differences {
                p.bad { "Counts do not agree, which is a bug of chatprobe: " (difference) }
            }
        }
    }
}
