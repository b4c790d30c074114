//! The statements that keep something.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{
    error::HistoryError,
    explanation::{FailureReport, KeptFailure},
    failures::KEPT,
    figures::HistoryCounters,
    hours::ProbeHour,
    joining,
    packed::pack,
    write::{OpenedChat, Write},
};
use crate::{
    event::{Mode, RunIdentity, Verdict},
    runner::{Batch, Histogram, RunRecord, RunReport, Sample, WholeSecond},
};

const SECONDS_OF_AN_HOUR: i64 = 3_600;

/// What a record has besides the report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) samples: Vec<Arc<Sample>>,
    pub(super) chat_duration: Histogram,
    pub(super) steps: BTreeMap<String, Histogram>,
    #[serde(default)]
    pub(super) batches: Vec<Batch>,
}

/// Writes one entry; how many rows it took.
pub(super) fn apply(
    change: &Transaction<'_>,
    write: &Write,
    figures: &HistoryCounters,
) -> Result<u64, HistoryError> {
    let rows = match write {
        Write::Begun(report) => begin(change, report)?,
        Write::Seconds {
            first,
            seconds,
            at_end,
            ..
        } => {
            let rows = keep_seconds(change, at_end, *first, seconds)?;
            if joining::is_due(*first, first + seconds.len() as u64) {
                joining::join_old_seconds(change, &at_end.id, figures)?;
            }
            rows
        }
        Write::Chats { opened, closed } => chats(change, opened, closed)?,
        Write::Ended(record) => end(change, record, figures)?,
        Write::Failures(failures) => keep_failures(change, failures)?,
        Write::Baseline(_) | Write::Tidy => 0,
    };
    Ok(rows as u64)
}

/// A unit variant as JSON has it, without quotes.
pub(super) fn word(value: impl Serialize) -> Result<String, HistoryError> {
    let text = serde_json::to_string(&value)?;
    Ok(text.trim_matches('"').to_owned())
}

fn begin(change: &Connection, report: &RunReport) -> Result<usize, HistoryError> {
    let mut insert = change.prepare(
        "INSERT OR IGNORE INTO runs (id, mode, name, state, report) VALUES (?, ?, ?, ?, ?)",
    )?;
    Ok(insert.execute(params![
        report.id,
        word(report.mode)?,
        report.name,
        word(report.state)?,
        serde_json::to_string(report)?,
    ])?)
}

/// With the report that these seconds, and those before, add up to.
fn keep_seconds(
    change: &Connection,
    report: &RunReport,
    first: u64,
    seconds: &[WholeSecond],
) -> Result<usize, HistoryError> {
    let mut insert = change.prepare("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?)")?;
    let mut rows = 0;
    for (number, WholeSecond { sample, batch }) in (first..).zip(seconds) {
        let histograms = batch.as_ref().map(|batch| pack(batch.latencies()));
        let sample = serde_json::to_string(sample)?;
        rows += insert.execute(params![report.id, number, sample, histograms])?;
    }
    let mut update =
        change.prepare("UPDATE runs SET state = ?2, report = ?3 WHERE id = ?1 AND rest IS NULL")?;
    update.execute(params![
        report.id,
        word(report.state)?,
        serde_json::to_string(report)?
    ])?;
    Ok(rows)
}

fn chats(
    change: &Connection,
    opened: &[OpenedChat],
    closed: &[(Arc<RunIdentity>, u64)],
) -> Result<usize, HistoryError> {
    let mut insert = change.prepare(
        "INSERT OR REPLACE INTO open_chats (run, chat, correlation, why) VALUES (?, ?, ?, ?)",
    )?;
    let mut rows = 0;
    for OpenedChat {
        run,
        chat,
        correlation,
        why,
    } in opened
    {
        let correlation: BTreeMap<&str, &str> = correlation
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let correlation = serde_json::to_string(&correlation)?;
        rows += insert.execute(params![run.id, chat, correlation, why])?;
    }
    // One that nothing closed stays open when it ends.
    let mut delete =
        change.prepare("DELETE FROM open_chats WHERE run = ? AND chat = ? AND why IS NULL")?;
    for (run, chat) in closed {
        rows += delete.execute(params![run.id, chat])?;
    }
    Ok(rows)
}

/// A burst is kept whole. A probe is added to its hour, and kept whole if it did not pass.
fn end(
    change: &Connection,
    record: &RunRecord,
    figures: &HistoryCounters,
) -> Result<usize, HistoryError> {
    let report = &record.report;
    let mut rows = 0;
    if report.mode == Mode::Probe {
        rows += add_to_hour(change, record, figures)?;
        if report.verdict == Some(Verdict::Passed) {
            return Ok(rows);
        }
    }
    let rest = Rest {
        samples: record.samples.clone(),
        chat_duration: record.chat_duration.clone(),
        steps: record.steps.clone(),
        batches: record.batches.clone(),
    };
    let mut insert = change.prepare(
        "INSERT OR REPLACE INTO runs (id, mode, name, state, report, rest) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    rows += insert.execute(params![
        report.id,
        word(report.mode)?,
        report.name,
        word(report.state)?,
        serde_json::to_string(report)?,
        serde_json::to_string(&rest)?,
    ])?;
    // They are in the record.
    for table in ["samples", "open_chats"] {
        let mut delete = change.prepare(&format!("DELETE FROM {table} WHERE run = ?"))?;
        delete.execute([&report.id])?;
    }
    Ok(rows)
}

fn add_to_hour(
    change: &Connection,
    record: &RunRecord,
    figures: &HistoryCounters,
) -> Result<usize, HistoryError> {
    let report = &record.report;
    let began = report.started_at.parse::<jiff::Timestamp>();
    let second = began.map_or(0, jiff::Timestamp::as_second);
    let hour = second - second.rem_euclid(SECONDS_OF_AN_HOUR);
    let key = params![report.name, report.scenario, report.target, hour];
    let mut query = change.prepare(
        "SELECT sums FROM probe_hours WHERE name = ? AND scenario = ? AND target = ? AND hour = ?",
    )?;
    let known = query.query_row(key, |row| Ok(sums(row)));
    let known = match rusqlite::OptionalExtension::optional(known)? {
        Some(Err(error)) => {
            figures.leave_out("probe_hours", &format!("{} at {hour}", report.name), &error);
            None
        }
        known => known.transpose()?,
    };
    let mut sums = known.unwrap_or_else(|| ProbeHour {
        hour: jiff::Timestamp::from_second(hour)
            .unwrap_or_default()
            .to_string(),
        scenario: report.scenario.clone(),
        target: report.target.clone(),
        ..ProbeHour::default()
    });
    sums.add(record);
    let sums = serde_json::to_string(&sums)?;
    let mut insert = change.prepare(
        "INSERT OR REPLACE INTO probe_hours (name, scenario, target, hour, sums) VALUES (?, ?, ?, ?, ?)",
    )?;
    Ok(insert.execute(params![
        report.name,
        report.scenario,
        report.target,
        hour,
        sums
    ])?)
}

fn sums(row: &Row<'_>) -> Result<ProbeHour, HistoryError> {
    Ok(ProbeHour::read(&row.get::<_, String>(0)?)?)
}

/// Of a run the last ones; that of a probe has one at the most.
fn keep_failures(change: &Connection, failures: &[KeptFailure]) -> Result<usize, HistoryError> {
    let mut insert =
        change.prepare("INSERT OR IGNORE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    let mut prune = change.prepare(
        "DELETE FROM failures WHERE run = ?1 AND id NOT IN \
         (SELECT id FROM failures WHERE run = ?1 ORDER BY failed_at DESC, id DESC LIMIT ?2)",
    )?;
    let mut rows = 0;
    for failure in failures {
        let report = FailureReport::of(failure);
        rows += insert.execute(params![
            report.id,
            report.run,
            report.scenario,
            report.target,
            report.mode.as_str(),
            failure.chat.failed_at.as_millisecond(),
            serde_json::to_string(&report)?,
        ])?;
        prune.execute(params![report.run, KEPT])?;
    }
    Ok(rows)
}
