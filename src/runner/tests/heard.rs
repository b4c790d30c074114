use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    event::{DeliveryEvent, Ending, RunEvent, RunIdentity, RunObserver, StepOutcome, Verdict},
    scenario::{SocketEvent, StepId},
};

/// Everything that happened, with its time since the beginning.
#[derive(Debug)]
pub(super) struct Heard {
    began: Instant,
    notes: Mutex<Vec<(Duration, Note)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Note {
    RunStarted,
    Started {
        lateness: Duration,
    },
    Step(StepId, StepOutcome),
    WaitStarted,
    WaitEnded,
    Ended {
        chat: u64,
        ending: Ending,
        duration: Duration,
        correlation: Vec<(Arc<str>, String)>,
    },
    Dropped,
    Socket(SocketEvent),
    Deliveries(DeliveryEvent),
    RunEnded(Verdict, bool),
}

impl Heard {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            notes: Mutex::default(),
        }
    }

    pub(super) fn notes(&self) -> Vec<Note> {
        self.pick(|_, note| Some(note.clone()))
    }

    pub(super) fn pick<T>(&self, pick: impl Fn(Duration, &Note) -> Option<T>) -> Vec<T> {
        let notes = self.notes.lock().unwrap();
        notes
            .iter()
            .filter_map(|(at, note)| pick(*at, note))
            .collect()
    }

    /// When chats started.
    pub(super) fn starts(&self) -> Vec<Duration> {
        self.pick(|at, note| matches!(note, Note::Started { .. }).then_some(at))
    }

    /// When chats ended.
    pub(super) fn ends(&self) -> Vec<Duration> {
        self.pick(|at, note| matches!(note, Note::Ended { .. }).then_some(at))
    }

    pub(super) fn lateness(&self) -> Vec<Duration> {
        self.pick(|_, note| match note {
            Note::Started { lateness } => Some(*lateness),
            _ => None,
        })
    }

    pub(super) fn durations(&self) -> Vec<Duration> {
        self.pick(|_, note| match note {
            Note::Ended { duration, .. } => Some(*duration),
            _ => None,
        })
    }

    pub(super) fn endings(&self) -> Vec<Ending> {
        self.pick(|_, note| match note {
            Note::Ended { ending, .. } => Some(ending.clone()),
            _ => None,
        })
    }

    pub(super) fn run_ended(&self) -> (Verdict, bool) {
        let ends = self.pick(|_, note| match note {
            Note::RunEnded(verdict, all_passed) => Some((*verdict, *all_passed)),
            _ => None,
        });
        assert_eq!(ends.len(), 1, "a run ends once");
        ends[0]
    }
}

impl RunObserver for Heard {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        let note = match event {
            RunEvent::Started => Note::RunStarted,
            RunEvent::ChatStarted { lateness, .. } => Note::Started {
                lateness: *lateness,
            },
            RunEvent::StepEnded { step, outcome, .. } => Note::Step(*step, *outcome),
            RunEvent::WaitStarted { .. } => Note::WaitStarted,
            RunEvent::WaitEnded { .. } => Note::WaitEnded,
            RunEvent::ChatEnded {
                chat,
                ending,
                duration,
                correlation,
                ..
            } => Note::Ended {
                chat: *chat,
                ending: ending.clone(),
                duration: *duration,
                correlation: correlation.clone(),
            },
            RunEvent::ArrivalDropped => Note::Dropped,
            RunEvent::Socket(event) => Note::Socket(*event),
            RunEvent::Deliveries(event) => Note::Deliveries(*event),
            RunEvent::Ended {
                verdict,
                all_passed,
                ..
            } => Note::RunEnded(*verdict, *all_passed),
            _ => return,
        };
        let at = self.began.elapsed();
        self.notes.lock().unwrap().push((at, note));
    }
}
