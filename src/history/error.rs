use std::{io, path::PathBuf, time::Duration};

use rusqlite::ErrorCode;

use crate::plain_words;

/// Why something cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder cannot be had.
    #[error(
        "cannot use the folder `{path}`: {}; give it to the user that chatprobe runs as, or change `data.directory`",
        plain_words::of_system(error)
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It was there, and the way to it leads elsewhere now.
    #[error(
        "`{0}` or its log was deleted, moved or replaced while it was in use; what was in it is gone from here, and a new one begins unless there is one in its place"
    )]
    Missing(PathBuf),
    /// Two processes would take each other's runs for interrupted ones.
    #[error("another chatprobe keeps its history in `{0}`; stop it or change `data.directory`")]
    Taken(PathBuf),
    /// A later chatprobe has written it.
    #[error(
        "`{path}` is of version {version}, which this chatprobe does not know; start the later one again, or move the file away"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
    },
    /// The database says no.
    #[error("{}", of_database(.0))]
    Database(#[from] rusqlite::Error),
    /// Something in it cannot be read or made.
    #[error("an entry is not as it should be: {}", plain_words::of_json(.0))]
    Entry(#[from] serde_json::Error),
    /// One row cannot be read, which was logged and counted; others can.
    #[error(
        "this row cannot be read: `{row}` of the table `{table}` of the history: {error}; other rows are not affected"
    )]
    Row {
        /// Its table.
        table: &'static str,
        /// What names it there.
        row: String,
        /// What is wrong with it.
        error: Box<HistoryError>,
    },
    /// The disk does not answer, or others ask for more than it can give.
    #[error("the disk did not answer within {} s; `chatprobe_history_write_seconds` shows whether it hangs", .0.as_secs())]
    Slow(Duration),
    /// The task that should have read it is gone.
    #[error("the reading was given up")]
    GivenUp,
}

/// What the database says, in plain words.
fn of_database(error: &rusqlite::Error) -> String {
    let words = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has locked the file"
        }
        Some(ErrorCode::ReadOnly) => "the file is read-only",
        Some(ErrorCode::SystemIoFailure) => "the disk failed under it",
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged",
        Some(ErrorCode::NotADatabase) => "the file is no history",
        Some(ErrorCode::DiskFull) => "no space left on the disk",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            "permission denied to this user"
        }
        Some(ErrorCode::OutOfMemory) => "out of memory",
        Some(ErrorCode::TooBig) => "it is too large for one entry",
        _ => return error.to_string(),
    };
    words.to_owned()
}

impl HistoryError {
    pub(super) fn is_damage(&self) -> bool {
        let damage = [ErrorCode::DatabaseCorrupt, ErrorCode::NotADatabase];
        self.code().is_some_and(|code| damage.contains(&code))
    }

    /// Whether the row that was read is at fault, and not the file.
    pub(super) fn is_of_row(&self) -> bool {
        match self {
            Self::Entry(_) => true,
            Self::Database(error) => matches!(
                error,
                rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::Utf8Error(..)
            ),
            _ => false,
        }
    }

    /// Whether the same entry may be written later, because it is not the entry that is at fault.
    pub(super) fn may_pass(&self) -> bool {
        let own = [
            ErrorCode::TooBig,
            ErrorCode::ConstraintViolation,
            ErrorCode::TypeMismatch,
        ];
        match self {
            Self::Entry(_) => false,
            Self::Database(_) => self.code().is_some_and(|code| !own.contains(&code)),
            _ => true,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Database(error) => error.sqlite_error_code(),
            _ => None,
        }
    }
}
