use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::IdSpread;
use crate::{
    event::{Fate, RunEvent, RunIdentity, RunObservers},
    scenario::{InboundSource, SocketEvent},
};

/// The run that inbound events belong to, and its observers.
#[derive(Debug)]
pub struct Owner {
    run: Arc<RunIdentity>,
    /// The number of the run, from one; unique among the runs whose events may reach each other's chats.
    pub(super) number: u32,
    observers: Mutex<RunObservers>,
}

impl Owner {
    /// The owner of the events of a run.
    pub fn new(number: u32, observers: RunObservers) -> Self {
        Self {
            run: observers.run().clone(),
            number,
            observers: Mutex::new(observers),
        }
    }

    /// An event came through a source of some run and will be settled later.
    pub fn received(&self, through: &Self) {
        self.observers().emit(&self.receipt(through));
    }

    /// It is known what became of an entry of an inbox. Only events of callbacks are recorded one by one, and settled if
    /// they were received before.
    pub(super) fn settle_entry(&self, source: InboundSource, fate: Fate) {
        if source.is_callback() {
            self.settle(fate);
        }
    }

    /// An entry of an inbox fell out, because too many came behind it.
    pub(super) fn fell_out(&self, source: InboundSource, fate: Fate) {
        match source {
            InboundSource::Callback => self.settle(fate),
            InboundSource::Connection(_) => {
                self.observers()
                    .emit(&RunEvent::Socket(SocketEvent::Dropped));
            }
            InboundSource::EndOf { .. } => {}
        }
    }

    /// It is known what became of an event that was received before.
    pub fn settle(&self, fate: Fate) {
        self.observers().emit(&RunEvent::CallbackSettled(fate));
    }

    /// An event came through a source of some run and is settled at once. The run cannot end between the two, or
    /// its counters would not agree.
    pub fn pass(&self, through: &Self, fate: Fate) {
        let observers = self.observers();
        observers.emit(&self.receipt(through));
        observers.emit(&RunEvent::CallbackSettled(fate));
    }

    /// A request came that only asked whether this is the right receiver.
    pub fn verified(&self) {
        self.observers().emit(&RunEvent::CallbackVerified);
    }

    /// A request was read, so long after the system had it.
    pub fn read(&self, delay: Duration) {
        self.observers().emit(&RunEvent::CallbackRead { delay });
    }

    /// The id of an event does not identify it.
    pub fn id_repeats(&self) {
        self.observers().emit(&RunEvent::CallbackIdRepeated);
    }

    /// Says once in the log that ids do not identify events.
    pub fn warn_of_ids(&self, spread: IdSpread) {
        let subject = &self.run.subject;
        let found = match spread {
            IdSpread::SeveralChats => "came for different chats",
            IdSpread::OneChat => "came twice in one chat with different contents",
        };
        tracing::warn!(
            scenario = %subject.scenario,
            target = %subject.target,
            "an event id {found}: it does not identify an event; an event with such an id is a duplicate only \
             if it is equal to an earlier one of its chat and the chat has sent no request since; \
             `callbacks.id` of the scenario should name what no two events have in common"
        );
    }

    /// An event that was received for this run, through a source of some run, is one of another.
    pub fn reroute(&self, to: &Self, through: &Self) {
        // One lock at a time: two could be taken in both orders.
        self.observers().emit(&RunEvent::CallbackHandedOver {
            through: self.elsewhere(through),
        });
        to.observers().emit(&RunEvent::CallbackTakenOver {
            through: to.elsewhere(through),
        });
    }

    /// The run is over, and its counters are final: they do not observe what comes from now on.
    pub fn close(&self) {
        let mut observers = self.observers();
        *observers = observers.after_the_end();
    }

    fn receipt(&self, through: &Self) -> RunEvent {
        RunEvent::CallbackReceived {
            through: self.elsewhere(through),
        }
    }

    /// The run through whose source an event came, if that is another one.
    fn elsewhere(&self, through: &Self) -> Option<Arc<RunIdentity>> {
        let own = Arc::ptr_eq(&self.run, &through.run);
        (!own).then(|| through.run.clone())
    }

    fn observers(&self) -> MutexGuard<'_, RunObservers> {
        // An observer that panicked leaves the list as it was.
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
