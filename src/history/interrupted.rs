//! Runs that an earlier process began and did not end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::{Connection, Transaction, params};

use super::{
    FailureSummary,
    error::HistoryError,
    figures::Figures,
    hours::add_counts,
    listing::read_rows,
    open_chats,
    packed::unpack,
    rows::{Rest, word},
};
use crate::runner::{
    Batch, BatchFigures, Batches, Example, HealthReport, Histogram, Orphan, RunReport, RunState,
    Sample, StepReport, StepSample,
};

/// Orphans that a run lists.
const MOST_ORPHANS: usize = 1_000;
/// From this version of the file on seconds know what became of events.
const KNOWS_FATES: usize = 4;

/// Gives every such run what its samples add up to, and the chats that it left open. The version is that
/// of the file before it was migrated. Rows that cannot be read are left out.
pub(super) fn conclude(
    connection: &mut Connection,
    version: usize,
    figures: &Figures,
) -> Result<(), HistoryError> {
    let change = connection.transaction()?;
    let left = {
        let mut query = change.prepare("SELECT id, report FROM runs WHERE rest IS NULL")?;
        read_rows(query.query([])?, "runs", usize::MAX, figures, |row| {
            let report: RunReport = serde_json::from_str(&row.get::<_, String>(1)?)?;
            Ok((row.get::<_, String>(0)?, report))
        })?
    };
    for (id, mut report) in left.entries {
        let (samples, batches) = seconds(&change, &id, figures)?;
        let (orphans, open) = orphans(&change, &id, figures)?;
        add_up(&mut report, &samples, version);
        let rest = rest(&mut report, samples, batches);
        report.state = RunState::Interrupted;
        report.verdict_reasons = vec![reason(open)];
        report.orphans = orphans;
        report.orphans_total = open;
        report.failures = examples(&change, &id, figures)?;
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
    // What could not be read would otherwise be in progress for ever, and never too old.
    change.execute(
        "UPDATE runs SET state = 'interrupted', rest = '' WHERE rest IS NULL",
        [],
    )?;
    // The seconds are in the runs now and must not be there twice; other chats belong to no run.
    change.execute("DELETE FROM samples", [])?;
    change.execute(
        "DELETE FROM open_chats WHERE run NOT IN (SELECT id FROM runs)",
        [],
    )?;
    change.commit()?;
    Ok(())
}

fn reason(open: u64) -> String {
    let shown = if open > MOST_ORPHANS as u64 {
        format!(", of which {MOST_ORPHANS} are listed")
    } else {
        String::new()
    };
    format!(
        "the process ended under it: the figures are those of the seconds that were kept; {open} chats may still be open at the target{shown}"
    )
}

/// The seconds of a run, and those of which the histograms are known in a few pieces.
fn seconds(
    change: &Transaction<'_>,
    run: &str,
    figures: &Figures,
) -> Result<(Vec<Arc<Sample>>, Vec<Batch>), HistoryError> {
    let mut query = change
        .prepare("SELECT number, sample, histograms FROM samples WHERE run = ? ORDER BY number")?;
    let rows = query.query([run])?;
    let mut batches = Batches::default();
    let samples = read_rows(rows, "samples", usize::MAX, figures, |row| {
        let sample: Sample = serde_json::from_str(&row.get::<_, String>(1)?)?;
        // Those of a damaged row are as if they were not there.
        let histograms = row.get::<_, Option<Vec<u8>>>(2).ok().flatten();
        if let Some(batch) = histograms.and_then(|bytes| batch(&sample, &bytes)) {
            batches.add(&batch);
        }
        Ok(Arc::new(sample))
    })?;
    Ok((samples.entries, batches.all()))
}

/// `None` if the histograms cannot be read, as if they were not there.
fn batch(sample: &Sample, histograms: &[u8]) -> Option<Batch> {
    let mut histograms = unpack(histograms)?.into_iter();
    let mut figures = |failed| {
        let latency = histograms.next()?;
        Some(BatchFigures { latency, failed })
    };
    Some(Batch {
        seconds: sample.seconds,
        chats: figures(sample.failed)?,
        steps: (sample.steps.iter())
            .map(|step| figures(step.failed))
            .collect::<Option<_>>()?,
    })
}

/// What its batches come to.
fn rest(report: &mut RunReport, samples: Vec<Arc<Sample>>, batches: Vec<Batch>) -> Rest {
    let whole = |figures: &dyn Fn(&Batch) -> Option<&BatchFigures>| {
        let figures = batches.iter().filter_map(figures);
        Histogram::merged(&figures.map(|figures| &figures.latency).collect::<Vec<_>>())
    };
    let chat_duration = whole(&|batch| Some(&batch.chats));
    report.chat_duration = chat_duration.quantiles();
    let mut steps = BTreeMap::new();
    for (place, step) in report.steps.iter_mut().enumerate() {
        let latency = whole(&|batch| batch.steps.get(place));
        step.latency = latency.quantiles();
        steps.insert(step.step.clone(), latency);
    }
    Rest {
        samples,
        chat_duration,
        steps,
        batches,
    }
}

/// The failures of a run that are kept, as its report would have them: the oldest first.
fn examples(
    change: &Transaction<'_>,
    run: &str,
    figures: &Figures,
) -> Result<Vec<Example>, HistoryError> {
    let mut query =
        change.prepare("SELECT id, failure FROM failures WHERE run = ? ORDER BY failed_at, id")?;
    let rows = query.query([run])?;
    let read = read_rows(rows, "failures", usize::MAX, figures, |row| {
        let failure: FailureSummary = serde_json::from_str(&row.get::<_, String>(1)?)?;
        Ok(Example {
            id: failure.id,
            chat: failure.chat,
            step: failure.step,
            reason: failure.reason,
            detail: failure.detail,
            correlation: failure.correlation,
        })
    })?;
    Ok(read.entries)
}

/// The first of them, and how many there are.
fn orphans(
    change: &Transaction<'_>,
    run: &str,
    figures: &Figures,
) -> Result<(Vec<Orphan>, u64), HistoryError> {
    let count = "SELECT count(*) FROM open_chats WHERE run = ?";
    let count: u64 = change.query_row(count, [run], |row| row.get(0))?;
    let listed = open_chats::list(change, run, None, MOST_ORPHANS, figures)?;
    Ok((listed.entries, count))
}

/// The counts of a report that was made when its run began.
fn add_up(report: &mut RunReport, samples: &[Arc<Sample>], version: usize) {
    let chats = &mut report.chats;
    for sample in samples {
        chats.started += sample.started;
        chats.passed += sample.passed;
        chats.failed += sample.failed;
        chats.stopped += sample.stopped;
        chats.dropped += sample.dropped;
        chats.most_in_progress = chats.most_in_progress.max(sample.in_progress);
        report.books.received += sample.received;
        add_counts(&mut chats.failed_by_reason, &sample.failed_by_reason);
        add_counts(&mut report.books.by_fate, &sample.by_fate);
        let add = |(sum, step): (&mut StepReport, &StepSample)| {
            sum.passed += step.passed;
            sum.failed += step.failed;
            sum.stopped += step.stopped;
            add_counts(&mut sum.failed_by_reason, &step.failed_by_reason);
        };
        report.steps.iter_mut().zip(&sample.steps).for_each(add);
    }
    let books = &mut report.books;
    let settled: u64 = books.by_fate.values().sum();
    if version >= KNOWS_FATES {
        books.waiting = books.received.saturating_sub(settled);
    }
    report.machine = HealthReport::of_samples(samples);
    let ended = chats.passed + chats.failed + chats.stopped;
    chats.in_progress = chats.started.saturating_sub(ended);
    report.elapsed_seconds = samples.last().map_or(0.0, |sample| sample.at);
    let first = samples.iter().find(|sample| sample.started > 0);
    let ended = |sample: &Sample| sample.passed + sample.failed + sample.stopped;
    let last = samples.iter().rfind(|sample| ended(sample) > 0);
    report.first_chat_began_at =
        first.and_then(|sample| moment(report, sample.at - sample.seconds));
    report.last_chat_ended_at = last.and_then(|sample| moment(report, sample.at));
}

/// So many seconds after the run began.
fn moment(report: &RunReport, seconds: f64) -> Option<String> {
    let began: jiff::Timestamp = report.started_at.parse().ok()?;
    let after = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    Some(began.checked_add(after).ok()?.to_string())
}
