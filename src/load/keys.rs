//! The keys that several forms of the mapping share.

use std::{fmt, time::Duration};

use super::{ArrivalSpacing, LoadError, segment::MOST_CHATS};
use crate::{
    document::{Mapping, Node, Place, Problems, did_you_mean},
    units::{Rate, duration},
};

/// What the keys of one form say.
pub(super) struct LoadForm<T> {
    /// The mapping as YAML, with its values in their usual units.
    pub(super) written: String,
    /// When chats start, or what is looked for.
    pub(super) load: T,
    /// The most chats at once that an open profile allows.
    pub(super) max_active: Option<u64>,
}

/// The `max_active` of an open profile; written as the end of its mapping.
pub(super) struct ActiveLimit {
    pub(super) max_active: Option<u64>,
}

impl ActiveLimit {
    pub(super) fn read(load: &mut Mapping<'_>, problems: &Problems) -> Option<Self> {
        let max_active = match load.get("max_active") {
            Some(node) => Some(node.whole_number_in(1..=MOST_CHATS, problems)?),
            None => None,
        };
        Some(Self { max_active })
    }
}

impl fmt::Display for ActiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max_active {
            Some(limit) => write!(f, ", max_active: {limit}"),
            None => Ok(()),
        }
    }
}

impl ArrivalSpacing {
    /// The `arrivals` of an open profile.
    pub(super) fn read(load: &mut Mapping<'_>, problems: &Problems) -> Option<Self> {
        let Some(node) = load.get("arrivals") else {
            return Some(Self::Even);
        };
        match node.text("`even` or `poisson`", problems)? {
            "even" => Some(Self::Even),
            "poisson" => Some(Self::Poisson),
            other => {
                let hint = did_you_mean(other, ["even", "poisson"]);
                problems.add(
                    &node.place,
                    format!("arrivals are `even` or `poisson`, not `{other}`{hint}"),
                );
                None
            }
        }
    }
}

/// Written as the end of its mapping.
impl fmt::Display for ArrivalSpacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Even => Ok(()),
            Self::Poisson => f.write_str(", arrivals: poisson"),
        }
    }
}

/// The `ramp` or `ramp_down` of a closed profile, none being zero; written as the end of its mapping.
pub(super) struct Ramp<'a> {
    key: &'static str,
    pub(super) time: Duration,
    /// Where it stands, if it was written.
    pub(super) place: Option<&'a Place>,
}

impl<'a> Ramp<'a> {
    pub(super) fn read(
        key: &'static str,
        load: &mut Mapping<'a>,
        problems: &Problems,
    ) -> Option<Self> {
        let node = load.get(key);
        Some(Self {
            key,
            time: match node {
                Some(node) => node.duration(problems)?,
                None => Duration::ZERO,
            },
            place: node.map(|node| &node.place),
        })
    }
}

impl fmt::Display for Ramp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.time.is_zero() {
            return Ok(());
        }
        write!(f, ", {}: {}", self.key, duration::format(self.time))
    }
}

/// A rate, which may be zero.
pub(super) fn rate_of(node: &Node, problems: &Problems) -> Option<Rate> {
    node.parsed("a rate such as `500/s`", str::parse, problems)
}

/// A duration above zero.
pub(super) fn some_time(node: &Node, problems: &Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if time.is_zero() {
        let found = duration::format(time);
        problems.add(
            &node.place,
            format!("expected a duration above zero, found `{found}`"),
        );
        return None;
    }
    Some(time)
}

/// Notes why there is no such schedule.
pub(super) fn noted<T>(
    schedule: Result<T, LoadError>,
    place: &Place,
    problems: &Problems,
) -> Option<T> {
    schedule
        .map_err(|error| problems.add(place, error.to_string()))
        .ok()
}
