//! Runs that have a name: what others are held against, and kept as long as they have it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::sync::oneshot;

use super::{
    HistoryError, Listing,
    figures::HistoryCounters,
    listing::{of_row, read_rows},
};
use crate::runner::RunReport;

/// So many at the most.
const MOST: usize = 100;

/// A run that has a name.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The name.
    pub name: String,
    /// When the run got it, RFC 3339.
    pub set_at: String,
    /// The run.
    pub report: RunReport,
}

/// Why a run does not get a name, or does not lose it.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Nothing is kept.
    #[error("baselines are kept in the data directory, and there is none; set `data.directory`")]
    NotKept,
    /// The run is not in the file.
    #[error(
        "the run `{0}` is not kept: of probes only those are that did not pass, and the oldest runs go; `/api/v1/runs?mode=burst` lists others"
    )]
    NoRun(String),
    /// There is no place for another name.
    #[error("there are {MOST} baselines already; delete one that `/api/v1/baselines` lists")]
    TooMany,
    /// Nothing else could be kept.
    #[error(
        "with this run baselines would take more than half of `data.max_bytes`; delete one that `/api/v1/baselines` lists, or allow for more"
    )]
    TooLarge,
    /// There is nothing to delete.
    #[error("there is no baseline `{0}`; `/api/v1/baselines` lists those that there are")]
    NoBaseline(String),
    /// The disk hangs, or does not keep up.
    #[error(
        "the disk did not answer within {} s, and the change may still be made; look at `/api/v1/baselines` later", .0.as_secs()
    )]
    Slow(Duration),
    /// The process ends.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// The disk.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<rusqlite::Error> for BaselineError {
    fn from(error: rusqlite::Error) -> Self {
        Self::History(error.into())
    }
}

/// What is to become of a name.
#[derive(Debug)]
pub(super) enum BaselineChange {
    Set { name: String, run: String },
    Delete { name: String },
}

/// A change, and where its end is told: the id of the run that had the name before, if one had.
#[derive(Debug)]
pub(super) struct BaselineChangeRequest {
    pub(super) change: BaselineChange,
    pub(super) answer: oneshot::Sender<Result<Option<String>, BaselineError>>,
}

impl BaselineChangeRequest {
    /// The run that has to be kept before.
    pub(super) fn run(&self) -> Option<&str> {
        match &self.change {
            BaselineChange::Set { run, .. } => Some(run),
            BaselineChange::Delete { .. } => None,
        }
    }
}

/// Which runs have names, as the file had it last: known without the disk.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeMap<String, String>>);

impl Named {
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        self.runs().clone()
    }

    /// Takes over what a file has that was opened.
    pub(super) fn read(&self, connection: &Connection, figures: &HistoryCounters) {
        let read = || {
            let mut query = connection.prepare("SELECT name, run FROM baselines")?;
            read_rows(query.query([])?, "baselines", MOST, figures, |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
        };
        match read() {
            Ok(listing) => *self.runs() = listing.entries.into_iter().collect(),
            Err(error) => tracing::warn!("the baselines of the history cannot be read: {error}"),
        }
    }

    /// Follows a change that was made in the file.
    pub(super) fn follow(&self, change: BaselineChange) {
        let mut runs = self.runs();
        match change {
            BaselineChange::Set { name, run } => runs.insert(name, run),
            BaselineChange::Delete { name } => runs.remove(&name),
        };
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // A map that is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SELECT: &str = "SELECT baselines.name, set_at, report FROM baselines \
                      JOIN runs ON runs.id = baselines.run";

/// Every run with a name, by its name.
pub(super) fn list(
    connection: &Connection,
    figures: &HistoryCounters,
) -> Result<Listing<Baseline>, HistoryError> {
    let mut query = connection.prepare(&format!("{SELECT} ORDER BY baselines.name"))?;
    read_rows(query.query([])?, "baselines", MOST, figures, read)
}

/// The run of this name.
pub(super) fn find(
    connection: &Connection,
    name: &str,
    figures: &HistoryCounters,
) -> Result<Option<Baseline>, HistoryError> {
    let mut query = connection.prepare(&format!("{SELECT} WHERE baselines.name = ?"))?;
    let found = query.query_row([name], |row| Ok(read(row))).optional()?;
    of_row(found.transpose(), "baselines", name, figures)
}

fn read(row: &Row<'_>) -> Result<Baseline, HistoryError> {
    Ok(Baseline {
        name: row.get(0)?,
        set_at: row.get(1)?,
        report: serde_json::from_str(&row.get::<_, String>(2)?)?,
    })
}

/// Does it in a transaction of its own.
pub(super) fn apply(
    connection: &mut Connection,
    change: &BaselineChange,
    max_bytes: u64,
) -> Result<Option<String>, BaselineError> {
    let transaction = connection.transaction()?;
    let before = match change {
        BaselineChange::Set { name, run } => set(&transaction, name, run, max_bytes)?,
        BaselineChange::Delete { name } => Some(delete(&transaction, name)?),
    };
    transaction.commit()?;
    Ok(before)
}

fn set(
    change: &Connection,
    name: &str,
    run: &str,
    max_bytes: u64,
) -> Result<Option<String>, BaselineError> {
    let before = run_of(change, name)?;
    let exists = "SELECT EXISTS (SELECT * FROM runs WHERE id = ? AND rest IS NOT NULL)";
    let exists: bool = change.query_row(exists, [run], |row| row.get(0))?;
    if !exists {
        return Err(BaselineError::NoRun(run.to_owned()));
    }
    let mut insert = change.prepare("INSERT OR REPLACE INTO baselines VALUES (?, ?, ?)")?;
    insert.execute(params![name, run, jiff::Timestamp::now().to_string()])?;
    let count = "SELECT count(*) FROM baselines";
    let count: usize = change.query_row(count, [], |row| row.get(0))?;
    if count > MOST {
        return Err(BaselineError::TooMany);
    }
    let bytes = "SELECT coalesce(sum(octet_length(report) + octet_length(rest)), 0) FROM runs \
                 WHERE id IN (SELECT run FROM baselines)";
    let bytes: u64 = change.query_row(bytes, [], |row| row.get(0))?;
    if bytes > max_bytes / 2 {
        return Err(BaselineError::TooLarge);
    }
    Ok(before)
}

fn delete(change: &Connection, name: &str) -> Result<String, BaselineError> {
    let before = run_of(change, name)?;
    let before = before.ok_or_else(|| BaselineError::NoBaseline(name.to_owned()))?;
    change.execute("DELETE FROM baselines WHERE name = ?", [name])?;
    Ok(before)
}

fn run_of(change: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let query = "SELECT run FROM baselines WHERE name = ?";
    change.query_row(query, [name], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::{super::file::HistoryFile, *};
    use crate::testing::TemporaryFolder;

    const MAX_BYTES: u64 = 1_000_000;

    fn set_as(name: &str, run: &str) -> BaselineChange {
        BaselineChange::Set {
            name: name.to_owned(),
            run: run.to_owned(),
        }
    }

    fn insert(file: &HistoryFile, run: &str, rest: Option<&str>) {
        let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', '{}', ?)";
        file.connection.execute(insert, params![run, rest]).unwrap();
    }

    #[test]
    fn names_are_few_and_one_that_exists_can_be_given_anew() {
        let folder = TemporaryFolder::new();
        let mut file =
            HistoryFile::open(folder.path(), MAX_BYTES, &HistoryCounters::default()).unwrap();
        insert(&file, "one", Some("{}"));
        insert(&file, "other", Some("{}"));
        insert(&file, "in-progress", None);
        let mut apply = |change: &BaselineChange| apply(&mut file.connection, change, MAX_BYTES);
        for number in 0..MOST {
            let set = apply(&set_as(&format!("name-{number}"), "one"));
            assert_eq!(set.unwrap(), None, "{number}");
        }
        let refused = apply(&set_as("more", "one")).unwrap_err();
        assert!(matches!(refused, BaselineError::TooMany), "{refused}");
        let before = apply(&set_as("name-0", "other")).unwrap();
        assert_eq!(before.as_deref(), Some("one"));
        for unknown in ["in-progress", "nobody"] {
            let refused = apply(&set_as("name-0", unknown)).unwrap_err();
            assert!(matches!(refused, BaselineError::NoRun(_)), "{refused}");
        }
        let delete = BaselineChange::Delete {
            name: "name-0".to_owned(),
        };
        assert_eq!(apply(&delete).unwrap().as_deref(), Some("other"));
        let refused = apply(&delete).unwrap_err();
        assert!(matches!(refused, BaselineError::NoBaseline(_)), "{refused}");
        apply(&set_as("more", "one")).unwrap();
    }

    #[test]
    fn runs_with_names_leave_half_of_the_room_to_others() {
        let folder = TemporaryFolder::new();
        let mut file =
            HistoryFile::open(folder.path(), MAX_BYTES, &HistoryCounters::default()).unwrap();
        let rest = "x".repeat(300_000);
        insert(&file, "one", Some(&rest));
        insert(&file, "other", Some(&rest));
        let mut apply = |change: &BaselineChange| apply(&mut file.connection, change, MAX_BYTES);
        // It is there once, whatever names it has.
        apply(&set_as("a", "one")).unwrap();
        apply(&set_as("b", "one")).unwrap();
        let refused = apply(&set_as("b", "other")).unwrap_err();
        assert!(matches!(refused, BaselineError::TooLarge), "{refused}");
        let delete = BaselineChange::Delete {
            name: "a".to_owned(),
        };
        apply(&delete).unwrap();
        assert_eq!(
            apply(&set_as("b", "other")).unwrap().as_deref(),
            Some("one")
        );
    }
}
