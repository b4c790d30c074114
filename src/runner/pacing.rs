use std::time::Duration;

use tokio::time::Instant;

use super::{OrderError, forever::FOREVER, pace::Asked};
use crate::{
    load::{ArrivalSpacing, Arrivals, Customers, PoissonStarts, Shape},
    units::Rate,
};

/// A load profile with a clock: what is due now, with pauses and changes taken into account.
#[derive(Debug)]
pub(super) struct Pacing {
    shape: Shape,
    /// When the chats of the shape start, if that is drawn.
    drawn: Option<PoissonStarts>,
    /// The number of the shape's first chat; a search has a shape for each of its steps.
    first: u64,
    /// Nothing starts until there is another shape.
    starts_stopped: bool,
    /// How long chats were to start by shapes before this one.
    scheduled: Duration,
    /// The moment that is zero on the profile's clock; a pause moves it.
    origin: Instant,
    /// Until then the profile's clock stands at zero, and orders hold from there.
    begun: bool,
    paused_at: Option<Instant>,
    spacing: Option<Spacing>,
}

/// Keeps the starts of customers, which the target times, below a rate.
#[derive(Debug)]
struct Spacing {
    interval: Duration,
    next: Instant,
    /// A start is wanted and has to wait until `next`.
    held_back: bool,
}

/// What a loop that looks late makes up for at most.
const CATCH_UP: Duration = Duration::from_millis(100);

/// What the profile wants now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// So many chats should have been started by now, counted from the first.
    Started(u64),
    /// So many chats should be in progress.
    Active(u64),
}

impl Pacing {
    /// `max_rate`: see [`super::RunSpec::max_rate`]. `seed`: what is drawn of starts.
    pub(super) fn new(shape: Shape, max_rate: Option<Rate>, seed: u64, origin: Instant) -> Self {
        let is_drawn = match &shape {
            Shape::Arrivals(arrivals) => arrivals.spacing() == ArrivalSpacing::Poisson,
            Shape::Customers(_) => false,
        };
        let spacing = max_rate.map(|rate| Spacing {
            interval: Duration::try_from_secs_f64(rate.as_per_second().recip())
                .map_or(FOREVER, |interval| interval.min(FOREVER)),
            next: origin,
            held_back: false,
        });
        Self {
            drawn: is_drawn.then(|| PoissonStarts::new(seed)),
            shape,
            first: 0,
            starts_stopped: false,
            scheduled: Duration::ZERO,
            origin,
            begun: false,
            paused_at: None,
            spacing,
        }
    }

    /// The profile's clock runs, unless it is paused.
    pub(super) fn begin(&mut self, now: Instant) {
        self.origin = now;
        self.begun = true;
        self.paused_at = self.paused_at.map(|_| now);
    }

    /// From now on this shape, from its beginning on, its first chat having this number.
    pub(super) fn start_shape(&mut self, shape: Shape, first: u64, now: Instant) {
        self.scheduled = self.scheduled(first, now);
        self.shape = shape;
        if let Some(drawn) = &mut self.drawn {
            drawn.begin();
        }
        self.first = first;
        self.starts_stopped = false;
        self.origin = now;
    }

    /// From now on nothing starts, and the clock counts for how long; `next` would be the next chat.
    pub(super) fn stop_starts(&mut self, next: u64, now: Instant) {
        self.scheduled = self.scheduled(next, now);
        self.starts_stopped = true;
        self.origin = now;
    }

    /// Time on the profile's clock.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        if !self.begun {
            return Duration::ZERO;
        }
        self.paused_at
            .unwrap_or(now)
            .saturating_duration_since(self.origin)
    }

    pub(super) fn wanted(&self, now: Instant) -> Wanted {
        let elapsed = self.elapsed(now);
        match &self.shape {
            // What came due right before waits too, or a pause during the setup would start one.
            Shape::Arrivals(_) if self.is_idle() => Wanted::Started(0),
            Shape::Arrivals(arrivals) => {
                let due = match &self.drawn {
                    Some(drawn) => drawn.due_by(arrivals, elapsed),
                    None => arrivals.due_by(elapsed),
                };
                Wanted::Started(self.first + due)
            }
            Shape::Customers(_) if self.is_idle() => Wanted::Active(0),
            Shape::Customers(customers) => Wanted::Active(customers.wanted_at(elapsed)),
        }
    }

    /// What the profile asks for from this moment on.
    pub(super) fn asked(&self, now: Instant) -> Asked {
        let elapsed = self.elapsed(now);
        match &self.shape {
            _ if self.is_idle() => self.nothing(),
            Shape::Arrivals(arrivals) => Asked::Rate(arrivals.rate_at(elapsed)),
            Shape::Customers(customers) => Asked::Customers(customers.wanted_at(elapsed)),
        }
    }

    /// What a profile like this asks for when no chat is to start.
    pub(super) fn nothing(&self) -> Asked {
        match &self.shape {
            Shape::Arrivals(_) => Asked::Rate(Rate::ZERO),
            Shape::Customers(_) => Asked::Customers(0),
        }
    }

    /// How long chats were to start so far: pauses, and the time between the shapes of a search, are no part of
    /// it. `next` is the first chat not yet due.
    pub(super) fn scheduled(&self, next: u64, now: Instant) -> Duration {
        if !self.begun || self.starts_stopped {
            return self.scheduled;
        }
        let whole = match &self.shape {
            Shape::Arrivals(arrivals) => arrivals.duration(),
            Shape::Customers(customers) => customers.duration(),
        };
        // The last chat starts before the schedule is over.
        let is_through = self.is_over(next, now);
        self.scheduled
            + if is_through {
                whole
            } else {
                self.elapsed(now).min(whole)
            }
    }

    /// Whether the profile's clock has begun to run.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    fn is_idle(&self) -> bool {
        !self.begun || self.is_paused() || self.starts_stopped
    }

    /// Whether one more customer may come now; if so, one does.
    pub(super) fn may_start(&mut self, now: Instant) -> bool {
        let Some(spacing) = &mut self.spacing else {
            return true;
        };
        spacing.held_back = now < spacing.next;
        if !spacing.held_back {
            let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
            spacing.next = spacing.next.max(earliest) + spacing.interval;
        }
        !spacing.held_back
    }

    /// How many chats are due in all, where that does not depend on how long they take and is not drawn.
    pub(super) fn total(&self) -> Option<u64> {
        match &self.shape {
            Shape::Arrivals(arrivals) if self.drawn.is_none() => Some(arrivals.total()),
            Shape::Arrivals(_) | Shape::Customers(_) => None,
        }
    }

    /// When the chat of this number should start, which does so now; now, where the profile has no schedule for it.
    pub(super) fn start(&mut self, number: u64, now: Instant) -> Instant {
        let intended = match &self.shape {
            Shape::Arrivals(arrivals) => self.intended_start(arrivals, number),
            Shape::Customers(_) => None,
        };
        if let Some(drawn) = &mut self.drawn {
            drawn.forget_before(number.saturating_sub(self.first) + 1);
        }
        intended.unwrap_or(now)
    }

    fn intended_start(&self, arrivals: &Arrivals, number: u64) -> Option<Instant> {
        let of_shape = number.saturating_sub(self.first);
        let start = match &self.drawn {
            Some(drawn) => drawn.intended_start(arrivals, of_shape),
            None => arrivals.intended_start(of_shape),
        };
        start.map(|start| self.origin + start)
    }

    /// When the loop has to look again at the latest, if `next` is the first chat not yet due.
    pub(super) fn next_look(&self, next: u64) -> Option<Instant> {
        if self.is_paused() || self.starts_stopped {
            return None;
        }
        match &self.shape {
            Shape::Arrivals(arrivals) => self.intended_start(arrivals, next),
            Shape::Customers(customers) => {
                let end = self.origin + customers.duration();
                let waiting = self.spacing.as_ref().filter(|spacing| spacing.held_back);
                Some(waiting.map_or(end, |spacing| end.min(spacing.next)))
            }
        }
    }

    /// When the profile's clock will show this; never while it is paused.
    pub(super) fn when(&self, elapsed: Duration) -> Option<Instant> {
        (!self.is_paused()).then(|| self.origin + elapsed.min(FOREVER))
    }

    /// Whether no chat will start any more, given that `next` would be the next one.
    pub(super) fn is_over(&self, next: u64, now: Instant) -> bool {
        match &self.shape {
            Shape::Arrivals(arrivals) => self.intended_start(arrivals, next).is_none(),
            Shape::Customers(customers) => self.elapsed(now) >= customers.duration(),
        }
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.paused_at.get_or_insert(now);
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let Some(paused_at) = self.paused_at.take() {
            self.origin += now.saturating_duration_since(paused_at);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    pub(super) fn change_rate(&mut self, rate: Rate, now: Instant) -> Result<(), OrderError> {
        if rate.as_per_second() <= 0.0 {
            return Err(OrderError::NoStarts);
        }
        let elapsed = self.elapsed(now);
        let Shape::Arrivals(arrivals) = &mut self.shape else {
            return Err(OrderError::NoRate);
        };
        let changed: Arrivals = arrivals.with_rate(elapsed, rate)?;
        *arrivals = changed;
        Ok(())
    }

    pub(super) fn change_customers(&mut self, count: u64, now: Instant) -> Result<(), OrderError> {
        let elapsed = self.elapsed(now);
        let Shape::Customers(customers) = &mut self.shape else {
            return Err(OrderError::NoCustomers);
        };
        let changed: Customers = customers.with_customers(elapsed, count);
        *customers = changed;
        Ok(())
    }
}
