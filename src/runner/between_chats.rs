//! Customers who wait before they start their next chat.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use tokio::time::Instant;

use super::{RunSpec, forever::FOREVER};
use crate::{
    load::Shape,
    scenario::{EvaluationError, Scenario, Scope},
};

/// The customers of a run who have had a chat and wait for their next one.
#[derive(Debug)]
pub(super) struct BetweenChats {
    scenario: Arc<Scenario>,
    scope: Arc<Scope>,
    random: fastrand::Rng,
    /// When each of them is ready.
    ready: BinaryHeap<Reverse<Instant>>,
}

impl BetweenChats {
    /// `None` if nobody waits: the scenario has no delay, or the load no customers who loop.
    ///
    /// # Errors
    /// The delay cannot be computed. If it can here, it can later: nothing of a chat is in it.
    pub(super) fn of(spec: &RunSpec, scope: &Scope) -> Result<Option<Self>, EvaluationError> {
        let loops = matches!(spec.load.shape(), Shape::Customers(_));
        let Some(delay) = spec.scenario.loop_delay.as_ref().filter(|_| loops) else {
            return Ok(None);
        };
        let mut customers = Self {
            scenario: spec.scenario.clone(),
            scope: Arc::new(scope.clone()),
            random: fastrand::Rng::with_seed(spec.seed),
            ready: BinaryHeap::new(),
        };
        delay.sample(&customers.scope, &mut customers.random)?;
        Ok(Some(customers))
    }

    /// The chat of a customer has ended.
    pub(super) fn begin(&mut self, now: Instant) {
        let delay = self.scenario.loop_delay.as_ref();
        let delay = delay.and_then(|delay| delay.sample(&self.scope, &mut self.random).ok());
        let delay = delay.unwrap_or_default();
        if !delay.is_zero() {
            self.ready.push(Reverse(now + delay.min(FOREVER)));
        }
    }

    /// How many wait at this moment; those who are ready do not.
    pub(super) fn waiting(&mut self, now: Instant) -> u64 {
        while self.next().is_some_and(|at| at <= now) {
            self.ready.pop();
        }
        self.ready.len() as u64
    }

    /// When the next of them is ready.
    pub(super) fn next(&self) -> Option<Instant> {
        self.ready.peek().map(|Reverse(at)| *at)
    }
}
