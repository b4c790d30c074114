//! The threads that answer queries, beside the one that writes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use jiff::Timestamp;
use rusqlite::{Connection, Row, Statement, named_params, types::Type};

use super::{
    database::BehaviourDatabaseError,
    orders::{DatabaseOrder, DatabaseQueue},
    record::{BehaviourRecord, BehaviourStatus},
    settings::BehaviourLimits,
};

/// A query and its count are of one state of the database. Without a status all of them count, and have to be sorted.
const COUNT: &str = "
    SELECT count(*) FROM records
    WHERE user = :user AND (:status IS NULL OR status = :status) AND stored <= :until";
const COUNT_OF_STATUS: &str = "
    SELECT count(*) FROM records WHERE user = :user AND status = :status AND stored <= :until";
const FIND: &str = "
    SELECT id, article, status, at FROM records
    WHERE user = :user AND (:status IS NULL OR status = :status) AND stored <= :until
      AND (:after IS NULL OR (at, id) > (SELECT at, id FROM records WHERE id = :after))
    ORDER BY at, id LIMIT :limit";
const FIND_OF_STATUS: &str = "
    SELECT id, article, status, at FROM records
    WHERE user = :user AND status = :status AND stored <= :until
      AND (:after IS NULL OR (at, id) > (SELECT at, id FROM records WHERE id = :after))
    ORDER BY at, id LIMIT :limit";

/// What a query asks for.
#[derive(Debug, Clone)]
pub(super) struct BehaviourQuery {
    pub user: String,
    /// Absent: of every status.
    pub status: Option<BehaviourStatus>,
    /// The record that the answer begins behind.
    pub after: Option<i64>,
    pub limit: u32,
    /// How old the state is that is looked at.
    pub stale: Option<Duration>,
}

/// What a query found.
#[derive(Debug)]
pub(super) struct Found {
    /// Of all that there are, whatever the limit.
    pub count: u64,
    /// In the order of their times, those of the same time in that of their ids.
    pub records: Vec<BehaviourRecord>,
}

type QueryOrder = DatabaseOrder<BehaviourQuery, Found>;

/// The threads, and their common queue.
pub(super) struct QueryThreads {
    pub queries: DatabaseQueue<BehaviourQuery, Found>,
    pub threads: Vec<JoinHandle<()>>,
}

/// Starts a thread for each connection; they end once the queue is dropped and everything is answered.
pub(super) fn start(
    connections: Vec<Connection>,
    limits: &BehaviourLimits,
) -> Result<QueryThreads, BehaviourDatabaseError> {
    let (sender, queue) = sync_channel(limits.queue.get() as usize);
    let queue = Arc::new(Mutex::new(queue));
    let start = |connection| {
        let queue = queue.clone();
        let thread = thread::Builder::new().name("behaviour-reader".to_owned());
        thread.spawn(move || {
            if let Err(error) =
                answer_all(&connection, &queue).map_err(BehaviourDatabaseError::from)
            {
                tracing::error!("the simulated behaviour service cannot read any more: {error}");
            }
        })
    };
    let threads = connections.into_iter().map(start).collect::<Result<_, _>>();
    let threads = threads.map_err(BehaviourDatabaseError::Thread)?;
    Ok(QueryThreads {
        queries: DatabaseQueue::new(sender, "queries"),
        threads,
    })
}

fn answer_all(
    connection: &Connection,
    queue: &Mutex<Receiver<QueryOrder>>,
) -> rusqlite::Result<()> {
    let mut any = Reading::prepare(connection, COUNT, FIND)?;
    let mut of_status = Reading::prepare(connection, COUNT_OF_STATUS, FIND_OF_STATUS)?;
    loop {
        // One of the threads waits for the next query, the others for their turn to wait.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(DatabaseOrder {
            asked,
            answer,
            _waiting,
        }) = next
        else {
            return Ok(());
        };
        let reading = match asked.status {
            None => &mut any,
            Some(_) => &mut of_status,
        };
        let found = reading.find(connection, &asked);
        // The receiver of the answer is dropped if the client has disconnected.
        let _ = answer.send(found.map_err(BehaviourDatabaseError::from));
    }
}

struct Reading<'c> {
    count: Statement<'c>,
    find: Statement<'c>,
}

impl<'c> Reading<'c> {
    fn prepare(connection: &'c Connection, count: &str, find: &str) -> rusqlite::Result<Self> {
        Ok(Self {
            count: connection.prepare(count)?,
            find: connection.prepare(find)?,
        })
    }

    fn find(&mut self, connection: &Connection, asked: &BehaviourQuery) -> rusqlite::Result<Found> {
        let BehaviourQuery {
            user, after, limit, ..
        } = asked;
        let status = asked.status.map(BehaviourStatus::as_str);
        let until = asked.stale.map_or(i64::MAX, |by| {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            Timestamp::now().as_millisecond().saturating_sub(by)
        });
        // Both are of one state; dropped, it is given up, which is nothing for one that only read.
        let _state = connection.unchecked_transaction()?;
        let of_user = named_params! { ":user": user, ":status": status, ":until": until };
        let count = self.count.query_row(of_user, |row| row.get(0))?;
        let of_page = named_params! {
            ":user": user, ":status": status, ":until": until, ":after": after, ":limit": limit,
        };
        let records = self.find.query_map(of_page, record)?;
        Ok(Found {
            count,
            records: records.collect::<rusqlite::Result<_>>()?,
        })
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<BehaviourRecord> {
    let status: String = row.get(2)?;
    let unknown =
        |column, kind| rusqlite::Error::InvalidColumnType(column, "records".to_owned(), kind);
    let status = BehaviourStatus::named(&status).ok_or_else(|| unknown(2, Type::Text))?;
    let at = Timestamp::from_millisecond(row.get(3)?).map_err(|_| unknown(3, Type::Integer))?;
    Ok(BehaviourRecord {
        id: row.get(0)?,
        user: None,
        article: row.get(1)?,
        status,
        at,
    })
}
