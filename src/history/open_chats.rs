use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, params};

use super::{
    error::HistoryError,
    figures::HistoryCounters,
    listing::{Listing, read_rows},
    write::{OpenedChat, Write},
};
use crate::{
    event::{Mode, RunEvent, RunIdentity, RunObserver},
    runner::Orphan,
};

/// Changes that wait to be written; a second of them is a few thousand.
const MOST_CHANGES: usize = 100_000;

/// What chats of bursts are called at their targets, from the moment at which they claim it until they
/// end, or for good if nothing closed them. Only what changed since it was last written is here.
#[derive(Debug)]
pub(super) struct OpenChats {
    pending: Mutex<Pending>,
    figures: Arc<HistoryCounters>,
}

#[derive(Debug, Default)]
struct Pending {
    /// By the address of the run's identity, which the value keeps alive.
    opened: HashMap<(usize, u64), OpenedChat>,
    closed: Vec<(Arc<RunIdentity>, u64)>,
}

impl OpenChats {
    pub(super) fn new(figures: Arc<HistoryCounters>) -> Self {
        Self {
            pending: Mutex::default(),
            figures,
        }
    }

    /// Hands over the changes; what comes back stays for the next time.
    pub(super) fn offer(&self, take: impl FnOnce(Write) -> Result<(), Write>) {
        let changes = mem::take(&mut *self.pending());
        if changes.opened.is_empty() && changes.closed.is_empty() {
            return;
        }
        let write = Write::Chats {
            opened: changes.opened.into_values().collect(),
            closed: changes.closed,
        };
        if let Err(Write::Chats { opened, closed }) = take(write) {
            let mut pending = self.pending();
            // Whatever happened meanwhile goes behind these.
            let later = mem::take(&mut *pending);
            for opened in opened {
                self.open(&mut pending, opened);
            }
            for (run, chat) in closed.into_iter().chain(later.closed) {
                self.close(&mut pending, &run, chat);
            }
            for opened in later.opened.into_values() {
                self.open(&mut pending, opened);
            }
        }
    }

    fn open(&self, pending: &mut Pending, opened: OpenedChat) {
        let key = (Arc::as_ptr(&opened.run).addr(), opened.chat);
        if pending.opened.len() >= MOST_CHANGES && !pending.opened.contains_key(&key) {
            self.figures.lose(1);
            return;
        }
        pending.opened.insert(key, opened);
    }

    fn close(&self, pending: &mut Pending, run: &Arc<RunIdentity>, chat: u64) {
        let key = (Arc::as_ptr(run).addr(), chat);
        if pending
            .opened
            .get(&key)
            .is_some_and(|opened| opened.why.is_some())
        {
            return;
        }
        pending.opened.remove(&key);
        if pending.closed.len() >= MOST_CHANGES {
            // It goes with the end of its run.
            self.figures.lose(1);
            return;
        }
        pending.closed.push((run.clone(), chat));
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Lists that are whole after every statement.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of a run that are in the file, by their numbers, behind one of them.
pub(super) fn list(
    connection: &Connection,
    run: &str,
    after: Option<u64>,
    limit: usize,
    figures: &HistoryCounters,
) -> Result<Listing<Orphan>, HistoryError> {
    let mut query = connection.prepare(
        "SELECT chat, correlation, why FROM open_chats WHERE run = ? AND chat > ? ORDER BY chat",
    )?;
    let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let rows = query.query(params![run, after])?;
    read_rows(rows, "open_chats", limit, figures, |row| {
        Ok(Orphan {
            chat: row.get(0)?,
            correlation: serde_json::from_str(&row.get::<_, String>(1)?)?,
            why: row.get(2)?,
        })
    })
}

impl RunObserver for OpenChats {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        if run.subject.mode != Mode::Burst {
            return;
        }
        match event {
            RunEvent::ChatNamed { chat, correlation } => {
                let opened = OpenedChat {
                    run: run.clone(),
                    chat: *chat,
                    correlation: correlation.clone(),
                    why: None,
                };
                self.open(&mut self.pending(), opened);
            }
            RunEvent::LeftOpen {
                chat,
                correlation,
                why,
            } => {
                let opened = OpenedChat {
                    run: run.clone(),
                    chat: *chat,
                    correlation: correlation.clone(),
                    why: Some(why.clone()),
                };
                self.open(&mut self.pending(), opened);
            }
            RunEvent::ChatEnded {
                chat, correlation, ..
            } if !correlation.is_empty() => {
                self.close(&mut self.pending(), run, *chat);
            }
            _ => {}
        }
    }
}
