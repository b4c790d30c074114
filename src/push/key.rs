//! What tells the series of a run from each other.

use crate::{
    event::{DeliveryFate, Fate, Verdict},
    scenario::{Reason, SocketEnd},
};

/// A series of a run, without the labels that all of them have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeriesKey {
    pub(super) name: &'static str,
    /// The index of the step.
    pub(super) step: Option<usize>,
    pub(super) detail: Detail,
}

/// The label besides the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Detail {
    None,
    Reason(Reason),
    Fate(Fate),
    Delivery(DeliveryFate),
    EndedBy(SocketEnd),
    Direction(&'static str),
    /// The bucket of a histogram with this number.
    Bucket(usize),
    /// The 99th percentile.
    P99,
    Verdict(Verdict),
}

impl SeriesKey {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            step: None,
            detail: Detail::None,
        }
    }

    pub(super) const fn of_step(self, step: usize) -> Self {
        Self {
            step: Some(step),
            ..self
        }
    }

    pub(super) const fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }
}

impl Detail {
    /// Its name and value as a label; `bounds` are those of its histogram.
    pub(super) fn label(self, bounds: &[f64]) -> Option<(&'static str, String)> {
        let (name, value) = match self {
            Self::None => return None,
            Self::Reason(reason) => ("reason", reason.as_str().to_owned()),
            Self::Fate(fate) => ("fate", fate.as_str().to_owned()),
            Self::Delivery(fate) => ("fate", fate.as_str().to_owned()),
            Self::EndedBy(end) => ("by", end.as_str().to_owned()),
            Self::Direction(direction) => ("direction", direction.to_owned()),
            // As Prometheus writes it, so that `le="1"` is found under the same name as on `/metrics`.
            Self::Bucket(number) => {
                let bound = bounds.get(number).map(f64::to_string);
                ("le", bound.unwrap_or_else(|| "+Inf".to_owned()))
            }
            Self::P99 => ("quantile", "0.99".to_owned()),
            Self::Verdict(verdict) => ("verdict", verdict.as_str().to_owned()),
        };
        Some((name, value))
    }
}
