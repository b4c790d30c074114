//! A run, or several side by side, as one HTML file that needs nothing else: no network, no script.
//!
//! Each part of it is a function of its own, for pages that want a part.

mod charts;
mod comparison;
mod drift;
mod generator;
mod search;
mod sockets;
mod style;
mod summary;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub use charts::charts;
pub use comparison::comparison;
pub use drift::drift;
pub use generator::{health, load, received_events};
pub use search::search;
pub use sockets::sockets;
pub use style::{STYLE, policy};
pub use summary::{errors, orphans, steps, thresholds, verdict};

use super::{BaselineCheck, Drift, wording};
use crate::{
    event::Mode,
    printable,
    runner::{RunRecord, RunReport},
};

/// The report of a run, as it stands; held against other runs if there are any.
pub fn document(record: &RunRecord, baseline: Option<&BaselineCheck>) -> String {
    let report = &record.report;
    let title = format!("{} {}", report.name, wording::moment(&report.started_at));
    let body = html! {
        h1 { (report.name) " " small { (report.scenario) " against " (report.target) } }
        (verdict(report, baseline))
        (facts(report))
        (steps(report))
        (thresholds(report))
        (search(report))
        (charts(record))
        @if report.mode == Mode::Burst { (drift(&Drift::of(record))) }
        (errors(report))
        (orphans(report))
        @if let Some(baseline) = baseline { (comparison(&baseline.comparison)) }
        (load(report))
        (health(report))
        (sockets(report))
        (received_events(report))
    };
    page(&title, &body)
}

/// A run held against others.
pub fn comparison_document(compared: &super::Comparison) -> String {
    let baselines = compared.baselines.iter().map(|run| run.id.as_str());
    let baselines: Vec<_> = baselines.collect();
    let title = format!("{} and {}", compared.run.id, baselines.join(", "));
    let against = match baselines.len() {
        1 => "held against an earlier run".to_owned(),
        several => format!("held against {several} earlier runs"),
    };
    let body = html! {
        h1 { (compared.run.name) " " small { (against) } }
        (comparison(compared))
    };
    page(&title, &body)
}

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE.as_str())) }
            }
            body { main { (body) } }
        }
    };
    // Whatever a name or a failure of a target says.
    printable::lines(&page.into_string()).into_owned()
}

/// What the run was.
fn facts(report: &RunReport) -> Markup {
    let seed = report.seed.to_string();
    let took = wording::span(report.elapsed_seconds);
    let moment = |at: &Option<String>| wording::or_dash(at.as_deref().map(wording::moment));
    let (began, first, last) = (
        wording::moment(&report.started_at),
        moment(&report.first_chat_began_at),
        moment(&report.last_chat_ended_at),
    );
    let requests = format!(
        "{}, {}",
        wording::count(report.requests.count),
        wording::rate(report.requests.per_second)
    );
    let told = [
        ("Load", report.load.as_str()),
        ("Began", &began),
        ("First chat began", &first),
        ("Last chat ended", &last),
        ("Took", &took),
        ("Requests", &requests),
        ("Run", &report.id),
        ("Seed", &seed),
    ];
    let inputs = report.inputs.as_object().into_iter().flatten();
    html! {
        dl.facts {
            @for (name, value) in told {
                div { dt { (name) } dd { (value) } }
            }
            @for (name, value) in inputs {
                div { dt { "Input " (name) } dd { code { (text(value)) } } }
            }
        }
        @for warning in &report.warnings {
            p.warning { "Warning before the start: " (warning) }
        }
    }
}

/// A text without its quotes; anything else as JSON has it.
fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The head of a column; figures stand below each other by their last digit.
#[derive(Clone, Copy)]
enum Column<'a> {
    Text(&'a str),
    Number(&'a str),
}

/// A table that scrolls sideways where it is too wide, with the keyboard too.
fn table(caption: &str, head: &[Column<'_>], rows: &Markup) -> Markup {
    html! {
        div.wide role="region" aria-label=(caption) tabindex="0" {
            table {
                thead { tr {
                    @for column in head {
                        @match column {
                            Column::Text(name) => th scope="col" { (name) },
                            Column::Number(name) => th.number scope="col" { (name) },
                        }
                    }
                } }
                tbody { (rows) }
            }
        }
    }
}
