//! A run over time.

use std::{cmp::Reverse, sync::Arc};

use maud::{Markup, html};

use crate::{
    report::chart::{Chart, Line, Unit},
    runner::{MachineSample, RunRecord, RunReport, Sample, StepSample},
};

/// Points of a line: more than there are pixels tell nothing.
const POINTS: usize = 240;
/// Steps whose latency is drawn.
const STEPS: usize = 4;

/// Some seconds that are drawn as one point.
type Group<'a> = &'a [Arc<Sample>];

/// Rates, chats in progress, latencies and the machine, each over time.
pub fn charts(record: &RunRecord) -> Markup {
    let samples = &record.samples;
    let seconds = samples.last().map_or(0.0, |sample| sample.at);
    let length = samples.len().div_ceil(POINTS).max(1);
    let groups: Vec<_> = samples.chunks(length).collect();
    let mut charts = vec![
        ("Chats a second", Unit::PerSecond, rates(&groups)),
        ("Chats in progress", Unit::Count, active(&groups)),
    ];
    let titles: Vec<_> = notable(&record.report)
        .into_iter()
        .map(|at| (at, format!("Latency of {}", record.report.steps[at].step)))
        .collect();
    for (at, title) in &titles {
        charts.push((title, Unit::Seconds, latency(&groups, *at)));
    }
    charts.push(("Memory of the generator", Unit::Bytes, memory(&groups)));
    charts.push(("CPUs of the generator", Unit::Count, cpus(&groups)));
    charts.retain(|(_, _, lines)| lines.iter().any(Line::has_values));
    html! {
        section {
            h2 { "Over time" }
            @if samples.is_empty() { p { "What happened second by second is not known any more." } }
            @else {
                div.charts {
                    @for (number, (title, unit, lines)) in charts.into_iter().enumerate() {
                        @let id = format!("chart-{number}");
                        figure {
                            figcaption { (title) }
                            (Chart { id: &id, title, unit, seconds, lines }.svg())
                        }
                    }
                }
                @if length > 1 {
                    p { "A point is " (length) " seconds: the mean of rates and medians, the most of all else." }
                }
            }
        }
    }
}

/// The steps that thresholds are about, then those that take longest; by their place in the report.
fn notable(report: &RunReport) -> Vec<usize> {
    let mut steps: Vec<_> = report.steps.iter().enumerate().collect();
    // What a run does once, or what is rare, makes no line.
    let usual = report.steps.iter().map(|step| step.passed).max();
    let rare = usual.unwrap_or_default() / 10;
    steps.retain(|(_, step)| step.passed > rare);
    steps.sort_by_key(|(_, step)| {
        let about = format!("{} ", step.step);
        let mut thresholds = report.thresholds.iter();
        let judged = thresholds.any(|judged| judged.threshold.starts_with(&about));
        // Whole microseconds, which have an order.
        let slow = std::time::Duration::try_from_secs_f64(step.latency.p95.unwrap_or_default());
        Reverse((judged, slow.unwrap_or_default()))
    });
    steps.into_iter().take(STEPS).map(|(at, _)| at).collect()
}

fn line<'a>(
    name: &'a str,
    groups: &[Group<'_>],
    value: impl Fn(Group<'_>) -> Option<f64>,
) -> Line<'a> {
    let points = groups.iter().filter_map(|group| {
        let last = group.last()?;
        Some((last.at, value(group)))
    });
    Line {
        name,
        points: points.collect(),
    }
}

fn rates(groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let rate = |name, count: fn(&Sample) -> Option<u64>| {
        line(name, groups, move |group| {
            let seconds: f64 = group.iter().map(|sample| sample.seconds).sum();
            let counts = group.iter().filter_map(|sample| count(sample));
            let known = group.iter().any(|sample| count(sample).is_some());
            (known && seconds > 0.0).then(|| number(counts.sum()) / seconds)
        })
    };
    let has = |count: fn(&Sample) -> u64| {
        let mut samples = groups.iter().flat_map(|group| group.iter());
        samples.any(|sample| count(sample) > 0)
    };
    let mut lines = vec![rate("began", |sample| Some(sample.started))];
    if has(|sample| sample.due.unwrap_or_default()) {
        lines.insert(0, rate("asked for", |sample| sample.due));
    }
    if has(|sample| sample.failed) {
        lines.push(rate("failed", |sample| Some(sample.failed)));
    }
    if has(|sample| sample.dropped) {
        lines.push(rate("no room", |sample| Some(sample.dropped)));
    }
    lines
}

fn active(groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let most = |count: fn(&Sample) -> Option<u64>| {
        move |group: Group<'_>| {
            let counts = group.iter().filter_map(|sample| count(sample));
            counts.max().map(number)
        }
    };
    let mut lines = vec![line(
        "in progress",
        groups,
        most(|sample| Some(sample.in_progress)),
    )];
    let asked = line(
        "customers asked for",
        groups,
        most(|sample| sample.customers),
    );
    if asked.points.iter().any(|point| point.1.is_some()) {
        lines.push(asked);
    }
    lines
}

fn latency(groups: &[Group<'_>], step: usize) -> Vec<Line<'static>> {
    fn steps(group: Group<'_>, at: usize) -> impl Iterator<Item = &StepSample> {
        group.iter().filter_map(move |sample| sample.steps.get(at))
    }
    let median = line("p50", groups, |group| {
        let known = steps(group, step).filter_map(|step| Some((step.p50?, number(step.passed))));
        let (sum, of) = known.fold((0.0, 0.0), |(sum, of), (p50, passed)| {
            (sum + p50 * passed, of + passed)
        });
        (of > 0.0).then(|| sum / of)
    });
    let slow = line("p95", groups, |group| {
        let known = steps(group, step).filter_map(|step| step.p95);
        known.reduce(f64::max)
    });
    vec![median, slow]
}

fn memory(groups: &[Group<'_>]) -> Vec<Line<'static>> {
    vec![machine("in RAM", groups, |machine| {
        machine.memory_bytes.map(number)
    })]
}

fn cpus(groups: &[Group<'_>]) -> Vec<Line<'static>> {
    vec![
        machine("user", groups, |machine| Some(machine.cpu_user)),
        machine("system", groups, |machine| Some(machine.cpu_system)),
        machine("wanted and not had", groups, |machine| machine.cpus_missing),
    ]
}

fn machine(
    name: &'static str,
    groups: &[Group<'_>],
    value: fn(&MachineSample) -> Option<f64>,
) -> Line<'static> {
    line(name, groups, |group| {
        let known = group.iter().filter_map(|sample| sample.machine.as_ref());
        known.filter_map(value).reduce(f64::max)
    })
}

#[expect(clippy::cast_precision_loss, reason = "a drawing needs no more digits")]
fn number(count: u64) -> f64 {
    count as f64
}
