//! What a search for the limit of the target makes of a run.

use tokio::time::Instant;

use super::RunTask;
use crate::runner::search::LoadChange;

impl RunTask {
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
        let change = search.advance(elapsed, active, &self.tally);
        let changes = change.is_some();
        self.change_load(change, now);
        changes
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
            let change = search.begin(&self.tally);
            self.change_load(change, Instant::now());
        }
    }

    fn change_load(&mut self, change: Option<LoadChange>, now: Instant) {
        let Some(change) = change else {
            return;
        };
        self.ask(now);
        match change {
            LoadChange::Start(shape) => self.pacing.start_shape(shape, self.next, now),
            LoadChange::StopStarts => self.pacing.stop_starts(self.next, now),
        }
        self.load_changed(now);
    }
}
