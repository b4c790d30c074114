//! From what happens in a chat to events on their way: faults, order, receivers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::agenda::{Agenda, after};
use super::delivery::{Notice, Partition, Queue};
use super::due::Due;
use super::engagement::{Engagement, Parcel, Timer};
use super::event_kind::EventKind;
use super::events::{CentreEvent, EventIds};
use super::fault_shapes::{TransitFate, TransitFaults};
use super::statistics::Statistics;
use super::webhooks::Webhooks;

/// How long an event that is to be overtaken waits for the next one.
const HOLD: Duration = Duration::from_secs(1);

/// Sends the events of all chats.
#[derive(Debug)]
pub(super) struct Outbox {
    pub webhooks: Webhooks,
    queue: Arc<Queue>,
    statistics: Arc<Statistics>,
    ids: EventIds,
    /// Events on the agenda, and how many there may be.
    scheduled: usize,
    limit: usize,
}

impl Outbox {
    pub fn new(
        webhooks: Webhooks,
        queue: Arc<Queue>,
        statistics: Arc<Statistics>,
        ids: EventIds,
        limit: usize,
    ) -> Self {
        Self {
            webhooks,
            queue,
            statistics,
            ids,
            scheduled: 0,
            limit,
        }
    }

    /// Something has happened in a chat: tells of it, unless a fault interferes.
    pub fn emit(
        &mut self,
        chat: &mut Engagement,
        event: CentreEvent,
        now: Instant,
        faults: &TransitFaults<EventKind>,
        agenda: &mut Agenda<Due>,
    ) {
        let kind = event.kind();
        let fate = faults.fate(&kind, &mut chat.rng);
        self.statistics.event(kind, |counts| {
            counts.emitted += 1;
            match fate {
                TransitFate::Dropped => counts.dropped += 1,
                TransitFate::Sent { twice, late, .. } => {
                    counts.duplicated += u64::from(twice);
                    counts.delayed += u64::from(!late.is_zero());
                }
            }
        });
        let TransitFate::Sent {
            twice,
            late,
            swapped,
        } = fate
        else {
            return;
        };
        let parcel = Parcel {
            kind,
            body: event.body(chat, self.ids),
            twice,
            late,
            requested: (event == CentreEvent::AgentJoined).then_some(chat.requested),
        };
        if swapped && chat.held.is_none() && !matches!(event, CentreEvent::Left(_)) {
            chat.held = Some(parcel);
            let key = agenda.add(after(now, HOLD), Due::Chat(chat.id, Timer::Release));
            *chat.timer(Timer::Release) = Some(key);
            return;
        }
        self.dispatch(chat, parcel, now, agenda);
        if let Some(overtaken) = &chat.held {
            self.statistics
                .event(overtaken.kind, |counts| counts.reordered += 1);
        }
        self.release(chat, now, agenda);
    }

    /// Sends the event that was held back, if there is one.
    pub fn release(&mut self, chat: &mut Engagement, now: Instant, agenda: &mut Agenda<Due>) {
        if let Some(held) = chat.held.take() {
            self.dispatch(chat, held, now, agenda);
        }
        if let Some(key) = chat.timer(Timer::Release).take() {
            agenda.strike(key);
        }
    }

    /// Sends a parcel to all who want it, at the earliest when all before it in its chat have gone.
    fn dispatch(
        &mut self,
        chat: &mut Engagement,
        parcel: Parcel,
        now: Instant,
        agenda: &mut Agenda<Due>,
    ) {
        let Parcel {
            kind,
            body,
            twice,
            late,
            mut requested,
        } = parcel;
        let when = after(chat.gate.max(now), late);
        chat.gate = when;
        let receivers: Vec<_> = self.webhooks.receivers(&chat.provider, kind).collect();
        if receivers.is_empty() {
            let copies = 1 + u64::from(twice);
            self.statistics
                .event(kind, |counts| counts.unaddressed += copies);
        }
        for receiver in receivers {
            for _ in 0..=u8::from(twice) {
                let notice = Notice {
                    partition: Partition {
                        webhook: receiver.webhook,
                        chat: chat.id,
                    },
                    kind,
                    url: receiver.url.clone(),
                    body: body.clone(),
                    requested: requested.take(),
                };
                if when <= now {
                    self.post(notice);
                } else if self.scheduled < self.limit {
                    self.scheduled += 1;
                    agenda.add(when, Due::Post(notice));
                } else {
                    self.statistics
                        .event(notice.kind, |counts| counts.overflowed += 1);
                }
            }
        }
    }

    /// An event on the agenda has come due.
    pub fn post_scheduled(&mut self, notice: Notice) {
        self.scheduled -= 1;
        self.post(notice);
    }

    fn post(&self, notice: Notice) {
        let kind = notice.kind;
        if !self.queue.post(notice) {
            self.statistics.event(kind, |counts| counts.overflowed += 1);
        }
    }
}
