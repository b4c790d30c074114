//! The thread that alone writes to the database.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, Statement, params};
use tokio::time::Instant;

use super::{
    database::BehaviourDatabaseError,
    faults::WriteFate,
    orders::{DatabaseOrder, DatabaseQueue},
    record::{BehaviourRecord, NewBehaviour},
    settings::BehaviourLimits,
    statistics::BehaviourStatistics,
};

/// Records of one transaction.
const TOGETHER: usize = 256;
/// How often expired records are looked for.
const TIDY: Duration = Duration::from_secs(10);
/// Records that are deleted at once when there are too many: one in so many.
const DELETED_AT_ONCE: u64 = 100;

const INSERT: &str =
    "INSERT INTO records (id, user, article, status, at, stored) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// A behaviour to be stored, and what becomes of it on purpose.
pub(super) struct Storing {
    pub new: NewBehaviour,
    pub fate: WriteFate,
}

type StoringOrder = DatabaseOrder<Storing, BehaviourRecord>;

/// Starts the thread; it ends once the queue is dropped and everything is written.
pub(super) fn start(
    connection: Connection,
    limits: &BehaviourLimits,
    statistics: Arc<BehaviourStatistics>,
) -> Result<(DatabaseQueue<Storing, BehaviourRecord>, JoinHandle<()>), BehaviourDatabaseError> {
    let (sender, queue) = sync_channel(limits.queue.get() as usize);
    let counted: (u64, i64) = connection.query_row(
        "SELECT count(*), coalesce(max(id), 0) FROM records",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (records, last) = counted;
    statistics.set_records(records);
    let limits = limits.clone();
    let thread = thread::Builder::new().name("behaviour-writer".to_owned());
    let thread = thread
        .spawn(move || {
            let mut writer = Writing {
                connection: &connection,
                limits,
                statistics,
                records,
                last,
                tidied: Instant::now(),
            };
            if let Err(error) = writer.work(&queue) {
                tracing::error!("the simulated behaviour service cannot write any more: {error}");
            }
        })
        .map_err(BehaviourDatabaseError::Thread)?;
    Ok((DatabaseQueue::new(sender, "writes"), thread))
}

struct Writing<'c> {
    connection: &'c Connection,
    limits: BehaviourLimits,
    statistics: Arc<BehaviourStatistics>,
    /// In the database.
    records: u64,
    /// The last id, of a lost record too.
    last: i64,
    tidied: Instant,
}

impl Writing<'_> {
    fn work(&mut self, queue: &Receiver<StoringOrder>) -> Result<(), BehaviourDatabaseError> {
        let mut insert = self.connection.prepare(INSERT)?;
        loop {
            match queue.recv_timeout(TIDY) {
                Ok(first) => {
                    let more = queue.try_iter().take(TOGETHER - 1);
                    let batch = std::iter::once(first).chain(more).collect();
                    self.store(batch, &mut insert);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.tidied.elapsed() >= TIDY {
                self.tidied = Instant::now();
                self.or_complain(Self::delete_expired);
            }
            if self.records > u64::from(self.limits.records.get()) {
                self.or_complain(Self::delete_oldest);
            }
            self.statistics.set_records(self.records);
        }
    }

    fn or_complain(&mut self, tidy: impl FnOnce(&mut Self) -> rusqlite::Result<()>) {
        if let Err(error) = tidy(self).map_err(BehaviourDatabaseError::from) {
            tracing::warn!("records cannot be deleted: {error}");
        }
    }

    /// Stores all of them in one transaction, or none.
    fn store(&mut self, batch: Vec<StoringOrder>, insert: &mut Statement<'_>) {
        let before = self.records;
        match self.store_all(&batch, insert) {
            Ok(records) => {
                self.count(self.records - before, &batch);
                for (order, record) in batch.into_iter().zip(records) {
                    // The receiver of the answer is dropped if the client has disconnected.
                    let _ = order.answer.send(Ok(record));
                }
            }
            Err(error) => {
                self.records = before;
                let why = BehaviourDatabaseError::from(error).to_string();
                tracing::warn!("{} behaviours cannot be stored: {why}", batch.len());
                for order in batch {
                    let error = BehaviourDatabaseError::Unwritten(why.clone());
                    let _ = order.answer.send(Err(error));
                }
            }
        }
    }

    /// So many records of these behaviours were written in one transaction.
    fn count(&self, records: u64, batch: &[StoringOrder]) {
        let of = |fate| {
            batch
                .iter()
                .filter(|order| order.asked.fate == fate)
                .count() as u64
        };
        self.statistics.count(|counts| {
            counts.acknowledged += batch.len() as u64;
            counts.stored += records;
            counts.lost += of(WriteFate::Lost);
            counts.duplicated += of(WriteFate::Duplicated);
            counts.transactions += 1;
        });
    }

    fn store_all(
        &mut self,
        batch: &[StoringOrder],
        insert: &mut Statement<'_>,
    ) -> rusqlite::Result<Vec<BehaviourRecord>> {
        let connection = self.connection;
        let change = connection.unchecked_transaction()?;
        let stored = Timestamp::now().as_millisecond();
        let mut records = Vec::with_capacity(batch.len());
        for order in batch {
            let Storing { new, fate } = &order.asked;
            let copies = match fate {
                WriteFate::Lost => 0,
                WriteFate::Stored => 1,
                WriteFate::Duplicated => 2,
            };
            self.last += 1;
            let id = self.last;
            for copy in 0..copies {
                let id = id + copy;
                self.last = id;
                let status = new.status.as_str();
                let at = new.at.as_millisecond();
                insert.execute(params![id, new.user, new.article, status, at, stored])?;
                self.records += 1;
            }
            records.push(BehaviourRecord {
                id,
                user: Some(new.user.clone()),
                article: new.article.clone(),
                status: new.status,
                at: new.at,
            });
        }
        change.commit()?;
        Ok(records)
    }

    /// Ids grow with the time of storing, so what is expired comes before what is not.
    fn delete_expired(&mut self) -> rusqlite::Result<()> {
        let kept = i64::try_from(self.limits.keep.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp::now().as_millisecond().saturating_sub(kept);
        let expired = self.connection.execute(
            "DELETE FROM records WHERE id < coalesce(
                 (SELECT id FROM records WHERE stored >= ?1 ORDER BY id LIMIT 1), ?2)",
            params![since, i64::MAX],
        )?;
        self.deleted(expired);
        Ok(())
    }

    fn delete_oldest(&mut self) -> rusqlite::Result<()> {
        let limit = u64::from(self.limits.records.get());
        let deleted = self.records - limit + limit / DELETED_AT_ONCE;
        let deleted = self.connection.execute(
            "DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY id LIMIT ?1)",
            params![deleted],
        )?;
        self.deleted(deleted);
        Ok(())
    }

    fn deleted(&mut self, count: usize) {
        let count = count as u64;
        self.records = self.records.saturating_sub(count);
        self.statistics.count(|counts| counts.deleted += count);
    }
}
