use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::IdSpread;
use crate::event::{Event, Fate, Observers, RunIdentity};

/// The run that inbound events belong to, and its observers.
#[derive(Debug)]
pub struct Owner {
    run: Arc<RunIdentity>,
    /// The number of the run, from one; unique among the runs whose events may reach each other's chats.
    pub(super) number: u32,
    observers: Mutex<Observers>,
    /// Those that are told once the run is over: all but the run itself, whose counters are final.
    afterwards: Observers,
}

impl Owner {
    /// The owner of the events of a run. Once it is closed, `afterwards` are told.
    pub fn new(
        run: Arc<RunIdentity>,
        number: u32,
        observers: Observers,
        afterwards: Observers,
    ) -> Self {
        Self {
            run,
            number,
            observers: Mutex::new(observers),
            afterwards,
        }
    }

    /// An event came through a source of some run and will be settled later.
    pub fn received(&self, through: &Self) {
        self.observers().tell(&self.receipt(through));
    }

    /// It is known what became of an event that was received before.
    pub fn settle(&self, fate: Fate) {
        self.observers().tell(&self.settlement(fate));
    }

    /// An event came through a source of some run and is settled at once. The run cannot end between the two, or
    /// its counters would not agree.
    pub fn pass(&self, through: &Self, fate: Fate) {
        let observers = self.observers();
        observers.tell(&self.receipt(through));
        observers.tell(&self.settlement(fate));
    }

    /// A request came that only asked whether this is the right receiver.
    pub fn verified(&self) {
        self.observers().tell(&Event::CallbackVerified {
            run: self.run.clone(),
        });
    }

    /// The id of an event does not identify it.
    pub fn id_repeats(&self) {
        self.observers().tell(&Event::CallbackIdRepeated {
            run: self.run.clone(),
        });
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
        let rerouted = Event::CallbackRerouted {
            from: self.run.clone(),
            to: to.run.clone(),
            through: through.run.clone(),
        };
        // Some observers watch both runs. One lock at a time: two could be taken in both orders.
        let mine = self.observers().clone();
        let all = mine.with(&to.observers());
        all.tell(&rerouted);
    }

    /// The run is over, and its counters are final: what comes from now on is not told to it.
    pub fn close(&self) {
        *self.observers() = self.afterwards.clone();
    }

    fn receipt(&self, through: &Self) -> Event {
        let own = Arc::ptr_eq(&self.run, &through.run);
        Event::CallbackReceived {
            run: self.run.clone(),
            through: (!own).then(|| through.run.clone()),
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
