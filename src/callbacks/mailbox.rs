use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{Inbound, line::Line, owner::Owner};
use crate::event::Fate;

/// Events that one chat keeps at the most; beyond it the oldest is given up as ignored.
const MOST_EVENTS: usize = 1_000;
/// Identities of events that one chat remembers, to tell duplicates.
const MOST_IDENTITIES: usize = 1_000;

/// Where the events of one chat wait to be asked for. Whatever is left when it is dropped is
/// settled as ignored, and what comes later for its keys is late.
#[derive(Debug)]
pub struct Mailbox {
    line: Arc<Line>,
    pub(super) slot: Arc<Slot>,
    keys: Vec<String>,
}

/// The part of a mailbox that the exchange delivers to.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) owner: Arc<Owner>,
    content: Mutex<Content>,
    arrival: Notify,
}

#[derive(Debug, Default)]
struct Content {
    events: VecDeque<Inbound>,
    /// The first so many of them do not decide the wait in progress.
    passed_over: usize,
    identities: HashSet<String>,
}

/// Why a key could not be claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another chat holds the key `{0}`: the target gave the same one to two chats at a time")]
pub struct ClaimError(pub(super) String);

/// Why a wait did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// No matching event in time.
    #[error("no such event in time{}", describe(.passed_over, .too_early))]
    Timeout {
        /// Events that were there and did not match.
        passed_over: usize,
        /// Events that matched but came before the request that they would answer was sent.
        too_early: usize,
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

impl Slot {
    /// Keeps an event, unless it has come before.
    pub(super) fn put(&self, inbound: Inbound) {
        let overflow = {
            let mut content = self.content();
            if let Some(id) = &inbound.id {
                if content.identities.contains(id) {
                    drop(content);
                    self.owner.settle(Fate::Duplicate);
                    return;
                }
                if content.identities.len() < MOST_IDENTITIES {
                    content.identities.insert(id.clone());
                }
            }
            content.events.push_back(inbound);
            let overflow = content.events.len() > MOST_EVENTS;
            if overflow {
                content.events.pop_front();
                content.passed_over = content.passed_over.saturating_sub(1);
            }
            overflow
        };
        if overflow {
            self.owner.settle(Fate::Ignored);
        }
        self.arrival.notify_one();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // A panic elsewhere leaves a list of events, which is whole after every statement.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A wait begins: it has to look at every event.
    fn look_anew(&self) {
        self.content().passed_over = 0;
    }

    /// Looks for the first event that decides a wait, among those that it has not looked at.
    fn take(
        &self,
        since: Instant,
        deadline: Instant,
        judge: &mut impl FnMut(&Inbound) -> Match,
    ) -> Option<Result<Inbound, WaitError>> {
        let mut content = self.content();
        let events = content.events.iter().enumerate();
        let mut news = events.skip(content.passed_over);
        let found = news.find_map(|(at, inbound)| {
            let verdict = judge(inbound);
            let in_time = inbound.arrived <= deadline;
            match verdict {
                Match::Wanted if in_time && inbound.arrived >= since => Some((at, verdict)),
                // Whoever left before the request was sent does not answer it either.
                Match::Disconnected if in_time => Some((at, verdict)),
                Match::Wanted | Match::Disconnected | Match::Other => None,
            }
        });
        let Some((at, verdict)) = found else {
            content.passed_over = content.events.len();
            return None;
        };
        let inbound = content.events.remove(at)?;
        drop(content);
        self.owner.settle(Fate::Consumed);
        Some(match verdict {
            Match::Disconnected => Err(WaitError::Disconnected),
            Match::Wanted | Match::Other => Ok(inbound),
        })
    }

    fn timeout(&self, since: Instant, judge: &mut impl FnMut(&Inbound) -> Match) -> WaitError {
        let content = self.content();
        let (mut passed_over, mut too_early) = (0, 0);
        for inbound in &content.events {
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
        }
    }
}

impl Mailbox {
    pub(super) fn new(line: Arc<Line>, owner: Arc<Owner>) -> Self {
        Self {
            line,
            slot: Arc::new(Slot {
                owner,
                content: Mutex::default(),
                arrival: Notify::new(),
            }),
            keys: Vec::new(),
        }
    }

    /// From now on events with this key are for this chat, those that came already included.
    pub fn claim(&mut self, key: String) -> Result<(), ClaimError> {
        if !self.keys.contains(&key) {
            self.line.claim(&key, &self.slot)?;
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
        self.slot.look_anew();
        loop {
            // `notify_one` keeps a permit, so an arrival between the look and the wait is seen.
            if let Some(decided) = self.slot.take(since, deadline, &mut judge) {
                return decided;
            }
            tokio::select! {
                () = self.slot.arrival.notified() => {}
                () = sleep_until(deadline) => {
                    return self
                        .slot
                        .take(since, deadline, &mut judge)
                        .unwrap_or_else(|| Err(self.slot.timeout(since, &mut judge)));
                }
            }
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.line.release(&self.keys, &self.slot);
        let left = std::mem::take(&mut self.slot.content().events);
        for _ in left {
            self.slot.owner.settle(Fate::Ignored);
        }
    }
}
