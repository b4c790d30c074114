//! Chats that start and end.

use std::sync::Arc;

use tokio::{task::JoinError, time::Instant};

use super::RunTask;
use crate::{
    event::RunEvent,
    runner::{chat::run_chat, pacing::Wanted},
    scenario::Scope,
};

impl RunTask {
    /// A chat that has ended frees its capacity at once, however many ended together.
    pub(super) fn clear_ended(&mut self) {
        while let Some(result) = self.chats.try_join_next() {
            self.chat_ended(result);
        }
    }

    /// Takes the moment at which an ended chat began.
    pub(super) fn chat_ended(&mut self, result: Result<Instant, JoinError>) {
        if result.as_ref().is_err_and(JoinError::is_panic) {
            self.course.broken_chats += 1;
        }
        if let Some(customers) = &mut self.between_chats {
            let now = Instant::now();
            customers.begin(result.unwrap_or(now), now);
        }
    }

    pub(super) fn start_due(&mut self, scope: &Arc<Scope>, now: Instant) {
        match self.pacing.wanted(now) {
            Wanted::Started(due) => {
                let capacity = self.context.spec.capacity;
                while self.next < due {
                    let intended = self.pacing.start(self.next, now);
                    self.next += 1;
                    if capacity.is_some_and(|capacity| self.chats.len() as u64 >= capacity) {
                        self.emit(&RunEvent::ArrivalDropped);
                    } else {
                        self.start_chat(scope, intended);
                    }
                }
            }
            Wanted::Active(wanted) => {
                let customers = self.between_chats.as_mut();
                let waiting = customers.map_or(0, |customers| customers.waiting(now));
                while self.chats.len() as u64 + waiting < wanted && self.pacing.may_start(now) {
                    self.next += 1;
                    self.start_chat(scope, now);
                }
            }
        }
    }

    fn start_chat(&mut self, scope: &Arc<Scope>, intended: Instant) {
        let chat = run_chat(self.context.clone(), scope.clone(), self.next, intended);
        let began = Instant::now();
        self.chats.spawn(async move {
            chat.await;
            began
        });
    }
}
