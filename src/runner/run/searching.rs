//! What a search for the limit of the target makes of a run.

use tokio::time::Instant;

use super::Run;
use crate::runner::search::Turn;

impl Run {
    /// Does what the search wants now; whether that changed what is due.
    pub(super) fn search_on(&mut self, now: Instant) -> bool {
        if self.search.is_none() || self.pacing.is_paused() {
            return false;
        }
        // How the machine was until now belongs to the step that may be judged now.
        self.hear_vitals();
        let Some(search) = &mut self.search else {
            return false;
        };
        let (elapsed, active) = (self.pacing.elapsed(now), self.chats.len() as u64);
        let turn = search.advance(elapsed, active, &self.tally);
        let turned = turn.is_some();
        self.take_turn(turn, now);
        turned
    }

    /// A step of a search begins, or begins anew.
    pub(super) fn begin_step(&mut self) {
        self.hear_vitals();
        // One that was stopped during the setup begins none.
        if let Some(search) = self
            .search
            .as_mut()
            .filter(|_| self.course.stopped.is_none())
        {
            let turn = search.begin(&self.tally);
            self.take_turn(turn, Instant::now());
        }
    }

    fn take_turn(&mut self, turn: Option<Turn>, now: Instant) {
        let Some(turn) = turn else {
            return;
        };
        self.ask(now);
        match turn {
            Turn::Press(shape) => self.pacing.press(shape, self.next, now),
            Turn::Rest => self.pacing.rest(self.next, now),
        }
        self.load_changed(now);
    }
}
