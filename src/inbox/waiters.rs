//! Whom the next entry of an inbox wakes.

use std::task::Waker;

/// The waits that have looked at all entries, until they are woken or over.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    first: Option<Waiter>,
    /// In a box, because there are hardly ever several.
    others: Option<Box<OtherWaiters>>,
}

#[derive(Debug, Default)]
struct OtherWaiters(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    /// The number of the wait.
    wait: u32,
    /// Its task, which several waits may have in common.
    task: Waker,
}

impl Waiters {
    /// Remembers that a wait is to be woken, which is not remembered yet.
    pub(super) fn add(&mut self, wait: u32, task: &Waker) {
        let waiter = Waiter {
            wait,
            task: task.clone(),
        };
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.others.get_or_insert_default().0.push(waiter);
        }
    }

    /// Forgets a wait, if it is remembered.
    pub(super) fn remove(&mut self, wait: u32) {
        self.first.take_if(|first| first.wait == wait);
        if let Some(others) = &mut self.others {
            others.0.retain(|other| other.wait != wait);
        }
    }

    /// Wakes all of them.
    pub(super) fn wake(self) {
        let others = self.others.into_iter().flat_map(|others| others.0);
        let waiters = self.first.into_iter().chain(others);
        waiters.for_each(|waiter| waiter.task.wake());
    }
}
