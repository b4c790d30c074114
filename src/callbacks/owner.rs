use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::identity::Spread;
use crate::event::{Event, Fate, Observers, RunIdentity};

/// A run, and who is told about its events.
#[derive(Debug)]
pub(super) struct Owner {
    run: Arc<RunIdentity>,
    /// The number of its path, from one; unique in its registry.
    pub(super) path: u32,
    observers: Mutex<Observers>,
    /// Who is told once the run is over: everybody but the run itself, whose counters are closed.
    afterwards: Observers,
}

impl Owner {
    pub(super) fn new(
        run: Arc<RunIdentity>,
        path: u32,
        observers: Observers,
        afterwards: Observers,
    ) -> Self {
        Self {
            run,
            path,
            observers: Mutex::new(observers),
            afterwards,
        }
    }

    /// An event came on somebody's path that will be settled later.
    pub(super) fn received(&self, path: &Self) {
        self.observers().tell(&self.receipt(path));
    }

    /// It is known what became of an event that was received before.
    pub(super) fn settle(&self, fate: Fate) {
        self.observers().tell(&self.settlement(fate));
    }

    /// An event came on somebody's path and is settled at once. The run cannot end between the two, or its
    /// counts would not agree.
    pub(super) fn pass(&self, path: &Self, fate: Fate) {
        let observers = self.observers();
        observers.tell(&self.receipt(path));
        observers.tell(&self.settlement(fate));
    }

    /// A request came that only asked whether this is the right receiver.
    pub(super) fn verified(&self) {
        self.observers().tell(&Event::CallbackVerified {
            run: self.run.clone(),
        });
    }

    /// The id of an event does not identify it.
    pub(super) fn id_repeats(&self) {
        self.observers().tell(&Event::CallbackIdRepeated {
            run: self.run.clone(),
        });
    }

    /// Says once in the log that ids do not identify events.
    pub(super) fn warn_of_ids(&self, spread: Spread) {
        let subject = &self.run.subject;
        let found = match spread {
            Spread::SeveralChats => "came for different chats",
            Spread::OneChat => "came twice in one chat with different contents",
        };
        tracing::warn!(
            scenario = %subject.scenario,
            target = %subject.target,
            "an event id {found}: it does not identify an event; an event with such an id is a duplicate only \
             if it is equal to an earlier one of its chat and the chat has sent no request since; \
             `callbacks.id` of the scenario should name what no two events have in common"
        );
    }

    /// An event that was received for this run, on somebody's path, is one of another.
    pub(super) fn reroute(&self, to: &Self, path: &Self) {
        let rerouted = Event::CallbackRerouted {
            from: self.run.clone(),
            to: to.run.clone(),
            through: path.run.clone(),
        };
        // Some observers watch both runs. One lock at a time: two could be taken in both orders.
        let mine = self.observers().clone();
        let all = mine.with(&to.observers());
        all.tell(&rerouted);
    }

    /// The run is over, and its counters are closed: what comes now is no longer told to it.
    pub(super) fn close(&self) {
        *self.observers() = self.afterwards.clone();
    }

    fn receipt(&self, path: &Self) -> Event {
        let own = Arc::ptr_eq(&self.run, &path.run);
        Event::CallbackReceived {
            run: self.run.clone(),
            through: (!own).then(|| path.run.clone()),
        }
    }

    fn settlement(&self, fate: Fate) -> Event {
        Event::CallbackSettled {
            run: Some(self.run.clone()),
            fate,
        }
    }

    fn observers(&self) -> MutexGuard<'_, Observers> {
        // An observer that panicked leaves the list as it was.
        self.observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
