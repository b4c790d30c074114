//! The end of the run, as one track waits for it.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::task::unconstrained;

use crate::runner::context::{EndSignal, GracePeriod};

/// Completes when a track has to stop, and at once from then on. It subscribes to the end of the run once: a track waits for
/// it in every step, and almost always in vain.
pub(super) struct StopSignal<'a> {
    ending: &'a EndSignal,
    grace: GracePeriod,
    /// `None` before somebody waited for it.
    subscription: Option<Subscription<'a>>,
    is_over: bool,
}

struct Subscription<'a> {
    ended: Pin<Box<dyn Future<Output = ()> + Send + Sync + 'a>>,
    /// Whom the end wakes.
    waker: Waker,
}

impl<'a> StopSignal<'a> {
    /// That of a track with this grace period.
    pub(super) fn new(ending: &'a EndSignal, grace: GracePeriod) -> Self {
        Self {
            ending,
            grace,
            subscription: None,
            is_over: false,
        }
    }

    /// Takes it out of a track that is borrowed while it is waited for, and has to be given back.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.ending, self.grace))
    }
}

impl Future for StopSignal<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let stop = self.get_mut();
        if stop.is_over {
            return Poll::Ready(());
        }
        let subscription = stop.subscription.get_or_insert_with(|| Subscription {
            // It has to subscribe when it is polled, not when the task may do more.
            ended: Box::pin(unconstrained(stop.ending.end_of_grace(stop.grace))),
            waker: Waker::noop().clone(),
        });
        if !subscription.waker.will_wake(context.waker()) {
            subscription.waker = context.waker().clone();
        } else if !stop.ending.is_given() {
            // An end that is given from here on wakes this task.
            return Poll::Pending;
        }
        let polled = subscription.ended.as_mut().poll(context);
        stop.is_over = polled.is_ready();
        polled
    }
}
