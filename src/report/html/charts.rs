//! A run over time.

use std::{cmp::Reverse, sync::Arc};

use maud::{Markup, html};

use crate::{
    event::DeliveryFate,
    report::{
        chart::{Axis, Chart, Line, Unit},
        rates::{self, mean_over_time, number},
    },
    runner::{DeliverySample, RunRecord, RunReport, Sample, StepSample},
};

/// Points of a line: more than there are pixels tell nothing.
const POINTS: f64 = 240.0;
/// Steps whose latency is drawn.
const STEPS: usize = 4;

/// Some seconds that are drawn as one point.
type Group<'a> = &'a [Arc<Sample>];

/// Rates, chats in progress, latencies, deliveries and the machine, each over time; without those of which nothing is known.
pub fn charts(record: &RunRecord) -> Markup {
    let samples = &record.samples;
    let seconds = samples.last().map_or(0.0, |sample| sample.at);
    let length = (seconds / POINTS).ceil().max(1.0);
    let groups = groups(samples, length);
    let mut charts = vec![
        ("Chats a second", Unit::PerSecond, rates(samples, &groups)),
        ("Chats in progress", Unit::Count, active(record, &groups)),
    ];
    let titles: Vec<_> = notable(&record.report)
        .into_iter()
        .map(|at| (at, format!("Latency of {}", record.report.steps[at].step)))
        .collect();
    for (at, title) in &titles {
        charts.push((title, Unit::Seconds, latency(&record.report, &groups, *at)));
    }
    charts.push((
        "Latency of deliveries",
        Unit::Seconds,
        delivery_latency(&record.report, &groups),
    ));
    charts.push((
        "Deliveries a second",
        Unit::PerSecond,
        delivery_rates(samples, &groups),
    ));
    charts.push((
        "Memory of the generator",
        Unit::Bytes,
        memory(samples, &groups),
    ));
    charts.push(("CPUs of the generator", Unit::Count, cpus(samples, &groups)));
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
                            (Chart { id: &id, title, unit, across: Axis { unit: Unit::Seconds, most: seconds }, lines, marks: Vec::new() }.svg())
                        }
                    }
                }
                @if length > 1.0 {
                    p { "A point is " (length) " seconds: the mean of rates and medians, the most of all else." }
                }
            }
        }
    }
}

/// The samples in pieces of so many seconds each, whole samples. Old seconds of a long run come together.
fn groups(samples: &[Arc<Sample>], length: f64) -> Vec<Group<'_>> {
    let place = |sample: &Sample| ((sample.at - sample.seconds / 2.0) / length).floor();
    let groups = samples.chunk_by(|one, next| place(one).total_cmp(&place(next)).is_eq());
    groups.collect()
}

/// The steps that thresholds are about, then those that take longest; by their place in the report.
pub(super) fn notable(report: &RunReport) -> Vec<usize> {
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
        whole_run: Vec::new(),
    }
}

impl Line<'_> {
    /// The mean and the highest of all seconds, where anything is known of it.
    fn with_mean_and_max(mut self, mean: Option<f64>, max: Option<f64>) -> Self {
        let figures = [("mean", mean), ("max", max)].into_iter();
        self.whole_run = (figures.filter_map(|(name, value)| Some((name, value?)))).collect();
        self
    }
}

fn highest(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(f64::max)
}

/// How often something happened, a point for so many seconds.
fn rate(
    name: &'static str,
    samples: &[Arc<Sample>],
    groups: &[Group<'_>],
    count: fn(&Sample) -> Option<u64>,
) -> Line<'static> {
    let rates = rates::rates(samples, count);
    let mut rest = rates.iter().copied();
    let points = groups.iter().filter_map(|group| {
        let mean = mean_over_time(group, rest.by_ref().take(group.len()));
        Some((group.last()?.at, mean))
    });
    let line = Line {
        name,
        points: points.collect(),
        whole_run: Vec::new(),
    };
    let all = || rates.iter().copied();
    line.with_mean_and_max(mean_over_time(samples, all()), highest(all()))
}

fn rates(samples: &[Arc<Sample>], groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let rate = |name, count| rate(name, samples, groups, count);
    let has = |count: fn(&Sample) -> u64| samples.iter().any(|sample| count(sample) > 0);
    let mut lines = vec![rate("began", |sample| Some(sample.started))];
    if has(|sample| sample.due.unwrap_or_default()) {
        lines.insert(0, rate("asked for", |sample| sample.due));
    }
    if has(|sample| sample.failed) {
        lines.push(rate("failed", |sample| Some(sample.failed)));
    }
    if has(|sample| sample.dropped) {
        lines.push(rate("dropped", |sample| Some(sample.dropped)));
    }
    lines
}

/// What stood at the end of each second; `most` is the most at any moment, if that is known.
fn standing(
    name: &'static str,
    samples: &[Arc<Sample>],
    groups: &[Group<'_>],
    value: fn(&Sample) -> Option<f64>,
    most: Option<f64>,
) -> Line<'static> {
    let line = line(name, groups, |group| {
        highest(group.iter().map(|sample| value(sample)))
    });
    let all = || samples.iter().map(|sample| value(sample));
    line.with_mean_and_max(
        mean_over_time(samples, all()),
        most.or_else(|| highest(all())),
    )
}

fn active(record: &RunRecord, groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let samples = &record.samples;
    let most = number(record.report.chats.most_in_progress);
    let in_progress = |sample: &Sample| Some(number(sample.in_progress));
    let mut lines = vec![standing(
        "in progress",
        samples,
        groups,
        in_progress,
        Some(most),
    )];
    let customers = |sample: &Sample| sample.customers.map(number);
    let asked = standing("customers asked for", samples, groups, customers, None);
    if asked.has_values() {
        lines.push(asked);
    }
    lines
}

/// A step of the report by its place there.
fn latency(report: &RunReport, groups: &[Group<'_>], at: usize) -> Vec<Line<'static>> {
    fn steps(group: Group<'_>, at: usize) -> impl Iterator<Item = &StepSample> {
        group.iter().filter_map(move |sample| sample.steps.get(at))
    }
    let mut median = line("p50", groups, |group| {
        let known = steps(group, at).filter_map(|step| Some((step.p50?, number(step.passed))));
        weighted_mean(known)
    });
    let mut slow = line("p95", groups, |group| {
        highest(steps(group, at).map(|step| step.p95))
    });
    // A mean of quantiles is no quantile.
    let whole_run = |quantile: Option<f64>| quantile.map(|value| ("whole run", value)).into_iter();
    let latency = &report.steps[at].latency;
    median.whole_run = whole_run(latency.p50).collect();
    slow.whole_run = whole_run(latency.p95).collect();
    vec![median, slow]
}

fn delivery_rates(samples: &[Arc<Sample>], groups: &[Group<'_>]) -> Vec<Line<'static>> {
    fn of(sample: &Sample, fate: DeliveryFate) -> Option<u64> {
        Some(sample.deliveries.as_ref()?.of_fate(fate))
    }
    vec![
        rate("delivered", samples, groups, |sample| {
            of(sample, DeliveryFate::Delivered)
        }),
        rate("lost", samples, groups, |sample| {
            of(sample, DeliveryFate::Lost)
        }),
    ]
}

fn delivery_latency(report: &RunReport, groups: &[Group<'_>]) -> Vec<Line<'static>> {
    fn deliveries(group: Group<'_>) -> impl Iterator<Item = &DeliverySample> {
        group
            .iter()
            .filter_map(|sample| sample.deliveries.as_deref())
    }
    let mut median = line("p50", groups, |group| {
        let known = deliveries(group).filter_map(|sample| {
            let delivered = sample.of_fate(DeliveryFate::Delivered);
            Some((sample.p50?, number(delivered)))
        });
        weighted_mean(known)
    });
    let mut slow = line("p99", groups, |group| {
        highest(deliveries(group).map(|sample| sample.p99))
    });
    let latency = report.deliveries.as_ref().map(|it| &it.latency);
    let whole_run = |quantile: Option<f64>| quantile.map(|value| ("whole run", value)).into_iter();
    median.whole_run = whole_run(latency.and_then(|it| it.p50)).collect();
    slow.whole_run = whole_run(latency.and_then(|it| it.p99)).collect();
    vec![median, slow]
}

/// The mean of values that count so much each; `None` where nothing counts.
fn weighted_mean(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, of) = values.fold((0.0, 0.0), |(sum, of), (value, weight)| {
        (sum + value * weight, of + weight)
    });
    (of > 0.0).then(|| sum / of)
}

fn memory(samples: &[Arc<Sample>], groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let bytes = |sample: &Sample| Some(number(sample.machine?.memory_bytes?));
    vec![standing("in RAM", samples, groups, bytes, None)]
}

fn cpus(samples: &[Arc<Sample>], groups: &[Group<'_>]) -> Vec<Line<'static>> {
    let line = |name, value| standing(name, samples, groups, value, None);
    vec![
        line("user", |sample| Some(sample.machine?.cpu_user)),
        line("system", |sample| Some(sample.machine?.cpu_system)),
        line("CPU wait", |sample| sample.machine?.cpu_wait),
    ]
}
