use std::{fmt, time::Duration};

use super::keys::some_time;
use crate::{
    document::{Mapping, Node, Problems},
    units::{Share, duration},
};

/// Fewer than these say too little to end a run over.
const ENOUGH: u64 = 20;
/// Shares are compared in whole parts of this, so that 57 of 100 is exactly 57%.
const PARTS: f64 = 1e12;

/// What the chats of a run, or one step of them, must feel like.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    step: Option<String>,
    measure: Measure,
    abort: bool,
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
    /// The share that failed, of those that passed or failed.
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
    /// Reads a `thresholds:` list; `steps` are the names of the scenario's steps. What is wrong is
    /// noted in `problems` and left out.
    pub fn read_list(node: &Node, steps: &[&str], problems: &Problems) -> Vec<Self> {
        Self::read_all(node, Some(steps), problems)
    }

    /// The same where the steps are not known, because of a problem elsewhere.
    pub fn read_list_of_any_steps(node: &Node, problems: &Problems) -> Vec<Self> {
        Self::read_all(node, None, problems)
    }

    fn read_all(node: &Node, steps: Option<&[&str]>, problems: &Problems) -> Vec<Self> {
        node.list("a list of thresholds such as `{ p95: 10s }`", problems)
            .iter()
            .filter_map(|entry| Self::read(entry, steps, problems))
            .collect()
    }

    fn read(node: &Node, steps: Option<&[&str]>, problems: &Problems) -> Option<Self> {
        let before = problems.count();
        let mut entry = Mapping::open(node, "a threshold such as `{ p95: 10s }`", problems)?;
        let step = entry
            .get("step")
            .and_then(|node| step_name(node, steps, problems));
        let measure = entry
            .one_of(&["p50", "p90", "p95", "p99", "max", "mean", "failed"])
            .and_then(|(key, node)| Measure::read(key, node, problems));
        let abort = entry.get("abort").and_then(|node| node.boolean(problems));
        entry.finish();
        if problems.count() > before {
            return None;
        }
        Some(Self {
            step,
            measure: measure?,
            abort: abort.unwrap_or(false),
        })
    }

    /// The step it is about; without one it is about whole chats.
    pub fn step(&self) -> Option<&str> {
        self.step.as_deref()
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
        let step = self.step.as_ref().map(|step| format!("step: {step}"));
        let measure = match &self.measure {
            Measure::Latency { statistic, limit } => {
                format!("{statistic}: {}", duration::format(*limit))
            }
            Measure::Failed(share) => format!("failed: {share}"),
        };
        let abort = self.abort.then(|| "abort: true".to_owned());
        let keys: Vec<_> = [step, Some(measure), abort].into_iter().flatten().collect();
        format!("{{ {} }}", keys.join(", "))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = &self.step {
            write!(f, "{step} ")?;
        }
        self.measure.fmt(f)
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

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { statistic, limit } => {
                write!(f, "{statistic} <= {}", duration::exact(*limit))
            }
            Self::Failed(share) => write!(f, "failed <= {share}"),
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

fn step_name(node: &Node, steps: Option<&[&str]>, problems: &Problems) -> Option<String> {
    let name = node.text("the name of a step", problems)?;
    if let Some(steps) = steps
        && !steps.contains(&name)
    {
        let hint = problems.hint(name, steps.iter().copied());
        problems.add(&node.place, format!("no step is called `{name}`{hint}"));
        return None;
    }
    Some(name.to_owned())
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
