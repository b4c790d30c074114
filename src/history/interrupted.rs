//! Runs that an earlier process began and did not end.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, Transaction, params};

use super::{
    FailureSummary,
    file::HistoryError,
    writer::{Rest, word},
};
use crate::runner::{Example, Orphan, RunReport, RunState, Sample, StepReport};

/// Orphans that a run lists.
const MOST_ORPHANS: usize = 1_000;

/// Gives every such run what its samples add up to, and the chats that it left open.
pub(super) fn conclude(connection: &mut Connection) -> Result<(), HistoryError> {
    let change = connection.transaction()?;
    let left: Vec<(String, String)> = {
        let mut query = change.prepare("SELECT id, report FROM runs WHERE rest IS NULL")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    for (id, report) in &left {
        let samples = samples(&change, id)?;
        let (orphans, open) = orphans(&change, id)?;
        let mut report: RunReport = serde_json::from_str(report)?;
        add_up(&mut report, &samples);
        report.state = RunState::Interrupted;
        report.verdict_reasons = vec![reason(open)];
        report.orphans = orphans;
        report.failures = examples(&change, id)?;
        let rest = Rest {
            samples,
            ..Rest::default()
        };
        change.execute(
            "UPDATE runs SET state = ?2, report = ?3, rest = ?4 WHERE id = ?1",
            params![
                id,
                word(report.state)?,
                serde_json::to_string(&report)?,
                serde_json::to_string(&rest)?
            ],
        )?;
        tracing::warn!(run = %id, burst = %report.name, "interrupted: the process ended under it; {open} chats may be open at the target");
    }
    // What is in the runs now must not be there twice; the rest belongs to no run.
    change.execute("DELETE FROM samples", [])?;
    change.execute("DELETE FROM open_chats", [])?;
    change.commit()?;
    Ok(())
}

fn reason(open: usize) -> String {
    let shown = if open > MOST_ORPHANS {
        format!(", of which {MOST_ORPHANS} are listed")
    } else {
        String::new()
    };
    format!(
        "the process ended under it: the figures are those of the seconds that were kept; {open} chats may still be open at the target{shown}"
    )
}

fn samples(change: &Transaction<'_>, run: &str) -> Result<Vec<Arc<Sample>>, HistoryError> {
    let mut query = change.prepare("SELECT sample FROM samples WHERE run = ? ORDER BY number")?;
    let rows = query.query_map([run], |row| row.get::<_, String>(0))?;
    let mut samples = Vec::new();
    for text in rows {
        samples.push(Arc::new(serde_json::from_str(&text?)?));
    }
    Ok(samples)
}

/// The failures of a run that are kept, as its report would have them: the oldest first.
fn examples(change: &Transaction<'_>, run: &str) -> Result<Vec<Example>, HistoryError> {
    let mut query =
        change.prepare("SELECT failure FROM failures WHERE run = ? ORDER BY failed_at, id")?;
    let rows = query.query_map([run], |row| row.get::<_, String>(0))?;
    let mut examples = Vec::new();
    for text in rows {
        let failure: FailureSummary = serde_json::from_str(&text?)?;
        examples.push(Example {
            id: failure.id,
            chat: failure.chat,
            step: failure.step,
            reason: failure.reason,
            detail: failure.detail,
            correlation: failure.correlation,
        });
    }
    Ok(examples)
}

/// The first of them, and how many there are.
fn orphans(change: &Transaction<'_>, run: &str) -> Result<(Vec<Orphan>, usize), HistoryError> {
    let count = "SELECT count(*) FROM open_chats WHERE run = ?";
    let count: usize = change.query_row(count, [run], |row| row.get(0))?;
    let mut query = change
        .prepare("SELECT chat, correlation FROM open_chats WHERE run = ? ORDER BY chat LIMIT ?")?;
    let rows = query.query_map(params![run, MOST_ORPHANS], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?))
    })?;
    let mut orphans = Vec::new();
    for row in rows {
        let (chat, correlation) = row?;
        let correlation: BTreeMap<_, _> = serde_json::from_str(&correlation)?;
        orphans.push(Orphan { chat, correlation });
    }
    Ok((orphans, count))
}

/// The counts of a report that was made when its run began.
fn add_up(report: &mut RunReport, samples: &[Arc<Sample>]) {
    let chats = &mut report.chats;
    for sample in samples {
        chats.started += sample.started;
        chats.passed += sample.passed;
        chats.failed += sample.failed;
        chats.stopped += sample.stopped;
        chats.dropped += sample.dropped;
        chats.most_in_progress = chats.most_in_progress.max(sample.in_progress);
        report.books.received += sample.received;
        let add = |(sum, step): (&mut StepReport, &crate::runner::StepSample)| {
            sum.passed += step.passed;
            sum.failed += step.failed;
        };
        report.steps.iter_mut().zip(&sample.steps).for_each(add);
    }
    let ended = chats.passed + chats.failed + chats.stopped;
    chats.in_progress = chats.started.saturating_sub(ended);
    report.elapsed_seconds = samples.last().map_or(0.0, |sample| sample.at);
}
