//! Places where the chats of a run wait for each other.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

/// The barriers of a run, and how many chats have to come to them.
#[derive(Debug, Default)]
pub(super) struct Barriers(Mutex<Gathering>);

#[derive(Debug, Default)]
struct Gathering {
    /// Chats whose steps are in progress.
    chats: usize,
    /// By the names of the barriers, which are those of a scenario: the meetings that have not come about.
    meetings: BTreeMap<Arc<str>, OpenMeeting>,
}

#[derive(Debug, Default)]
struct OpenMeeting {
    /// How many tracks of each chat wait.
    waiting: BTreeMap<u64, usize>,
    meeting: Arc<Meeting>,
}

/// All chats in progress at one barrier.
#[derive(Debug, Default)]
struct Meeting {
    /// When the last of them came.
    complete: OnceLock<Instant>,
    notify: Notify,
}

/// How many chats have come to a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turnout {
    pub(super) come: usize,
    /// Chats in progress.
    pub(super) of: usize,
}

/// A chat that waits at a barrier, for as long as this is there.
#[derive(Debug)]
pub(super) struct WaitingChat<'a> {
    barriers: &'a Barriers,
    name: Arc<str>,
    chat: u64,
    meeting: Arc<Meeting>,
}

impl Barriers {
    /// The steps of a chat are about to begin. It counts before its task does anything, or others would not wait for it.
    pub(super) fn chat_begins(&self) {
        self.gathering().chats += 1;
    }

    /// The steps of a chat are over: the others do not wait for it any more.
    pub(super) fn chat_is_over(&self) {
        let complete = {
            let mut gathering = self.gathering();
            gathering.chats = gathering.chats.saturating_sub(1);
            gathering.take_complete()
        };
        for meeting in complete {
            meeting.come_about();
        }
    }

    /// A chat comes to a barrier.
    pub(super) fn come(&self, name: &Arc<str>, chat: u64) -> WaitingChat<'_> {
        let (meeting, complete) = {
            let mut gathering = self.gathering();
            let open = gathering.meetings.entry(name.clone()).or_default();
            *open.waiting.entry(chat).or_default() += 1;
            let meeting = open.meeting.clone();
            (meeting, gathering.take_complete())
        };
        for meeting in complete {
            meeting.come_about();
        }
        WaitingChat {
            barriers: self,
            name: name.clone(),
            chat,
            meeting,
        }
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        // It is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathering {
    /// Takes out the meetings to which all have come.
    fn take_complete(&mut self) -> Vec<Arc<Meeting>> {
        let all = self.chats;
        let is_complete = |_: &Arc<str>, open: &mut OpenMeeting| {
            !open.waiting.is_empty() && open.waiting.len() >= all
        };
        let complete = self.meetings.extract_if(.., is_complete);
        complete.map(|(_, open)| open.meeting).collect()
    }
}

impl Meeting {
    fn come_about(&self) {
        self.complete.get_or_init(Instant::now);
        self.notify.notify_waiters();
    }
}

impl WaitingChat<'_> {
    /// When all had come, if they have.
    pub(super) fn complete(&self) -> Option<Instant> {
        self.meeting.complete.get().copied()
    }

    /// Completes once all have come. One that came about before this is polled or enabled is missed.
    pub(super) fn came_about(&self) -> Notified<'_> {
        self.meeting.notify.notified()
    }

    /// How many have come.
    pub(super) fn turnout(&self) -> Turnout {
        let gathering = self.barriers.gathering();
        let open = gathering.meetings.get(&self.name);
        Turnout {
            come: open.map_or(0, |open| open.waiting.len()),
            of: gathering.chats,
        }
    }
}

impl Drop for WaitingChat<'_> {
    /// A chat that gives up waiting has not come.
    fn drop(&mut self) {
        let mut gathering = self.barriers.gathering();
        let Some(open) = gathering.meetings.get_mut(&self.name) else {
            return;
        };
        if !Arc::ptr_eq(&open.meeting, &self.meeting) {
            return;
        }
        if let Some(tracks) = open.waiting.get_mut(&self.chat) {
            *tracks -= 1;
            if *tracks == 0 {
                open.waiting.remove(&self.chat);
            }
        }
    }
}
