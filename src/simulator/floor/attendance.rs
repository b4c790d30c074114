//! What agents do: pick chats up, join, write, and sometimes leave.

use std::time::Duration;

use tokio::time::Instant;

use super::Floor;
use crate::simulator::agenda::after;
use crate::simulator::engagement::{ChatStage, Draft, Timer};
use crate::simulator::events::CentreEvent;
use crate::simulator::ids::{EngagementId, Party};
use crate::simulator::statistics::End;

impl Floor {
    /// Free agents pick up the oldest waiting chats.
    pub(super) fn pick_up(&mut self, now: Instant) {
        if self.by_hand() {
            return;
        }
        while let Some(&id) = self.queue.first() {
            let Some(agent) = self.pool.take() else {
                return;
            };
            self.queue.remove(&id);
            let Some(chat) = self.chats.get_mut(&id) else {
                self.pool.release(agent);
                continue;
            };
            chat.stage = ChatStage::Joining(agent);
            let when = after(now, self.settings.join.sample(&mut chat.rng));
            self.arm(id, Timer::Join, when);
        }
    }

    pub(super) fn join(&mut self, id: EngagementId, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let ChatStage::Joining(agent) = chat.stage else {
            return;
        };
        chat.stage = ChatStage::Talking(agent);
        chat.heard = now;
        let faults = &self.faults.agents;
        if faults.write_first.hits(&mut chat.rng) {
            chat.desk.unasked += 1;
        }
        let leaves = faults
            .leave
            .as_ref()
            .filter(|leave| leave.probability.hits(&mut chat.rng))
            .map(|leave| leave.after.sample(&mut chat.rng));
        let handled = self
            .settings
            .handling
            .map(|handling| handling.sample(&mut chat.rng));
        self.emit(id, CentreEvent::AgentJoined, now);
        for (timer, delay) in [(Timer::Leave, leaves), (Timer::Handled, handled)] {
            if let Some(delay) = delay {
                self.arm(id, timer, after(now, delay));
            }
        }
        self.write_next(id, now);
    }

    /// The agent takes up the next message he owes, if he is not writing already.
    pub(super) fn write_next(&mut self, id: EngagementId, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let Some(draft) = chat.desk.take_up() else {
            return;
        };
        let thinking = match draft {
            Draft::Answer => self.settings.answer.sample(&mut chat.rng),
            Draft::Unasked => Duration::ZERO,
        };
        let typing = self.settings.typing.sample(&mut chat.rng);
        self.arm(
            id,
            Timer::Write,
            after(now, thinking.saturating_add(typing)),
        );
    }

    /// The agent has written what he had in hand.
    pub(super) fn write(&mut self, id: EngagementId, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let Some(draft) = chat.desk.draft.take() else {
            return;
        };
        chat.desk.written += 1;
        let number = chat.desk.written;
        if draft == Draft::Answer && self.faults.agents.write_twice.hits(&mut chat.rng) {
            chat.desk.unasked += 1;
        }
        let through = chat.leaving && chat.desk.is_clear();
        self.emit(id, CentreEvent::AgentMessage { number }, now);
        if through {
            self.end(id, End::Bye, now);
        } else {
            self.write_next(id, now);
        }
    }

    /// The agent leaves the customer behind.
    pub(super) fn desert(&mut self, id: EngagementId, now: Instant) {
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let ChatStage::Talking(agent) = chat.stage else {
            return;
        };
        chat.stage = ChatStage::Deserted(agent);
        if chat.leaving {
            // Nobody is left to answer the goodbye.
            self.end(id, End::Bye, now);
        } else {
            chat.desk.draft = None;
            for timer in [Timer::Write, Timer::Handled] {
                if let Some(key) = chat.timer(timer).take() {
                    self.agenda.strike(key);
                }
            }
            self.emit_left(id, Party::Agent, now);
        }
        self.release(agent, id);
        self.pick_up(now);
    }
}
