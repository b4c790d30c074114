//! Orders to a run in progress.

use tokio::time::Instant;

use super::RunTask;
use crate::{
    event::EndedBy,
    runner::{Order, OrderError, Stop, control::OrderRequest},
};

impl RunTask {
    /// Follows an order, and answers when that is done.
    pub(super) fn obey(&mut self, (order, answer): OrderRequest) {
        let now = Instant::now();
        self.ask(now);
        let result = self.follow(order, now);
        if result.is_ok() {
            self.load_changed(now);
        }
        // After the answer the run shows the state that the order led to.
        if self.pacing.has_begun() && !self.measured {
            self.enter_state(now);
        }
        // The receiver of the answer may be dropped.
        let _ = answer.send(result);
    }

    fn follow(&mut self, order: Order, now: Instant) -> Result<(), OrderError> {
        let finishing = self.measured || self.starts_are_over(now);
        match order {
            Order::Stop(stop, by) => {
                self.stop(stop, by, now);
                Ok(())
            }
            _ if finishing => Err(OrderError::Finishing),
            Order::Pause => {
                self.pacing.pause(now);
                Ok(())
            }
            Order::Resume => {
                if self.pacing.is_paused() {
                    self.pacing.resume(now);
                    self.begin_step();
                }
                Ok(())
            }
            Order::Rate(_) | Order::Customers(_) if self.search.is_some() => {
                Err(OrderError::Searching)
            }
            Order::Rate(rate) => self
                .pacing
                .change_rate(rate, now)
                .map(|()| self.tally.note_change(format!("rate: {rate}"))),
            Order::Customers(count) => self
                .pacing
                .change_customers(count, now)
                .map(|()| self.tally.note_change(format!("customers: {count}"))),
        }
    }

    fn stop(&mut self, stop: Stop, by: EndedBy, now: Instant) {
        let through = self.load_is_through(now);
        // Once no chat is due any more, only an end can cut something short.
        let changes_nothing = through && matches!(stop, Stop::Finish);
        if !self.measured && !changes_nothing {
            if self.course.stopped.is_none() {
                self.course.stopped = Some(by);
                self.course.stopped_late = through;
            }
            self.tally.note_end(by);
            if !through {
                self.pacing.stop_starts(self.next, now);
            }
        }
        if let Stop::End { answers, cleanup } = stop {
            self.tally.note_end_of_chats();
            self.ending.give(answers, cleanup);
        }
    }
}
