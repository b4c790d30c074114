use std::time::Duration;

use super::{
    LoadError,
    segment::{CHAT, Parts, Segment, Ticks, ticks},
};
use crate::units::Rate;

/// When each chat is due, as a pure function of the time elapsed since the start.
///
/// Chats are counted from zero. At a constant rate `r` the i-th is due at `i/r`, to the nearest
/// nanosecond; what is due and when it is due agree to the nanosecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// Without a gap from tick zero on; never empty.
    segments: Vec<Segment>,
    until: Until,
    spacing: ArrivalSpacing,
}

/// How the starts of open arrivals lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrivalSpacing {
    /// Each at the same distance from the one before, as far as the rate is the same.
    Even,
    /// Drawn, with the rate as their mean: see [`PoissonStarts`](super::PoissonStarts). The number of chats is drawn too.
    Poisson,
}

/// What stays the same when the rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// How many chats there are.
    Total,
    /// When the last of them starts.
    End,
}

/// A time during which the rate holds or changes linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RateStage {
    /// Above zero.
    pub(super) length: Duration,
    pub(super) from: Rate,
    pub(super) to: Rate,
}

impl Arrivals {
    /// So many chats, evenly over `ramp`.
    pub(super) fn of_chats(chats: u64, ramp: Duration) -> Result<Self, LoadError> {
        Ok(Self {
            segments: vec![Segment::spreading(chats, ticks(ramp))?],
            until: Until::Total,
            spacing: ArrivalSpacing::Even,
        })
    }

    /// One stage after the other; there must be at least one.
    pub(super) fn open(stages: &[RateStage], spacing: ArrivalSpacing) -> Result<Self, LoadError> {
        let mut segments = Vec::with_capacity(stages.len());
        let (mut start, mut due) = (0, 0);
        for stage in stages {
            let end = start + ticks(stage.length);
            let segment = Segment::between((start, end), (stage.from, stage.to), due)?;
            (start, due) = (end, segment.ends);
            segments.push(segment);
        }
        Ok(Self {
            segments,
            until: Until::End,
            spacing,
        })
    }

    /// How the starts lie.
    pub fn spacing(&self) -> ArrivalSpacing {
        self.spacing
    }

    /// How many chats should have started by then, on average if they are drawn.
    pub fn due_by(&self, elapsed: Duration) -> u64 {
        whole_chats(self.parts_due_by(elapsed))
    }

    /// What should have started by then.
    pub(super) fn parts_due_by(&self, elapsed: Duration) -> Parts {
        self.due_at(cut_after(elapsed))
    }

    /// When the i-th chat, counted from zero, is due: the first moment at which
    /// [`due_by`](Self::due_by) exceeds `i`. `None` from the total on.
    pub fn intended_start(&self, i: u64) -> Option<Duration> {
        if i >= self.total() {
            return None;
        }
        self.first_above(Parts::from(i) * CHAT)
    }

    /// The first moment at which more than this is due; `None` if that never is.
    pub(super) fn first_above(&self, parts: Parts) -> Option<Duration> {
        let at = self
            .segments
            .partition_point(|segment| segment.ends <= parts);
        let tick = self.segments.get(at)?.first_above(parts);
        Some(moment(tick))
    }

    /// How many chats there are, on average if they are drawn.
    pub fn total(&self) -> u64 {
        whole_chats(self.ends())
    }

    /// When the schedule is over: no chat is due later.
    pub fn duration(&self) -> Duration {
        moment(self.end())
    }

    /// The highest rate of all; `None` if all chats are due at one moment.
    pub fn peak_rate(&self) -> Option<Rate> {
        self.segments
            .iter()
            .filter_map(Segment::peak)
            .max_by(|a, b| a.as_per_second().total_cmp(&b.as_per_second()))
    }

    /// How many chats a second become due right after this moment; zero behind the last of them.
    pub fn rate_at(&self, elapsed: Duration) -> Rate {
        let tick = cut_after(elapsed);
        let at = self.segments.partition_point(|segment| segment.end <= tick);
        let segment = self.segments.get(at);
        segment
            .and_then(|segment| segment.rate_at(tick))
            .unwrap_or(Rate::ZERO)
    }

    /// Whether they arrive whatever the target does; else their number is given.
    pub(super) fn is_open(&self) -> bool {
        self.until == Until::End
    }

    /// The same up to and including `elapsed`, from then on at `rate`: open arrivals until the
    /// same end, a given number of chats until the same total. No change once that is reached.
    ///
    /// The new rate begins half a nanosecond behind `elapsed`, so that what was due stays due.
    pub fn with_rate(&self, elapsed: Duration, rate: Rate) -> Result<Self, LoadError> {
        let cut = cut_after(elapsed);
        let due = self.due_at(cut);
        let rest = match self.until {
            _ if cut >= self.end() => return Ok(self.clone()),
            Until::Total if whole_chats(due) == self.total() => return Ok(self.clone()),
            Until::Total => Segment::reaching(self.ends(), cut, rate, due)?,
            Until::End => Segment::between((cut, self.end()), (rate, rate), due)?,
        };
        let past = self.segments.iter().filter(|segment| segment.start < cut);
        let segments = past
            .map(|segment| segment.cut_at(cut))
            .chain([rest])
            .collect();
        Ok(Self {
            segments,
            until: self.until,
            spacing: self.spacing,
        })
    }

    fn due_at(&self, tick: Ticks) -> Parts {
        let at = self.segments.partition_point(|segment| segment.end <= tick);
        self.segments
            .get(at)
            .map_or_else(|| self.ends(), |segment| segment.due_at(tick))
    }

    fn end(&self) -> Ticks {
        self.segments.last().map_or(0, |segment| segment.end)
    }

    fn ends(&self) -> Parts {
        self.segments.last().map_or(0, |segment| segment.ends)
    }
}

/// The tick up to which starts belong to this nanosecond: half of one behind it.
fn cut_after(elapsed: Duration) -> Ticks {
    ticks(elapsed) + 1
}

/// The nanosecond to which starts before this tick belong; the inverse of [`cut_after`].
fn moment(tick: Ticks) -> Duration {
    Duration::from_nanos_u128(tick / 2)
}

/// A chat is due as soon as anything of it is: the first one at once.
fn whole_chats(parts: Parts) -> u64 {
    // Segments hold far less than `u64::MAX` chats.
    u64::try_from(parts.div_ceil(CHAT)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;
