//! Whom the next entry of an inbox wakes.

use std::{mem, task::Waker};

/// Tasks that are remembered. The waits of a chat are mostly those of one task; where there are more than these, all of them
/// are woken and ask again.
const MOST_WAITERS: usize = 16;

/// The tasks of the waits that have looked at all entries.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    first: Option<Waker>,
    /// In a box, because there are hardly ever several.
    others: Option<Box<OtherWaiters>>,
}

#[derive(Debug, Default)]
struct OtherWaiters(Vec<Waker>);

impl Waiters {
    /// Remembers a task until it is woken.
    pub(super) fn add(&mut self, waker: &Waker) {
        let Some(first) = &self.first else {
            self.first = Some(waker.clone());
            return;
        };
        if first.will_wake(waker) {
            return;
        }
        let others = &mut self.others.get_or_insert_default().0;
        if others.iter().any(|other| other.will_wake(waker)) {
            return;
        }
        others.push(waker.clone());
        if others.len() == MOST_WAITERS {
            mem::take(self).wake();
        }
    }

    /// Wakes all of them.
    pub(super) fn wake(self) {
        let others = self.others.into_iter().flat_map(|others| others.0);
        self.first.into_iter().chain(others).for_each(Waker::wake);
    }
}
