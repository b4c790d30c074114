//! Old seconds of a run in progress that goes on for more than four hours, joined with their neighbours.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    error::HistoryError,
    figures::HistoryCounters,
    listing::read_rows,
    packed::{pack, unpack},
};
use crate::runner::{Histogram, MOST_PIECES, Sample, joined};

/// How often, in seconds of the run, it is looked for those that are old.
const EVERY: u64 = 3_600;

/// A row of the table of seconds without its histograms.
struct Row {
    number: u64,
    sample: Sample,
}

/// Whether old seconds are to be joined now that those from the first number up to the next one were written.
pub(super) fn is_due(first: u64, next: u64) -> bool {
    next > MOST_PIECES as u64 && first / EVERY < next / EVERY
}

/// Joins the old seconds of a run: no count and no latency is lost. Rows that cannot be read stay as they are.
pub(super) fn join_old_seconds(
    change: &Connection,
    run: &str,
    figures: &HistoryCounters,
) -> Result<(), HistoryError> {
    let rows = {
        let mut query =
            change.prepare("SELECT number, sample FROM samples WHERE run = ? ORDER BY number")?;
        read_rows(query.query([run])?, "samples", usize::MAX, figures, |row| {
            Ok(Row {
                number: row.get(0)?,
                sample: serde_json::from_str(&row.get::<_, String>(1)?)?,
            })
        })?
    };
    let rows = rows.entries;
    let seconds: Vec<_> = rows.iter().map(|row| whole_seconds(&row.sample)).collect();
    for range in joined(&seconds) {
        if range.len() > 1 {
            join(change, run, &rows[range])?;
        }
    }
    Ok(())
}

/// One row in the place of the first of some.
fn join(change: &Connection, run: &str, rows: &[Row]) -> Result<(), HistoryError> {
    let Some((first, others)) = rows.split_first() else {
        return Ok(());
    };
    let mut sample = first.sample.clone();
    for row in others {
        sample.join(&row.sample);
    }
    let mut query =
        change.prepare("SELECT histograms FROM samples WHERE run = ? AND number = ?")?;
    let mut delete = change.prepare("DELETE FROM samples WHERE run = ? AND number = ?")?;
    let mut known = Vec::new();
    for row in rows {
        let key = params![run, row.number];
        let packed: Option<Option<Vec<u8>>> = query.query_row(key, |row| row.get(0)).optional()?;
        // Those of a damaged row are as if they were not there.
        known.extend(packed.flatten().and_then(|packed| unpack(&packed)));
        delete.execute(key)?;
    }
    let histograms = (!known.is_empty()).then(|| pack(merged(&known).iter()));
    let mut insert = change.prepare("INSERT INTO samples VALUES (?, ?, ?, ?)")?;
    let sample = serde_json::to_string(&sample)?;
    insert.execute(params![run, first.number, sample, histograms])?;
    Ok(())
}

/// The histograms of rows, each by its place.
fn merged(rows: &[Vec<Histogram>]) -> Vec<Histogram> {
    let places = rows.iter().map(Vec::len).max().unwrap_or_default();
    let merged = (0..places).map(|place| {
        let all: Vec<_> = rows.iter().filter_map(|row| row.get(place)).collect();
        Histogram::merged(&all)
    });
    merged.collect()
}

fn whole_seconds(sample: &Sample) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length of seconds, not negative; a damaged one counts as some other length"
    )]
    let seconds = sample.seconds.round() as u64;
    seconds.clamp(1, u64::from(u32::MAX))
}
