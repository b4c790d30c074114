use std::collections::VecDeque;

use super::{
    Duplicates, IdSpread, IdUse, Inbound, Incoming, KeptBytes, MOST_BYTES, MOST_EVENTS, Owner,
    TrackSet, TrackWait,
    alarm::Alarm,
    bounds::MOST_ENDS,
    cursor::{Candidate, Cursor},
    deliveries::{Deliveries, Relation},
    kept::{KeptEvent, Repetition},
    waiters::Waiters,
};

/// What is in an inbox.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// In the order of arrival; their numbers rise.
    events: VecDeque<KeptEvent>,
    bytes: KeptBytes,
    next_number: u64,
    deliveries: Deliveries,
    /// In a box, because most chats have none.
    duplicates: Option<Box<Duplicates>>,
    /// Events that were given up because too many came; no inbox lives long enough for more.
    fell_out: u32,
    is_closed: bool,
    /// The number of the latest one.
    waits: u32,
    waiters: Waiters,
    /// That of the wait that was over last.
    alarm: Option<Alarm>,
}

/// An event that a wait has taken.
#[derive(Debug)]
pub(super) struct TakenEvent {
    pub(super) inbound: Inbound,
    /// Another track has taken it before.
    pub(super) is_settled: bool,
}

impl Content {
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn fell_out(&self) -> usize {
        self.fell_out as usize
    }

    pub(super) fn duplicates(&self) -> Duplicates {
        self.duplicates.as_deref().cloned().unwrap_or_default()
    }

    /// Keeps an event unless it is the redelivery of an earlier one, and settles what need not be kept.
    pub(super) fn push(&mut self, incoming: Incoming, spread: IdSpread, owner: &Owner) -> IdUse {
        let mut id_use = match spread {
            IdSpread::OneChat => IdUse::Identifies,
            IdSpread::SeveralChats => IdUse::Repeats,
        };
        let mut repeats = None;
        if let Some(identity) = incoming.identity {
            let arrived = incoming.inbound.arrived;
            let run = incoming.through.number;
            match self.deliveries.note(&identity, arrived, run) {
                Relation::New => {}
                Relation::OtherContent => id_use = IdUse::Repeats,
                Relation::Equal {
                    repeated,
                    ids_repeat,
                } if ids_repeat || id_use == IdUse::Repeats => {
                    let id = identity.id;
                    repeats = Some(Box::new(Repetition { repeated, id }));
                }
                Relation::Equal { repeated, .. } => {
                    self.duplicates.get_or_insert_default().note(&identity.id);
                    owner.settle(repeated.fate);
                    return id_use;
                }
            }
        }
        self.keep(incoming.inbound, repeats, owner);
        id_use
    }

    /// Keeps a frame or the end of a connection, unless it is closed: what comes then is for nobody.
    pub(super) fn push_of_connection(&mut self, inbound: Inbound, owner: &Owner) {
        if self.is_closed {
            return;
        }
        if inbound.source.is_end() {
            self.give_up_first_end();
        }
        self.keep(inbound, None, owner);
    }

    fn keep(&mut self, inbound: Inbound, repeats: Option<Box<Repetition>>, owner: &Owner) {
        let kept = KeptEvent {
            number: self.next_number,
            inbound,
            repeats,
            is_no_departure: false,
            taken_by: TrackSet::default(),
        };
        self.bytes.add(&kept.inbound, kept.besides());
        self.events.push_back(kept);
        self.next_number += 1;
        self.give_up_oldest(owner);
    }

    /// Makes room for one more end of a connection: few are kept, because none falls out otherwise.
    fn give_up_first_end(&mut self) {
        let mut ends = (self.events.iter().enumerate()).filter(|(_, kept)| kept.is_end());
        let first = ends.next().map(|(at, _)| at);
        if let Some(first) = first
            && ends.count() + 1 >= MOST_ENDS
            && let Some(gone) = self.events.remove(first)
        {
            self.bytes.remove(&gone.inbound, gone.besides());
        }
    }

    fn give_up_oldest(&mut self, owner: &Owner) {
        while let Some(gone) = self.surplus().and_then(|at| self.events.remove(at)) {
            self.bytes.remove(&gone.inbound, gone.besides());
            if gone.taken_by.is_empty() {
                self.fell_out = self.fell_out.saturating_add(1);
                owner.fell_out(gone.inbound.source, gone.fate_if_left());
            }
        }
    }

    /// The position of the entry to give up next, if there are too many: the oldest frame, and where there is none the
    /// oldest event of a callback. The latest entry stays, however large it is; a frame that is the latest takes no room
    /// from events of callbacks.
    fn surplus(&self) -> Option<usize> {
        let is_over = |count, bytes| count > MOST_EVENTS || bytes > MOST_BYTES;
        let (count, bytes) = (self.events.len(), self.bytes.total());
        if !is_over(count, bytes) {
            return None;
        }
        let latest = self.events.iter().rposition(|kept| !kept.is_end())?;
        let oldest = |of: fn(&KeptEvent) -> bool| self.events.range(..latest).position(of);
        if let Some(frame) = oldest(KeptEvent::is_frame) {
            return Some(frame);
        }
        let last = &self.events[latest];
        let needs_room =
            !last.is_frame() || is_over(count - 1, bytes - last.inbound.bytes - last.besides());
        needs_room.then(|| oldest(|kept| !kept.is_end())).flatten()
    }

    /// The next entry that may decide the wait of a cursor.
    pub(super) fn next(&mut self, cursor: &mut Cursor) -> Option<Candidate> {
        if let Some(number) = cursor.take_no_departure()
            && let Some(at) = self.position(number)
        {
            self.events[at].is_no_departure = true;
        }
        let next = cursor.next_number();
        let from = self.events.partition_point(|kept| kept.number < next);
        self.events.range(from..).find_map(|kept| cursor.pass(kept))
    }

    /// Whether there are events that a cursor has not passed.
    pub(super) fn has_more(&self, cursor: &Cursor) -> bool {
        let latest = self.events.back();
        latest.is_some_and(|latest| latest.number >= cursor.next_number())
    }

    /// The number of a wait that begins.
    pub(super) fn begin_wait(&mut self) -> u32 {
        self.waits = self.waits.wrapping_add(1);
        self.waits
    }

    /// Those who are woken by what comes.
    pub(super) fn waiters(&mut self) -> &mut Waiters {
        &mut self.waiters
    }

    /// The timer that an earlier wait has left, if no other one has it.
    pub(super) fn take_alarm(&mut self) -> Option<Alarm> {
        self.alarm.take()
    }

    /// Keeps the timer of a wait that is over for the next one.
    pub(super) fn leave_alarm(&mut self, alarm: Alarm) {
        if !self.is_closed {
            self.alarm = Some(alarm);
        }
    }

    /// An event that is there still.
    pub(super) fn get(&self, number: u64) -> Option<&Inbound> {
        let at = self.position(number)?;
        Some(&self.events[at].inbound)
    }

    /// Takes an event out, if it is there still. One that other tracks may take as well stays for those.
    pub(super) fn take(&mut self, number: u64, track: Option<TrackWait>) -> Option<TakenEvent> {
        let at = self.position(number)?;
        let kept = &mut self.events[at];
        let is_settled = !kept.taken_by.is_empty();
        let track = track.filter(|_| kept.inbound.source.is_callback());
        if let Some(stays) = track.and_then(|track| kept.taken_by.take(track)) {
            kept.taken_by = stays;
            return Some(TakenEvent {
                inbound: kept.inbound.clone(),
                is_settled,
            });
        }
        let inbound = self.remove(at)?;
        Some(TakenEvent {
            inbound,
            is_settled,
        })
    }

    /// Tracks that went on side by side are over: what one of them has taken is for nobody any more.
    pub(super) fn drop_taken(&mut self) {
        while let Some(at) = { self.events.iter() }.position(|kept| !kept.taken_by.is_empty()) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) -> Option<Inbound> {
        let taken = self.events.remove(at)?;
        self.bytes.remove(&taken.inbound, taken.besides());
        if self.events.is_empty() {
            // Many chats wait at a time: each without room for events that have not come.
            self.events = VecDeque::new();
        }
        Some(taken.inbound)
    }

    /// Takes no event any more; what is left is settled.
    pub(super) fn close(&mut self, owner: &Owner) {
        self.is_closed = true;
        self.alarm = None;
        for left in std::mem::take(&mut self.events) {
            if left.taken_by.is_empty() {
                owner.settle_entry(left.inbound.source, left.fate_if_left());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.events.capacity()
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.events
            .binary_search_by_key(&number, |kept| kept.number)
            .ok()
    }
}
