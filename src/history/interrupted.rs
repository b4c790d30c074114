//! Runs that an earlier process began and did not end.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{
    FailureSummary,
    error::HistoryError,
    figures::HistoryCounters,
    listing::read_rows,
    open_chats,
    packed::unpack,
    rows::{Rest, word},
};
use crate::{
    runner::{
        Batch, BatchFigures, Batches, ChatCounts, Example, HealthReport, Histogram, Orphan,
        RunReport, Sample, StepReport, StepSample, add_counts,
    },
    units::counted,
};

/// Orphans that a run lists.
const MOST_ORPHANS: usize = 1_000;
/// From this version of the file on seconds know what became of events.
const KNOWS_FATES: usize = 4;
/// From this version of the file on the report of a run in progress is that of its last second.
const KEEPS_REPORTS: usize = 5;
/// Why what the setup made is still there.
const NOT_TORN_DOWN: &str = "the process ended before the teardown was over";

/// Ends every such run as it stood at the end of its last second, with the chats that it left open. The version is
/// that of the file before it was migrated. Rows that cannot be read are left out.
pub(super) fn conclude(
    connection: &mut Connection,
    version: usize,
    figures: &HistoryCounters,
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
        let rest = rest(&report, samples, batches);
        if version < KEEPS_REPORTS {
            add_up(&mut report, &rest, version);
        }
        let open = open_at_target(&change, &id, &report, figures)?;
        let (named, total) = (open.in_progress, open.total);
        let a_second_was_kept = !rest.samples.is_empty() || report.chats != ChatCounts::default();
        cut_off(&mut report, open, a_second_was_kept);
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
        let (burst, in_progress) = (&report.name, report.chats.in_progress);
        tracing::warn!(run = %id, burst, in_progress, named, total, "interrupted: {}; `orphans` of the run lists what may be open at the target", report.verdict_reasons[0]);
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

/// The seconds of a run, and those of which the histograms are known in a few pieces.
fn seconds(
    change: &Transaction<'_>,
    run: &str,
    figures: &HistoryCounters,
) -> Result<(Vec<Arc<Sample>>, Vec<Batch>), HistoryError> {
    let mut query = change
        .prepare("SELECT number, sample, histograms FROM samples WHERE run = ? ORDER BY number")?;
    let rows = query.query([run])?;
    let mut batches = Batches::lasting(length(change, run)?);
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

/// For how long seconds of a run were kept, in seconds; nothing if the last one cannot be read.
fn length(change: &Transaction<'_>, run: &str) -> Result<f64, HistoryError> {
    let query = "SELECT sample FROM samples WHERE run = ? ORDER BY number DESC LIMIT 1";
    let last = change.query_row(query, [run], |row| Ok(row.get::<_, String>(0).ok()));
    let last: Option<Sample> =
        (last.optional()?.flatten()).and_then(|sample| serde_json::from_str(&sample).ok());
    Ok(last.map_or(0.0, |last| last.at))
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
        // Of those no histograms are kept second by second.
        ..Batch::default()
    })
}

/// What its seconds and batches come to.
fn rest(report: &RunReport, samples: Vec<Arc<Sample>>, batches: Vec<Batch>) -> Rest {
    let whole = |figures: &dyn Fn(&Batch) -> Option<&BatchFigures>| {
        let figures = batches.iter().filter_map(figures);
        Histogram::merged(&figures.map(|figures| &figures.latency).collect::<Vec<_>>())
    };
    let steps = report.steps.iter().enumerate().map(|(index, step)| {
        let latency = whole(&|batch| batch.steps.get(index));
        (step.step.clone(), latency)
    });
    Rest {
        chat_duration: whole(&|batch| Some(&batch.chats)),
        steps: steps.collect(),
        samples,
        batches,
    }
}

/// The failures of a run that are kept, as its report would have them: the oldest first.
fn examples(
    change: &Transaction<'_>,
    run: &str,
    figures: &HistoryCounters,
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
            frames: Vec::new(),
        })
    })?;
    Ok(read.entries)
}

/// What a run may have left open at its target.
struct Open {
    /// The first of them.
    listed: Vec<Orphan>,
    /// How many there are, what the setup made among them.
    total: u64,
    /// Those that are chats in progress.
    in_progress: u64,
    /// Those of them that began after the last second that was kept.
    later: u64,
}

fn open_at_target(
    change: &Transaction<'_>,
    run: &str,
    report: &RunReport,
    figures: &HistoryCounters,
) -> Result<Open, HistoryError> {
    let teardown = "UPDATE open_chats SET why = ?2 WHERE run = ?1 AND chat = 0 AND why IS NULL";
    change.execute(teardown, params![run, NOT_TORN_DOWN])?;
    // Chats are numbered as they become due. The numbers of the file end where those of SQLite do.
    let due = report.chats.started.saturating_add(report.chats.dropped);
    let due = i64::try_from(due).unwrap_or(i64::MAX);
    let count = "SELECT count(*), count(*) FILTER (WHERE why IS NULL), \
                 count(*) FILTER (WHERE why IS NULL AND chat > ?2) FROM open_chats WHERE run = ?1";
    let (total, in_progress, later) = change.query_row(count, params![run, due], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let listed = open_chats::list(change, run, None, MOST_ORPHANS, figures)?;
    Ok(Open {
        listed: listed.entries,
        total,
        in_progress,
        later,
    })
}

/// Ends the report of a run whose process ended. A chat that is open belongs to those in progress, also if it is
/// too young for any second that was kept.
fn cut_off(report: &mut RunReport, open: Open, a_second_was_kept: bool) {
    report.interrupt("the process");
    let chats = &mut report.chats;
    let in_progress = chats.in_progress.saturating_add(open.later);
    chats.in_progress = in_progress.max(open.in_progress);
    chats.most_in_progress = chats.most_in_progress.max(chats.in_progress);
    let ended = [chats.passed, chats.failed, chats.stopped];
    chats.started = (ended.into_iter()).fold(chats.in_progress, u64::saturating_add);
    let figures = if a_second_was_kept {
        "the figures are those at the end of its last second that was kept"
    } else {
        "no second of it was kept, so nothing is known of chats that ended"
    };
    let others = if open.total > open.in_progress {
        format!(
            "; with ended chats and what the setup made, {} may be open",
            open.total
        )
    } else {
        String::new()
    };
    let listed = if open.total > MOST_ORPHANS as u64 {
        format!("; the first {MOST_ORPHANS} are listed")
    } else {
        String::new()
    };
    report.verdict_reasons.push(format!(
        "{figures}; {} in progress, {} with a known name at the target, where they may still be open{others}{listed}",
        counted(chats.in_progress, "chat"),
        open.in_progress
    ));
    if chats.started > 0 && report.first_chat_began_at.is_none() {
        report.first_chat_began_at = moment(report, report.elapsed_seconds);
    }
    report.orphans = open.listed;
    report.orphans_total = open.total;
}

/// The figures of a report that was made when its run began.
fn add_up(report: &mut RunReport, rest: &Rest, version: usize) {
    let samples = &rest.samples;
    report.chat_duration = rest.chat_duration.quantiles();
    for step in &mut report.steps {
        let latency = rest.steps.get(&step.step);
        step.latency = latency.map(Histogram::quantiles).unwrap_or_default();
    }
    let chats = &mut report.chats;
    for sample in samples {
        chats.started += sample.started;
        chats.passed += sample.passed;
        chats.failed += sample.failed;
        chats.stopped += sample.stopped;
        chats.dropped += sample.dropped;
        chats.most_in_progress = chats.most_in_progress.max(sample.in_progress);
        report.events.received += sample.received;
        add_counts(&mut chats.failed_by_reason, &sample.failed_by_reason);
        add_counts(&mut report.events.by_fate, &sample.by_fate);
        let add = |(sum, step): (&mut StepReport, &StepSample)| {
            sum.passed += step.passed;
            sum.failed += step.failed;
            sum.stopped += step.stopped;
            add_counts(&mut sum.failed_by_reason, &step.failed_by_reason);
        };
        report.steps.iter_mut().zip(&sample.steps).for_each(add);
    }
    let events = &mut report.events;
    let settled: u64 = events.by_fate.values().sum();
    if version >= KNOWS_FATES {
        events.waiting = events.received.saturating_sub(settled);
    }
    report.machine =
        HealthReport::of_samples(&samples.iter().filter_map(|sample| sample.machine.as_ref()));
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
