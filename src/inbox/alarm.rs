//! The timer of waits.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that the waits of an inbox use one after the other. A wait that is over leaves it set: to put it off for the next
/// one costs less than a timer for each.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// Of a wait until `at`.
    pub(super) fn new(at: Instant) -> Self {
        Self(Box::pin(sleep_until(at)))
    }

    /// Completes at this time.
    pub(super) fn poll_at(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        if self.0.deadline() != at {
            self.0.as_mut().reset(at);
        }
        self.0.as_mut().poll(context)
    }
}
