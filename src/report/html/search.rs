//! A search: what it found step by step, and latencies and failures over the load.

use maud::{Markup, html};

use super::{Column, charts::notable, table};
use crate::{
    report::{
        chart::{Axis, Chart, ChartMark, Line, Unit},
        wording::{or_dash, percent, rate, seconds},
    },
    runner::{BrokenBy, Quantiles, RunReport, SearchReport, SearchStep, StepReport},
};

/// What a search found, step by step.
pub fn search(report: &RunReport) -> Markup {
    report.search.as_ref().map_or_else(
        || html! {},
        |search| html! { section { (found(search)) (over_load(report, search)) } },
    )
}

fn found(search: &SearchReport) -> Markup {
    let thresholds = search
        .steps
        .first()
        .map_or(&[][..], |step| &step.thresholds);
    let mut head = ["Load", ""].map(Column::Text).to_vec();
    head.extend(
        [
            "Started",
            "Ended",
            "Active",
            "Chats p50",
            "Chats p95",
            "Chats p99",
            "Failed",
        ]
        .map(Column::Number),
    );
    head.extend(
        thresholds
            .iter()
            .map(|judged| Column::Text(&judged.threshold)),
    );
    html! {
        h2 { "Search" }
        p { (search.summary) }
        (table("Search", &head, &html! {
            @for step in &search.steps { (search_step(step)) }
        }))
        ul {
            @for step in &search.steps {
                @for reason in &step.reasons { li { (step.load.text) ": " (reason) } }
            }
        }
    }
}

fn search_step(step: &SearchStep) -> Markup {
    html! {
        tr {
            th scope="row" { (step.load.text) }
            @match step.broken_by {
                None => td.word.good { "✓ held" },
                Some(BrokenBy::Target) => td.word.bad { "✗ broken" },
                Some(BrokenBy::Generator) => td.word.warning { "? invalid" },
            }
            td.number { (rate(step.started_per_second)) }
            td.number { (rate(step.ended_per_second)) }
            td.number { (step.in_progress) }
            @for latency in [step.chat_duration.p50, step.chat_duration.p95, step.chat_duration.p99] {
                td.number { (or_dash(latency.map(seconds))) }
            }
            td.number { (or_dash(failed_share(step.failed, step.chat_duration.count).map(percent))) }
            @for judged in &step.thresholds { td { (judged.measured) } }
        }
    }
}

/// The steps of a search that say something about the target, by their load, ascending.
fn by_load(search: &SearchReport) -> Vec<&SearchStep> {
    let says = |step: &&SearchStep| step.broken_by != Some(BrokenBy::Generator);
    let mut steps: Vec<_> = search.steps.iter().filter(says).collect();
    steps.sort_by(|one, other| one.load.amount.total_cmp(&other.load.amount));
    steps
}

/// Latencies of whole chats and of notable steps, and the share that failed, with the limit marked; nothing of what an earlier
/// chatprobe has kept.
fn over_load(report: &RunReport, search: &SearchReport) -> Markup {
    let steps = by_load(search);
    let most = steps.last().map_or(0.0, |step| step.load.amount);
    let by_rate = steps.iter().any(|step| step.load.is_rate());
    let unit = if by_rate {
        Unit::PerSecond
    } else {
        Unit::Count
    };
    let notable = notable(report);
    let name = |at: &usize| report.steps[*at].step.as_str();
    let mut charts = vec![(
        "Duration of chats over load".to_owned(),
        Unit::Seconds,
        latencies(&steps, |step| Some(&step.chat_duration)),
    )];
    charts.extend(notable.iter().map(|at| {
        let latency = latencies(&steps, |step| Some(&step.steps.get(*at)?.latency));
        (
            format!("Latency of {} over load", name(at)),
            Unit::Seconds,
            latency,
        )
    }));
    let mut failures = vec![line("chats", &steps, |step| {
        failed_share(step.failed, step.chat_duration.count)
    })];
    // Four lines can be told apart.
    failures.extend(notable.iter().take(3).map(|at| {
        let share = |step: &StepReport| failed_share(step.failed, step.passed);
        line(name(at), &steps, |step| step.steps.get(*at).and_then(share))
    }));
    charts.push((
        "Share that failed over load".to_owned(),
        Unit::Share,
        failures,
    ));
    charts.retain(|(_, _, lines)| lines.iter().any(Line::has_values));
    let across = Axis { unit, most };
    html! {
        @if !charts.is_empty() {
            div.charts {
                @for (number, (title, unit, lines)) in charts.into_iter().enumerate() {
                    @let id = format!("search-{number}");
                    figure {
                        figcaption { (title) }
                        (Chart { id: &id, title: &title, unit, across, lines, marks: marks(search) }.svg())
                    }
                }
            }
            p {
                "A point is the judged part of a step of the search: "
                @if by_rate { "chats started a second" } @else { "customers" }
                " from left to right. Dashed lines are the highest load that held and the lowest at which the target broke."
            }
        }
    }
}

/// The limit, as far as it is known.
fn marks(search: &SearchReport) -> Vec<ChartMark> {
    let levels = [("held", &search.held), ("broke", &search.broke)].into_iter();
    let known = levels.filter_map(|(word, level)| {
        let level = level.as_ref()?;
        Some(ChartMark {
            at: level.amount,
            name: format!("{word}: {}", level.text),
        })
    });
    known.collect()
}

fn latencies(
    steps: &[&SearchStep],
    of: impl Fn(&SearchStep) -> Option<&Quantiles>,
) -> Vec<Line<'static>> {
    let quantile = |name, value: fn(&Quantiles) -> Option<f64>| {
        line(name, steps, |step| of(step).and_then(value))
    };
    vec![
        quantile("p50", |latency| latency.p50),
        quantile("p95", |latency| latency.p95),
        quantile("p99", |latency| latency.p99),
    ]
}

fn line<'a>(
    name: &'a str,
    steps: &[&SearchStep],
    value: impl Fn(&SearchStep) -> Option<f64>,
) -> Line<'a> {
    let points = steps.iter().map(|step| (step.load.amount, value(step)));
    Line {
        name,
        points: points.collect(),
        whole_run: Vec::new(),
    }
}

/// `None` where nothing ended.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn failed_share(failed: u64, passed: u64) -> Option<f64> {
    let of = failed.saturating_add(passed);
    (of > 0).then(|| failed as f64 / of as f64)
}
