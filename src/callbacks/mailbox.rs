use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Inbound,
    identity::{Deliveries, Relation, Spread},
    key_registry::KeyRegistry,
    owner::Owner,
};
use crate::event::Fate;

/// Events that one chat keeps at the most; beyond it the oldest is given up as ignored.
const MOST_EVENTS: usize = 1_000;
/// Ids of dropped events that a timeout names.
const MOST_IDS: usize = 3;
/// How much it shows of each, in characters.
const MOST_ID: usize = 80;

/// Where the events of one chat wait to be asked for. Whatever is left when it is dropped is
/// settled as ignored or as a repetition, and what comes later for its keys is late.
#[derive(Debug)]
pub struct Mailbox {
    registry: Arc<KeyRegistry>,
    pub(super) queue: Arc<EventQueue>,
    keys: Vec<String>,
    /// In a box, because a chat that waits has little room.
    kept: Box<Kept>,
}

/// Events that were taken out of the queue: waits look at them without its lock, because their
/// expressions may take long.
#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Inbound>,
    /// The first so many of them do not decide the wait in progress.
    passed_over: usize,
}

/// The part of a mailbox that the exchange delivers to.
#[derive(Debug)]
pub(super) struct EventQueue {
    pub(super) owner: Arc<Owner>,
    /// From one; unique in its registry.
    pub(super) chat: u64,
    content: Mutex<Content>,
    arrival: Notify,
}

#[derive(Debug, Default)]
struct Content {
    /// Those that the chat has not looked at.
    events: VecDeque<Inbound>,
    deliveries: Deliveries,
    /// In a box, because most chats have none.
    duplicates: Option<Box<Duplicates>>,
}

/// Why a key could not be claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another chat holds the key `{0}`: the target gave the same one to two chats at a time")]
pub struct ClaimError(pub(super) String);

/// Why a wait did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// No matching event in time.
    #[error("no such event in time{}{duplicates}", describe(.passed_over, .too_early))]
    Timeout {
        /// Events that were there and did not match.
        passed_over: usize,
        /// Events that matched but came before the request that they would answer was sent.
        too_early: usize,
        /// Events of the chat that were dropped as duplicates.
        duplicates: Duplicates,
    },
    /// The other side left.
    #[error("the other side left before such an event came")]
    Disconnected,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the message of an error has its fields by reference"
)]
fn describe(passed_over: &usize, too_early: &usize) -> String {
    let mut parts = Vec::new();
    if *passed_over > 0 {
        parts.push(format!("; {passed_over} other events came"));
    }
    if *too_early > 0 {
        parts.push(format!(
            "; {too_early} came before the latest request was sent and cannot answer it (`since:` names an earlier step)"
        ));
    }
    parts.concat()
}

/// Events that were dropped as duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// How many there were.
    pub count: usize,
    /// The ids of the first few and how often each came again.
    pub ids: Vec<(Box<str>, usize)>,
}

impl Duplicates {
    fn note(&mut self, id: &str) {
        self.count += 1;
        let shown = match id.char_indices().nth(MOST_ID) {
            Some((end, _)) => format!("{}…", &id[..end]),
            None => id.to_owned(),
        };
        let known = self.ids.iter().position(|(known, _)| **known == *shown);
        match known {
            Some(at) => self.ids[at].1 += 1,
            None if self.ids.len() < MOST_IDS => self.ids.push((shown.into(), 1)),
            None => {}
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        write!(
            f,
            "; dropped as duplicates, with the id and content of earlier events: {}, of which ",
            self.count
        )?;
        let mut named = 0;
        for (at, (id, times)) in self.ids.iter().enumerate() {
            named += times;
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{times} with the id `{id}`")?;
        }
        match self.count - named {
            0 => Ok(()),
            others => write!(f, ", {others} with other ids"),
        }
    }
}

/// What a wait makes of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is the one.
    Wanted,
    /// It says that the other side left.
    Disconnected,
    /// It is something else.
    Other,
}

impl EventQueue {
    /// Keeps an event, unless it is the redelivery of one that has come. Returns whether its id turned
    /// out not to identify it.
    pub(super) fn put(&self, mut inbound: Inbound, spread: Spread) -> bool {
        let mut content = self.content();
        let mut ambiguous = spread == Spread::SeveralChats;
        let relation = inbound.identity.as_ref().map(|identity| {
            let path = inbound.path.path;
            let relation = content.deliveries.note(identity, inbound.arrived, path);
            (relation, &identity.id)
        });
        match relation {
            Some((Relation::OtherContent, _)) => ambiguous = true,
            Some((
                Relation::Equal {
                    repeated,
                    ids_repeat,
                },
                _,
            )) if ambiguous || ids_repeat => {
                inbound.repeats = Some(repeated);
            }
            Some((Relation::Equal { repeated, .. }, id)) => {
                content.duplicates.get_or_insert_default().note(id);
                drop(content);
                self.owner.settle(repeated.fate);
                return false;
            }
            Some((Relation::New, _)) | None => {}
        }
        content.events.push_back(inbound);
        let full = content.events.len() > MOST_EVENTS;
        let given_up = full.then(|| content.events.pop_front()).flatten();
        drop(content);
        if let Some(given_up) = given_up {
            self.owner.settle(given_up.fate_if_left());
        }
        self.arrival.notify_one();
        ambiguous
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic elsewhere leaves a list of events, which is whole after every statement.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    pub(super) fn new(registry: Arc<KeyRegistry>, owner: Arc<Owner>) -> Self {
        let queue = EventQueue {
            owner,
            chat: registry.next_chat(),
            content: Mutex::default(),
            arrival: Notify::new(),
        };
        Self {
            registry,
            queue: Arc::new(queue),
            keys: Vec::new(),
            kept: Box::default(),
        }
    }

    /// From now on events with this key are for this chat, those that came already included.
    pub fn claim(&mut self, key: String) -> Result<(), ClaimError> {
        if !self.keys.contains(&key) {
            self.registry.claim(&key, &self.queue)?;
            self.keys.push(key);
        }
        Ok(())
    }

    /// The keys that were claimed.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Waits for the first event that `judge` wants and that arrived between `since` and
    /// `deadline`. Each event serves one wait.
    ///
    /// What counts is when an event arrived, not when this task looked: one that came in time is
    /// taken even if the task wakes after the deadline.
    pub async fn wait(
        &mut self,
        since: Instant,
        deadline: Instant,
        mut judge: impl FnMut(&Inbound) -> Match,
    ) -> Result<Inbound, WaitError> {
        self.kept.passed_over = 0;
        loop {
            // `notify_one` keeps a permit, so an arrival between the look and the wait is seen.
            if let Some(decided) = self.take(since, deadline, &mut judge) {
                return decided;
            }
            tokio::select! {
                () = self.queue.arrival.notified() => {}
                () = sleep_until(deadline) => {
                    return self
                        .take(since, deadline, &mut judge)
                        .unwrap_or_else(|| Err(self.timeout(since, &mut judge)));
                }
            }
        }
    }

    /// Looks for the first event that decides a wait, among those that it has not looked at.
    fn take(
        &mut self,
        since: Instant,
        deadline: Instant,
        judge: &mut impl FnMut(&Inbound) -> Match,
    ) -> Option<Result<Inbound, WaitError>> {
        // The room for them goes along: a chat that waits keeps none for what has not come.
        let mut news = std::mem::take(&mut self.queue.content().events);
        if self.kept.events.is_empty() {
            self.kept.events = news;
        } else {
            self.kept.events.append(&mut news);
        }
        let mut news = self
            .kept
            .events
            .iter()
            .enumerate()
            .skip(self.kept.passed_over);
        let found = news.find_map(|(at, inbound)| {
            let in_time = inbound.arrived <= deadline;
            if inbound.is_redelivery(since) {
                return None;
            }
            let verdict = judge(inbound);
            match verdict {
                Match::Wanted if in_time && inbound.arrived >= since => Some((at, verdict)),
                // Whoever left before the request was sent does not answer it either.
                Match::Disconnected if in_time => Some((at, verdict)),
                Match::Wanted | Match::Disconnected | Match::Other => None,
            }
        });
        let Some((at, verdict)) = found else {
            self.give_up_oldest();
            self.kept.passed_over = self.kept.events.len();
            return None;
        };
        let inbound = self.kept.events.remove(at)?;
        self.queue.owner.settle(Fate::Consumed);
        Some(match verdict {
            Match::Disconnected => Err(WaitError::Disconnected),
            Match::Wanted | Match::Other => Ok(inbound),
        })
    }

    fn give_up_oldest(&mut self) {
        let surplus = self.kept.events.len().saturating_sub(MOST_EVENTS);
        for given_up in self.kept.events.drain(..surplus) {
            self.queue.owner.settle(given_up.fate_if_left());
        }
    }

    fn timeout(&self, since: Instant, judge: &mut impl FnMut(&Inbound) -> Match) -> WaitError {
        let dropped = self.queue.content().duplicates.clone();
        let mut duplicates = dropped.map(|dropped| *dropped).unwrap_or_default();
        let (mut passed_over, mut too_early) = (0, 0);
        for inbound in &self.kept.events {
            if inbound.is_redelivery(since) {
                let id = inbound.identity.as_ref().map(|identity| &*identity.id);
                duplicates.note(id.unwrap_or_default());
                continue;
            }
            match judge(inbound) {
                Match::Wanted if inbound.arrived < since => too_early += 1,
                Match::Other => passed_over += 1,
                // They came after the deadline.
                Match::Wanted | Match::Disconnected => {}
            }
        }
        WaitError::Timeout {
            passed_over,
            too_early,
            duplicates,
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.registry.release(&self.keys, &self.queue);
        let unseen = std::mem::take(&mut self.queue.content().events);
        for left in self.kept.events.iter().chain(&unseen) {
            self.queue.owner.settle(left.fate_if_left());
        }
    }
}
