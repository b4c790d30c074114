use rusqlite::{Row, Rows, types::ValueRef};

use super::{error::HistoryError, figures::HistoryCounters};

/// Rows that were read, without those that could not be.
#[derive(Debug)]
pub struct Listing<T> {
    /// What could be read.
    pub entries: Vec<T>,
    /// Rows that could not, among these.
    pub unreadable: u64,
    /// Why there may be more: the file is damaged behind the last of these.
    pub broken_off: Option<String>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            unreadable: 0,
            broken_off: None,
        }
    }
}

impl<T> Listing<T> {
    /// What whoever gets the list has to know of it, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let unreadable = match self.unreadable {
            0 => None,
            1 => Some(
                "1 row of the history cannot be read and is left out; the log says which and why"
                    .to_owned(),
            ),
            rows => Some(format!(
                "{rows} rows of the history cannot be read and are left out; the log says which and why"
            )),
        };
        let broken_off = self
            .broken_off
            .as_ref()
            .map(|error| format!("the history cannot be read behind these: {error}"));
        unreadable.into_iter().chain(broken_off).collect()
    }
}

/// Reads rows until there are so many entries. The first column names the row.
///
/// # Errors
/// Not even one row can be had.
pub(super) fn read_rows<T>(
    mut rows: Rows<'_>,
    table: &str,
    limit: usize,
    figures: &HistoryCounters,
    mut read: impl FnMut(&Row<'_>) -> Result<T, HistoryError>,
) -> Result<Listing<T>, HistoryError> {
    let mut listing = Listing::default();
    while listing.entries.len() < limit {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => {
                let error = HistoryError::from(error);
                if listing.entries.is_empty() || !error.is_damage() {
                    return Err(error);
                }
                listing.broken_off = Some(error.to_string());
                break;
            }
        };
        match read(row) {
            Ok(entry) => listing.entries.push(entry),
            Err(error) => {
                figures.leave_out(table, &name(row), &error);
                listing.unreadable += 1;
            }
        }
    }
    Ok(listing)
}

/// What was read of the one row that somebody asked for; if the row is at fault, that is logged and counted.
pub(super) fn of_row<T>(
    read: Result<T, HistoryError>,
    table: &'static str,
    row: &str,
    figures: &HistoryCounters,
) -> Result<T, HistoryError> {
    read.map_err(|error| {
        if !error.is_of_row() {
            return error;
        }
        figures.leave_out(table, row, &error);
        HistoryError::Row {
            table,
            row: row.to_owned(),
            error: Box::new(error),
        }
    })
}

/// What a row is called, whatever stands there.
fn name(row: &Row<'_>) -> String {
    match row.get_ref(0) {
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Ok(ValueRef::Integer(number)) => number.to_string(),
        _ => "without a name".to_owned(),
    }
}
