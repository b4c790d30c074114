//! Tables and charts of a run.

use maud::{Markup, html};

use super::words::{Standing, count, rate, share, time};
use crate::{
    report::wording::{Format, NOT_MEASURED, OTHER_CALLBACKS, bytes, number, percent},
    runner::{Quantiles, RunReport, RunState, StepReport},
};

/// A chart of the run: the script draws it of the samples.
struct Chart {
    name: &'static str,
    unit: &'static str,
    /// Each a word and where a sample has it: `WORD=PLACE;...`.
    series: &'static str,
}

const CHARTS: [Chart; 6] = [
    Chart {
        name: "Chats in progress",
        unit: "",
        series: "in progress=in_progress;customers asked for=customers",
    },
    Chart {
        name: "Arrivals",
        unit: "/s",
        series: "achieved=started/s;asked for=due/s",
    },
    Chart {
        name: "Ends",
        unit: "/s",
        series: "passed=passed/s;failed=failed/s",
    },
    Chart {
        name: "Wait for the agent",
        unit: "s",
        series: "median=join.p50;p95=join.p95;slowest=join.max",
    },
    Chart {
        name: "Memory",
        unit: "MB",
        series: "in RAM=memory",
    },
    Chart {
        name: "CPUs used",
        unit: "",
        series: "user=machine.cpu_user;system=machine.cpu_system",
    },
];

/// Of a run whose scenario expects deliveries.
const OF_DELIVERIES: [Chart; 2] = [
    Chart {
        name: "Latency of deliveries",
        unit: "s",
        series: "median=deliveries.p50;p95=deliveries.p95;slowest=deliveries.max",
    },
    Chart {
        name: "Deliveries",
        unit: "/s",
        series: "delivered=deliveries.by_fate.delivered/s;lost=deliveries.by_fate.lost/s",
    },
];

pub(super) fn charts(report: &RunReport) -> Markup {
    let join = report.steps.iter().position(|step| step.observes.is_some());
    let of_deliveries = OF_DELIVERIES.iter().filter(|_| report.deliveries.is_some());
    html! {
        h2 { "Second by second" }
        noscript { p { "The charts need the script; the report below has them without." } }
        p #reading.quiet { "Point at a chart, or focus it and use the arrow keys, to read it." }
        div #charts data-join=[join] {
            @for Chart { name, unit, series } in CHARTS.iter().chain(of_deliveries) {
                figure data-unit=(unit) data-series=(series) { figcaption { (name) } }
            }
        }
    }
}

pub(super) fn steps(report: &RunReport) -> Markup {
    let whole = StepReport {
        step: "whole chats".to_owned(),
        observes: None,
        passed: report.chats.passed,
        failed: report.chats.failed,
        failed_by_reason: report.chats.failed_by_reason.clone(),
        stopped: report.chats.stopped,
        resent: report.steps.iter().map(|step| step.resent).sum(),
        polled: report.steps.iter().map(|step| step.polled).sum(),
        latency: report.chat_duration.clone(),
    };
    let counts = ["Passed", "Failed", "Failed, %", "Ended"];
    html! {
        div.title {
            h2 { "Steps" }
            button type="button" data-reset { "Count from now" } " " span #since.quiet {}
        }
        div.wide role="region" aria-label="Steps" tabindex="0" { table {
            caption.unseen { "Steps: how often they passed and failed, and how long those took that passed" }
            thead { tr {
                th scope="col" { "Step" }
                @for name in counts { th.figure scope="col" { (name) } }
                @for name in ["p50", "p90", "p95", "p99", "max"] { th.figure scope="col" { (name) } }
                th scope="col" { "Details" }
            } }
            tbody { @for step in report.steps.iter().chain([&whole]) { (row(step, report.elapsed_seconds, report.state)) } }
        } }
    }
}

fn row(step: &StepReport, elapsed: f64, state: RunState) -> Markup {
    let Quantiles {
        p50,
        p90,
        p95,
        p99,
        max,
        ..
    } = step.latency;
    let (passed, failed, name) = (step.passed, step.failed, &step.step);
    let standing = Standing::of_step(step, state);
    // The step of which the script draws the latency.
    let observes = step.observes.map(|_| "");
    html! { tr class=(standing.class) data-step=(name) data-observes=[observes] {
        th scope="row" {
            span.sign aria-hidden="true" { (standing.sign) } "\u{a0}"
            (name) span.unseen.word { ": " (standing.word) }
        }
        td.figure data-count={ (name) " passed" } { (count(passed)) }
        td.figure data-count={ (name) " failed" } { (count(failed)) }
        td.figure.share { (share(failed, passed)) }
        td.figure.rate { (rate(passed + failed, elapsed)) }
        @for (name, quantile) in [("p50", p50), ("p90", p90), ("p95", p95), ("p99", p99), ("max", max)] {
            td.figure data-quantile=(name) { (time(quantile)) }
        }
        td.reasons {
            @for (reason, number) in &step.failed_by_reason {
                span.reason { code { (reason) } " " span data-count={ (name) " " (reason) } { (count(*number)) } " " }
            }
            @if step.stopped > 0 {
                span.reason { "stopped " span data-count={ (name) " stopped" } { (count(step.stopped)) } " " }
            }
            @if step.resent > 0 { span { "sent again " (count(step.resent)) " " } }
            @if step.polled > 0 { span { "requests to poll " (count(step.polled)) } }
        }
    } }
}

pub(super) fn events(report: &RunReport) -> Markup {
    let events = &report.events;
    html! {
        h2 { "Events received" }
        ul.figures {
            li { strong data-count="events received" { (count(events.received)) } " received" }
            @for (fate, number) in &events.by_fate {
                @let fate = fate.as_str().replace('_', " ");
                li { strong data-count={ "events " (fate) } { (count(*number)) } " " (fate) }
            }
            li { strong { (count(events.waiting)) } " waiting" }
        }
        @if events.through_other_callbacks > 0 { p.note {
            strong { (count(events.through_other_callbacks)) } " of them came through the callbacks of other runs:"
            @for callback in &events.other_callbacks {
                " " strong { (count(callback.events)) } " through that of "
                a href={ "/runs/" (callback.run) } { (callback.name) } ","
            }
            " because " (OTHER_CALLBACKS) "."
        } }
        @for difference in &events.differences { p.note.failed { (difference) } }
    }
}

pub(super) fn generator(report: &RunReport) -> Markup {
    let machine = &report.machine;
    let readings: [(_, _, Format); 5] = [
        ("CPUs used", machine.cpus.mean, number),
        ("CPU wait", machine.cpu_wait.mean, number),
        ("Memory, at most", machine.memory_bytes.most, bytes),
        ("Host busy", machine.host_busy.mean, percent),
        ("Files, at most", machine.files.most, number),
    ];
    html! {
        h2 { "Generator" }
        dl.facts {
            div { dt { "Starts late, p99" } dd { (time(report.start_lateness.p99)) } }
            div { dt { "Requests late, p99" } dd { (time(report.send_lateness.p99)) } }
            div { dt { "Waits for a connection, p99" } dd { (time(report.connection_wait.p99)) } }
            div { dt { "Latency error, at most" } dd { (time(report.precision)) } }
            @for (name, reading, format) in readings {
                div { dt { (name) } dd { (reading.map_or_else(|| NOT_MEASURED.to_owned(), format)) } }
            }
        }
    }
}
