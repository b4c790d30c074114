//! Customers who wait before they start their next chat.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{context::RunContext, forever::FOREVER};
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
    /// The least time from one start of a customer to the next.
    pace: Duration,
    /// When each of them is ready.
    ready: BinaryHeap<Reverse<Instant>>,
}

impl BetweenChats {
    /// `None` if nobody waits: the scenario has no delay and the load no pace, or the load no customers who loop.
    ///
    /// # Errors
    /// The delay cannot be computed. If it can here, it can later: nothing of a chat is in it.
    pub(super) fn of(context: &RunContext, scope: &Scope) -> Result<Option<Self>, EvaluationError> {
        let (spec, scenario) = (&context.spec, &context.chats.scenario);
        let Shape::Customers(load) = spec.load.shape() else {
            return Ok(None);
        };
        let delay = scenario.loop_delay.as_ref();
        if delay.is_none() && load.pace().is_none() {
            return Ok(None);
        }
        let mut customers = Self {
            scenario: scenario.clone(),
            scope: Arc::new(scope.clone()),
            random: fastrand::Rng::with_seed(spec.seed),
            pace: load.pace().unwrap_or_default(),
            ready: BinaryHeap::new(),
        };
        if let Some(delay) = delay {
            delay.sample(&customers.scope, &mut customers.random)?;
        }
        Ok(Some(customers))
    }

    /// The chat of a customer has ended, which began at `began`.
    pub(super) fn begin(&mut self, began: Instant, now: Instant) {
        let delay = self.scenario.loop_delay.as_ref();
        let delay = delay.and_then(|delay| delay.sample(&self.scope, &mut self.random).ok());
        let delay = delay.unwrap_or_default();
        let next_start = began + self.pace.min(FOREVER);
        let ready = next_start.max(now + delay.min(FOREVER));
        if ready > now {
            self.ready.push(Reverse(ready));
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
