//! One chat of a case.

use std::collections::HashSet;

use super::{
    model::End,
    script::{Case, Item, PAUSES, Trouble, Wait, Whom, names},
};
use crate::scenario::Reason;

/// One chat on its way through the scenario.
pub(super) struct Chat<'a> {
    case: &'a Case,
    pub(super) number: u64,
    pub(super) start: u64,
    /// In the end the moment at which it ended.
    pub(super) now: u64,
    pub(super) key: Option<usize>,
    pub(super) mail: Vec<usize>,
    pub(super) consumed: HashSet<usize>,
    pub(super) patience: u64,
    pub(super) outcomes: Vec<(String, End)>,
    pub(super) ending: End,
    pub(super) steps_over: u64,
    pub(super) is_cut_short: bool,
}

impl<'a> Chat<'a> {
    pub(super) fn new(case: &'a Case, number: u64, start: u64) -> Self {
        Self {
            case,
            number,
            start,
            now: start,
            key: None,
            mail: Vec::new(),
            consumed: HashSet::new(),
            patience: u64::MAX,
            outcomes: Vec::new(),
            ending: End::Stopped,
            steps_over: start,
            is_cut_short: false,
        }
    }

    pub(super) fn record(&mut self, step: &str, outcome: Result<(), End>) {
        let end = outcome.err().unwrap_or(End::Passed);
        self.outcomes.push((step.to_owned(), end));
    }

    fn is_for(&self, whom: Whom) -> bool {
        whom.has(self.number, self.ending == End::Passed)
    }

    pub(super) fn perform_steps(&mut self) -> Result<(), End> {
        self.pause(PAUSES.0)?;
        for (item, name) in self.case.steps.iter().zip(names("step")) {
            self.perform(item, &name)?;
        }
        Ok(())
    }

    /// Whatever fails, the others follow.
    pub(super) fn clean_up(&mut self) {
        let _ = self.pause(PAUSES.1);
        for (item, name) in self.case.always.iter().zip(names("always")) {
            let _ = self.perform(item, &name);
        }
    }

    fn perform(&mut self, item: &Item, name: &str) -> Result<(), End> {
        match item {
            Item::Think { unclear_to, .. } if self.is_for(*unclear_to) => {
                Err(End::Failed(Reason::Template))
            }
            Item::Think { ms, .. } => self.pause(*ms),
            Item::Wait(wait) => self.step(wait, name),
            Item::Repeat { to, .. } if !self.is_for(*to) => Ok(()),
            Item::Repeat { rounds, wait, .. } => (0..*rounds).try_for_each(|_| {
                if self.patience <= self.now {
                    self.is_cut_short = true;
                    return Err(End::Stopped);
                }
                self.step(wait, name)
            }),
        }
    }

    /// Until then, if there is time.
    fn go_on_to(&mut self, until: u64) -> Result<(), End> {
        let in_time = self.now < self.patience && until < self.patience;
        self.now = if in_time {
            until
        } else {
            self.now.max(self.patience)
        };
        self.is_cut_short |= !in_time;
        in_time.then_some(()).ok_or(End::Stopped)
    }

    fn pause(&mut self, ms: u64) -> Result<(), End> {
        self.go_on_to(self.now + ms)
    }

    fn step(&mut self, wait: &Wait, name: &str) -> Result<(), End> {
        if !self.is_for(wait.to) {
            return Ok(());
        }
        let outcome = self.wait(wait);
        self.record(name, outcome);
        outcome
    }

    fn wait(&mut self, wait: &Wait) -> Result<(), End> {
        if self.is_for(wait.unclear_to) {
            return Err(End::Failed(Reason::Template));
        }
        let deadline = self.now + wait.ms;
        let Some(at) = self.first_for(wait, deadline) else {
            self.go_on_to(deadline)?;
            return Err(End::Failed(if wait.joins {
                Reason::AgentJoinTimeout
            } else {
                Reason::ReplyTimeout
            }));
        };
        let letter = &self.case.letters[at];
        self.go_on_to(self.now.max(letter.at))?;
        self.consumed.insert(at);
        if letter.kind != wait.kind {
            return Err(End::Failed(Reason::Disconnected));
        }
        match letter.trouble {
            Trouble::Expectation | Trouble::Capture if wait.checks => failure(letter.trouble),
            _ => Ok(()),
        }
    }

    /// The first letter that decides this wait.
    fn first_for(&self, wait: &Wait, deadline: u64) -> Option<usize> {
        let mut ids = HashSet::new();
        let mut mail = self.mail.iter().copied();
        mail.find(|at| {
            let letter = &self.case.letters[*at];
            let is_new = letter.identity().is_none_or(|id| ids.insert(id));
            let answers = letter.kind == wait.kind && letter.at > self.start;
            let decides = answers || letter.kind == "left";
            is_new && decides && letter.at <= deadline && !self.consumed.contains(at)
        })
    }
}

pub(super) fn failure(trouble: Trouble) -> Result<(), End> {
    match trouble {
        Trouble::None => Ok(()),
        Trouble::Status => Err(End::Failed(Reason::Status)),
        Trouble::Expectation => Err(End::Failed(Reason::Expectation)),
        Trouble::Capture => Err(End::Failed(Reason::Capture)),
    }
}
