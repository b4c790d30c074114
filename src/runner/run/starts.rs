//! Chats that start and end.

use tokio::{task::JoinError, time::Instant};

use super::{EndedChat, RunTask};
use crate::{
    event::RunEvent,
    runner::{
        barriers::Barriers,
        chat::{ChatPlace, run_chat},
        pacing::Wanted,
    },
    units::counted,
};

impl RunTask {
    /// A chat that has ended frees its capacity at once, however many ended together.
    pub(super) fn clear_ended(&mut self) {
        while let Some(result) = self.chats.try_join_next() {
            self.chat_ended(result);
        }
    }

    pub(super) fn chat_ended(&mut self, result: Result<EndedChat, JoinError>) {
        let EndedChat { began, member } = match result {
            Ok(ended) => ended,
            Err(error) => {
                self.course.broken_chats += u64::from(error.is_panic());
                return;
            }
        };
        if let Some(customers) = &mut self.members[member].between_chats {
            customers.begin(began, Instant::now());
        }
    }

    pub(super) fn start_due(&mut self, now: Instant) {
        // As if one more chat of each began: nobody leaves a barrier while some of those who are due have not started.
        self.each_barrier(Barriers::chat_begins);
        self.start_those_due(now);
        self.each_barrier(Barriers::chat_is_over);
    }

    fn each_barrier(&self, change: impl Fn(&Barriers)) {
        let barriers = self
            .members
            .iter()
            .flat_map(|member| &member.context.barriers);
        barriers.for_each(change);
    }

    fn start_those_due(&mut self, now: Instant) {
        match self.pacing.wanted(now) {
            Wanted::Started(due) => {
                let capacity = self.spec.capacity;
                while self.next < due && self.has_row(now) {
                    let intended = self.pacing.start(self.next, now);
                    self.next += 1;
                    if capacity.is_some_and(|capacity| self.chats.len() as u64 >= capacity) {
                        self.emit(&RunEvent::ArrivalDropped);
                    } else {
                        self.start_chat(intended);
                    }
                }
            }
            Wanted::Active(wanted) => {
                let customers = self
                    .members
                    .iter_mut()
                    .flat_map(|member| &mut member.between_chats);
                let waiting = customers
                    .map(|customers| customers.waiting(now))
                    .sum::<u64>();
                while self.chats.len() as u64 + waiting < wanted
                    && self.pacing.may_start(now)
                    && self.has_row(now)
                {
                    self.next += 1;
                    self.start_chat(now);
                }
            }
        }
    }

    /// Whether the next chat has a row of every file. Otherwise no more chats start.
    fn has_row(&mut self, now: Instant) -> bool {
        let turn = self.spec.mix.turn(self.next + 1);
        let member = &self.spec.mix.members()[turn.index];
        let shortest = member.chats.scenario.rows.shortest();
        let Some((source, rows)) = shortest.filter(|(_, rows)| *rows <= turn.sequence) else {
            return true;
        };
        let why = format!(
            "rows ran out: `{}` has {}, each chat takes one, and another was due; add rows, or say `take: cycle`",
            source.name,
            counted(rows, "row")
        );
        tracing::warn!(run = %self.spec.identity.id, "{why}");
        self.course.rows_ran_out = Some(why);
        self.pacing.stop_starts(self.next, now);
        self.load_changed(now);
        false
    }

    fn start_chat(&mut self, intended: Instant) {
        let turn = self.spec.mix.turn(self.next);
        let member = &self.members[turn.index];
        // Chats start once everything is set up.
        let Some(scope) = member.scope.clone() else {
            return;
        };
        let place = ChatPlace {
            number: self.next,
            ordinal: turn.sequence,
            intended,
        };
        if let Some(barriers) = &member.context.barriers {
            barriers.chat_begins();
        }
        let chat = run_chat(member.context.clone(), scope, place);
        let (began, member) = (Instant::now(), turn.index);
        self.chats.spawn(async move {
            chat.await;
            EndedChat { began, member }
        });
    }
}
