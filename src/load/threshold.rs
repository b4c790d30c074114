use std::{fmt, time::Duration};

use super::keys::some_time;
use crate::{
    document::{Mapping, Node, Place, Problems},
    units::{Share, duration},
};

/// Fewer than these say too little to end a run over.
const ENOUGH: u64 = 20;
/// Shares are compared in whole parts of this, so that 57 of 100 is exactly 57%.
const PARTS: f64 = 1e12;

/// What the chats of a run, one step of them, or the deliveries of their messages must feel like.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// Whose chats or step it is about, in a run with chats of several scenarios.
    scenario: Option<String>,
    subject: ThresholdSubject,
    measure: Measure,
    abort: bool,
}

/// What a threshold is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThresholdSubject {
    /// Whole chats.
    Chats,
    /// The step with this name.
    Step(String),
    /// Deliveries of messages that chats publish to rooms; those that fail are lost.
    Deliveries,
}

/// What of a scenario thresholds can be about.
#[derive(Debug, Clone, Copy)]
pub struct ThresholdSubjects<'a> {
    /// Its name.
    pub scenario: &'a str,
    /// The names of its steps.
    pub steps: &'a [&'a str],
    /// Whether its chats publish messages whose deliveries are expected.
    pub deliveries: bool,
}

/// What is measured, and the most it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// How long those took that passed.
    Latency {
        /// Which of all the latencies.
        statistic: Statistic,
        /// The longest that is good enough.
        limit: Duration,
    },
    /// The share that failed, of those that passed or failed; of deliveries the share that was lost.
    Failed(Share),
}

/// One number for many latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// Half were as quick.
    P50,
    /// 90 of 100 were as quick.
    P90,
    /// 95 of 100 were as quick.
    P95,
    /// 99 of 100 were as quick.
    P99,
    /// The slowest.
    Max,
    /// Their sum by their number.
    Mean,
}

/// What a run measured for a threshold: a latency for a latency, a share for a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The statistic over so many latencies.
    Latency {
        /// Its value.
        value: Duration,
        /// How many latencies it sums up.
        of: u64,
    },
    /// How many failed, of all that passed or failed.
    Share {
        /// How many failed.
        failed: u64,
        /// How many passed or failed.
        of: u64,
    },
    /// There was nothing to measure.
    Nothing,
}

/// What comes of holding a measurement against a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// Within the limit, or exactly at it.
    Held,
    /// Beyond the limit.
    Broken,
    /// Nothing was measured; which is neither good nor bad.
    NoData,
}

impl Threshold {
    /// Reads a `thresholds:` list about these parts of scenarios, of which there are several in a mixed run; `None` where they
    /// are not known, because of a problem elsewhere. What is wrong is noted in `problems` and left out.
    pub fn read_list(
        node: &Node,
        known: Option<&[ThresholdSubjects<'_>]>,
        problems: &Problems,
    ) -> Vec<Self> {
        node.list("a list of thresholds such as `{ p95: 10s }`", problems)
            .iter()
            .filter_map(|entry| Self::read(entry, known, problems))
            .collect()
    }

    fn read(
        node: &Node,
        known: Option<&[ThresholdSubjects<'_>]>,
        problems: &Problems,
    ) -> Option<Self> {
        let before = problems.count();
        let mut entry = Mapping::open(node, "a threshold such as `{ p95: 10s }`", problems)?;
        let scenario = entry.get("scenario");
        let step = entry.get("step");
        let deliveries = entry.get("deliveries");
        let measure = entry.one_of(&["p50", "p90", "p95", "p99", "max", "mean", "failed", "lost"]);
        let said = Said {
            scenario,
            step,
            deliveries,
            measure: measure.map(|(key, _)| key),
        };
        let of_scenario = scenario.and_then(|node| scenario_name(node, known, problems));
        let known = match (scenario, &of_scenario) {
            (None, _) => known.map(<[_]>::to_vec),
            (Some(_), None) => None,
            (Some(_), Some(name)) => known.map(|known| {
                let of = known.iter().filter(|known| known.scenario == name);
                of.copied().collect()
            }),
        };
        let subject = said.subject(&node.place, known.as_deref(), problems);
        let measure = measure.and_then(|(key, node)| Measure::read(key, node, problems));
        let abort = entry.get("abort").and_then(|node| node.boolean(problems));
        entry.finish();
        if problems.count() > before {
            return None;
        }
        Some(Self {
            scenario: of_scenario,
            subject: subject?,
            measure: measure?,
            abort: abort.unwrap_or(false),
        })
    }

    /// Whose chats or step it is about; `None` for all chats.
    pub fn scenario(&self) -> Option<&str> {
        self.scenario.as_deref()
    }

    /// What it is about.
    pub fn subject(&self) -> &ThresholdSubject {
        &self.subject
    }

    /// What is measured, and the most it may be.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Whether a run ends early when this is broken; see [`may_abort`](Self::may_abort).
    pub fn abort(&self) -> bool {
        self.abort
    }

    /// Holds what was measured against the limit. What was not measured for this measure is no
    /// data.
    pub fn judge(&self, measured: Measured) -> Judgement {
        let broken = match (self.measure, measured) {
            (Measure::Latency { limit, .. }, Measured::Latency { value, .. }) => value > limit,
            (Measure::Failed(share), Measured::Share { failed, of }) if of > 0 => {
                exceeds(failed, share, of)
            }
            _ => return Judgement::NoData,
        };
        if broken {
            Judgement::Broken
        } else {
            Judgement::Held
        }
    }

    /// Whether this is the moment to end the run early: the threshold asks for it, is broken, and
    /// that does not come from a handful of measurements. Few are enough if so many failed that
    /// `total`, the number there will be in the end, cannot make it good.
    pub fn may_abort(&self, measured: Measured, total: Option<u64>) -> bool {
        if !self.abort || self.judge(measured) != Judgement::Broken {
            return false;
        }
        match (self.measure, measured) {
            (_, Measured::Latency { of, .. } | Measured::Share { of, .. }) if of >= ENOUGH => true,
            (Measure::Failed(share), Measured::Share { failed, .. }) => {
                total.is_some_and(|total| exceeds(failed, share, total))
            }
            _ => false,
        }
    }
}

impl Threshold {
    /// The YAML flow form, of which [`Threshold::read_list`] makes the same threshold.
    pub fn written(&self) -> String {
        let scenario = self.scenario.as_ref();
        let scenario = scenario.map(|scenario| format!("scenario: {scenario}"));
        let subject = match (&self.subject, self.measure) {
            (ThresholdSubject::Step(step), _) => Some(format!("step: {step}")),
            (ThresholdSubject::Deliveries, Measure::Latency { .. }) => {
                Some("deliveries: true".to_owned())
            }
            (ThresholdSubject::Chats | ThresholdSubject::Deliveries, _) => None,
        };
        let measure = match &self.measure {
            Measure::Latency { statistic, limit } => {
                format!("{statistic}: {}", duration::format(*limit))
            }
            Measure::Failed(share) => format!("{}: {share}", self.subject.failed()),
        };
        let abort = self.abort.then(|| "abort: true".to_owned());
        let keys = [scenario, subject, Some(measure), abort];
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        format!("{{ {} }}", keys.join(", "))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.scenario, &self.subject) {
            (Some(scenario), ThresholdSubject::Step(_)) => write!(f, "{scenario}/")?,
            (Some(scenario), _) => write!(f, "{scenario} ")?,
            (None, _) => {}
        }
        match (&self.subject, self.measure) {
            (ThresholdSubject::Step(step), _) => write!(f, "{step} ")?,
            (ThresholdSubject::Deliveries, Measure::Latency { .. }) => {
                f.write_str("deliveries ")?;
            }
            (ThresholdSubject::Chats | ThresholdSubject::Deliveries, _) => {}
        }
        match self.measure {
            Measure::Latency { statistic, limit } => {
                write!(f, "{statistic} <= {}", duration::exact(limit))
            }
            Measure::Failed(share) => write!(f, "{} <= {share}", self.subject.failed()),
        }
    }
}

impl Measure {
    fn read(key: &str, node: &Node, problems: &Problems) -> Option<Self> {
        let statistic = match key {
            "p50" => Statistic::P50,
            "p90" => Statistic::P90,
            "p95" => Statistic::P95,
            "p99" => Statistic::P99,
            "max" => Statistic::Max,
            "mean" => Statistic::Mean,
            _ => {
                let share = node.parsed("a share such as `1%`", str::parse, problems)?;
                return Some(Self::Failed(share));
            }
        };
        let limit = some_time(node, problems)?;
        Some(Self::Latency { statistic, limit })
    }
}

impl ThresholdSubject {
    /// The key and the word for what is not good.
    const fn failed(&self) -> &'static str {
        match self {
            Self::Chats | Self::Step(_) => "failed",
            Self::Deliveries => "lost",
        }
    }
}

/// What a threshold says of its subject.
struct Said<'a> {
    scenario: Option<&'a Node>,
    step: Option<&'a Node>,
    deliveries: Option<&'a Node>,
    measure: Option<&'a str>,
}

impl Said<'_> {
    fn subject(
        &self,
        place: &Place,
        known: Option<&[ThresholdSubjects<'_>]>,
        problems: &Problems,
    ) -> Option<ThresholdSubject> {
        let says_so = self.deliveries.map(|node| node.boolean(problems));
        let about_deliveries = match says_so {
            Some(says_so) => says_so?,
            None => self.measure == Some("lost"),
        };
        let may_expect = |known: &[ThresholdSubjects<'_>]| known.iter().any(|of| of.deliveries);
        match (self.step, self.measure) {
            _ if about_deliveries && self.scenario.is_some() => {
                problems.add(
                    place,
                    "deliveries are those of the whole run: leave out `scenario`",
                );
                None
            }
            (Some(node), _) if about_deliveries => {
                problems.add(
                    &node.place,
                    "deliveries belong to no step: leave out `step`",
                );
                None
            }
            (_, Some("failed")) if about_deliveries => {
                problems.add(place, "deliveries do not fail, they are lost: say `lost`");
                None
            }
            (_, Some("lost")) if !about_deliveries => {
                problems.add(
                    place,
                    "`lost` is about deliveries, and `deliveries` is false",
                );
                None
            }
            _ if about_deliveries && known.is_some_and(|known| !may_expect(known)) => {
                problems.add(
                    place,
                    "the scenario expects no deliveries: it has no `deliveries`",
                );
                None
            }
            _ if about_deliveries => Some(ThresholdSubject::Deliveries),
            (Some(node), _) => step_name(node, known, problems).map(ThresholdSubject::Step),
            (None, _) => Some(ThresholdSubject::Chats),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Mean => "mean",
        })
    }
}

fn scenario_name(
    node: &Node,
    known: Option<&[ThresholdSubjects<'_>]>,
    problems: &Problems,
) -> Option<String> {
    let name = node.text("the name of a scenario of the run", problems)?;
    let Some(known) = known else {
        return Some(name.to_owned());
    };
    if !known.iter().any(|known| known.scenario == name) {
        let hint = problems.hint(name, known.iter().map(|known| known.scenario));
        problems.add(
            &node.place,
            format!("no chats of this run are of a scenario `{name}`{hint}"),
        );
        return None;
    }
    Some(name.to_owned())
}

fn step_name(
    node: &Node,
    known: Option<&[ThresholdSubjects<'_>]>,
    problems: &Problems,
) -> Option<String> {
    let name = node.text("the name of a step", problems)?;
    let Some(known) = known else {
        return Some(name.to_owned());
    };
    let having = known.iter().filter(|known| known.steps.contains(&name));
    let having: Vec<_> = having
        .map(|known| format!("`{}`", known.scenario))
        .collect();
    match having.len() {
        0 => {
            let steps = known.iter().flat_map(|known| known.steps).copied();
            let hint = problems.hint(name, steps);
            problems.add(&node.place, format!("no step is called `{name}`{hint}"));
            None
        }
        1 => Some(name.to_owned()),
        _ => {
            let having = having.join(", ");
            problems.add(
                &node.place,
                format!("several scenarios have a step `{name}`: {having}; say with `scenario:` whose step this is about"),
            );
            None
        }
    }
}

/// Whether `failed` is more than this share of `of`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, and a share is from 0 to 1"
)]
fn exceeds(failed: u64, share: Share, of: u64) -> bool {
    let allowed = (share.as_ratio() * PARTS).round() as u128;
    u128::from(failed) * PARTS as u128 > allowed * u128::from(of)
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
mod tests;
