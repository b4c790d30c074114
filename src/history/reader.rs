use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use rusqlite::{Connection, OptionalExtension as _, named_params, params};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Failures, ProbeHour, baselines,
    explanation::{FailureReport, FailureSummary},
    figures::Figures,
    file::{HistoryError, open_to_read, path_in},
    open_chats,
    rows::{Rest, word},
};
use crate::{
    event::{Mode, Verdict},
    runner::{Orphan, RunRecord, RunReport, RunState},
};

/// Readings at once; each has a thread and a connection.
const READERS: usize = 4;

/// What is kept. Clones share it.
#[derive(Debug, Clone)]
pub struct History {
    file: Option<Arc<Readable>>,
    failures: Arc<Failures>,
    /// For those who take secrets out of failures in memory, which takes a thread its time too.
    places: Arc<Semaphore>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            file: None,
            failures: Arc::default(),
            places: Arc::new(Semaphore::new(READERS)),
        }
    }
}

#[derive(Debug)]
struct Readable {
    path: PathBuf,
    places: Semaphore,
    figures: Arc<Figures>,
    /// To the recorder.
    requests: mpsc::Sender<baselines::Request>,
}

/// Which runs to list; the latest first.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// Only those of probes, or of bursts.
    pub mode: Option<Mode>,
    /// Only those that are so far.
    pub state: Option<RunState>,
    /// Only those of the probe or burst of this name.
    pub name: Option<String>,
    /// Only those that came to this.
    pub verdict: Option<Verdict>,
    /// Only those with this in the name of their probe or burst, or in that of their scenario.
    pub part: Option<String>,
    /// Only those with ids that are no smaller, which began then or later.
    pub since: Option<String>,
    /// Only those with smaller ids than this, which began before.
    pub before: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

/// Which failures to list; the latest first.
#[derive(Debug, Clone, Default)]
pub struct FailureQuery {
    /// Only those of this run.
    pub run: Option<String>,
    /// Only those of the probe or burst of this name.
    pub name: Option<String>,
    /// Only those of this scenario.
    pub scenario: Option<String>,
    /// Only those against this target.
    pub target: Option<String>,
    /// Only those of probes, or of bursts.
    pub mode: Option<Mode>,
    /// Only those behind the one with this id.
    pub before: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

/// Which hours of a probe to list; the latest first.
#[derive(Debug, Clone)]
pub struct HourQuery {
    /// The probe.
    pub name: String,
    /// Only those that began before, in seconds of Unix time.
    pub before: Option<i64>,
    /// So many at the most.
    pub limit: usize,
}

impl History {
    pub(super) fn in_folder(
        directory: &Path,
        failures: Arc<Failures>,
        figures: Arc<Figures>,
        requests: mpsc::Sender<baselines::Request>,
    ) -> Self {
        Self {
            file: Some(Arc::new(Readable {
                path: path_in(directory),
                places: Semaphore::new(READERS),
                figures,
                requests,
            })),
            failures,
            ..Self::default()
        }
    }

    /// What has to hear of events.
    pub fn failures(&self) -> Arc<Failures> {
        self.failures.clone()
    }

    /// Whether there is a file: without one only the last failures are kept, in memory.
    pub fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Runs that were kept; those in progress are as they were when they began.
    pub async fn runs(&self, query: RunQuery) -> Result<Vec<RunReport>, HistoryError> {
        let found = self
            .read(move |connection| runs(connection, &query))
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// What is kept of a run that is over.
    pub async fn report(&self, id: &str) -> Result<Option<RunReport>, HistoryError> {
        let id = id.to_owned();
        let found = self.read(move |connection| {
            let text: Option<String> = connection
                .query_row(
                    "SELECT report FROM runs WHERE id = ? AND rest IS NOT NULL",
                    [id],
                    |row| row.get(0),
                )
                .optional()?;
            parsed(text.as_deref())
        });
        Ok(found.await?.flatten())
    }

    /// The same with its samples and histograms.
    pub async fn record(&self, id: &str) -> Result<Option<RunRecord>, HistoryError> {
        let id = id.to_owned();
        let found = self.read(move |connection| {
            let texts: Option<(String, String)> = connection
                .query_row(
                    "SELECT report, rest FROM runs WHERE id = ? AND rest IS NOT NULL",
                    [id],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            let Some((report, rest)) = texts else {
                return Ok(None);
            };
            let rest: Rest = serde_json::from_str(&rest)?;
            Ok(Some(RunRecord {
                report: serde_json::from_str(&report)?,
                samples: rest.samples,
                chat_duration: rest.chat_duration,
                steps: rest.steps,
                batches: rest.batches,
            }))
        });
        Ok(found.await?.flatten())
    }

    /// The chats that a run left open, by their numbers: so many behind one of them. Of a run that was not
    /// interrupted, or that an earlier chatprobe put in order, only those of its report are known.
    pub async fn orphans(
        &self,
        report: &RunReport,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Orphan>, HistoryError> {
        if report.orphans_total == 0 || report.state != RunState::Interrupted {
            let behind = report.orphans.iter();
            let behind = behind.filter(|orphan| after.is_none_or(|after| orphan.chat > after));
            let mut behind: Vec<_> = behind.cloned().collect();
            behind.sort_by_key(|orphan| orphan.chat);
            behind.truncate(limit);
            return Ok(behind);
        }
        let run = report.id.clone();
        let found =
            self.read(move |connection| open_chats::list(connection, &run, after, limit as u64));
        Ok(found.await?.unwrap_or_default())
    }

    /// The hours of a probe.
    pub async fn hours(&self, query: HourQuery) -> Result<Vec<ProbeHour>, HistoryError> {
        let found = self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT sums FROM probe_hours WHERE name = ? AND hour < ? \
                 ORDER BY hour DESC, scenario, target LIMIT ?",
            )?;
            let before = query.before.unwrap_or(i64::MAX);
            let rows =
                statement.query_map(params![query.name, before, query.limit], |row| row.get(0))?;
            let texts: Vec<String> = rows.collect::<Result<_, _>>()?;
            let hours = texts.iter().map(|text| serde_json::from_str(text));
            Ok(hours.collect::<Result<_, _>>()?)
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// Failures that are kept.
    pub async fn list_failures(
        &self,
        query: FailureQuery,
    ) -> Result<Vec<FailureSummary>, HistoryError> {
        let limit = query.limit;
        let wanted = query.clone();
        let mut found = self
            .explain(move |failures| failures_in_memory(failures, &wanted))
            .await?;
        let kept = self.read(move |connection| failures(connection, &query));
        for failure in kept.await?.unwrap_or_default() {
            if !found.iter().any(|known| known.id == failure.id) {
                found.push(failure);
            }
        }
        found.sort_by(|a, b| (&b.failed_at, &b.id).cmp(&(&a.failed_at, &a.id)));
        found.truncate(limit);
        Ok(found)
    }

    /// One failure.
    pub async fn failure(&self, id: &str) -> Result<Option<FailureReport>, HistoryError> {
        let id = id.to_owned();
        let wanted = id.clone();
        let found = self.explain(move |failures| failures.find(&wanted)).await?;
        if found.is_some() {
            return Ok(found);
        }
        let found = self.read(move |connection| {
            let text: Option<String> = connection
                .query_row("SELECT failure FROM failures WHERE id = ?", [id], |row| {
                    row.get(0)
                })
                .optional()?;
            parsed(text.as_deref())
        });
        Ok(found.await?.flatten())
    }

    /// Looks at the failures in memory, on a thread where it may take its time.
    async fn explain<T: Send + 'static>(
        &self,
        explain: impl FnOnce(&Failures) -> T + Send + 'static,
    ) -> Result<T, HistoryError> {
        let _place = (self.places.acquire().await).map_err(|_| HistoryError::GivenUp)?;
        let failures = self.failures.clone();
        let explaining = tokio::task::spawn_blocking(move || explain(&failures));
        explaining.await.map_err(|_| HistoryError::GivenUp)
    }

    pub(super) fn requests(&self) -> Option<&mpsc::Sender<baselines::Request>> {
        self.file.as_ref().map(|file| &file.requests)
    }

    /// Reads on a thread where it may take its time; `None` if nothing is kept.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<Option<T>, HistoryError> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let _place = (file.places.acquire().await).map_err(|_| HistoryError::GivenUp)?;
        let file = file.clone();
        let reading = tokio::task::spawn_blocking(move || {
            if !file.path.exists() {
                return if file.figures.made.load(Ordering::Relaxed) {
                    Err(HistoryError::Missing(file.path.clone()))
                } else {
                    // It could not be made, which was logged.
                    Ok(None)
                };
            }
            read(&open_to_read(&file.path)?).map(Some)
        });
        reading.await.map_err(|_| HistoryError::GivenUp)?
    }
}

fn failures_in_memory(failures: &Failures, query: &FailureQuery) -> Vec<FailureSummary> {
    let of =
        |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let all = failures.all();
    let behind = query.before.as_ref().map(|before| {
        let at = all.iter().position(|failure| failure.id == *before);
        at.map_or(all.len(), |at| at + 1)
    });
    (all.iter().skip(behind.unwrap_or(0)))
        .filter(|failure| {
            of(&query.run, &failure.run)
                && of(&query.name, &failure.name)
                && of(&query.scenario, &failure.scenario)
                && of(&query.target, &failure.target)
                && query.mode.is_none_or(|mode| mode == failure.mode)
        })
        .map(FailureSummary::from)
        .collect()
}

fn parsed<T: serde::de::DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, HistoryError> {
    Ok(text.map(serde_json::from_str).transpose()?)
}

fn runs(connection: &Connection, query: &RunQuery) -> Result<Vec<RunReport>, HistoryError> {
    let mut statement = connection.prepare(
        "SELECT report FROM runs \
         WHERE (:before IS NULL OR id < :before) AND (:mode IS NULL OR mode = :mode) \
         AND (:state IS NULL OR state = :state) AND (:name IS NULL OR name = :name) \
         AND (:since IS NULL OR id >= :since) \
         AND (:verdict IS NULL OR json_extract(report, '$.verdict') = :verdict) \
         AND (:part IS NULL OR instr(name, :part) OR instr(json_extract(report, '$.scenario'), :part)) \
         AND rest IS NOT NULL ORDER BY id DESC LIMIT :limit",
    )?;
    let rows = statement.query_map(
        named_params! {
            ":before": query.before,
            ":mode": query.mode.map(Mode::as_str),
            ":state": query.state.map(word).transpose()?,
            ":name": query.name,
            ":since": query.since,
            ":verdict": query.verdict.map(Verdict::as_str),
            ":part": query.part,
            ":limit": query.limit,
        },
        |row| row.get(0),
    )?;
    let texts: Vec<String> = rows.collect::<Result<_, _>>()?;
    let reports = texts.iter().map(|text| serde_json::from_str(text));
    Ok(reports.collect::<Result<_, _>>()?)
}

fn failures(
    connection: &Connection,
    query: &FailureQuery,
) -> Result<Vec<FailureSummary>, HistoryError> {
    let mut statement = connection.prepare(
        "SELECT failure FROM failures \
         WHERE (:before IS NULL OR (failed_at, id) < \
             (SELECT failed_at, id FROM failures WHERE id = :before)) \
         AND (:run IS NULL OR run = :run) AND (:scenario IS NULL OR scenario = :scenario) \
         AND (:target IS NULL OR target = :target) AND (:mode IS NULL OR mode = :mode) \
         AND (:name IS NULL OR json_extract(failure, '$.name') = :name) \
         ORDER BY failed_at DESC, id DESC LIMIT :limit",
    )?;
    let rows = statement.query_map(
        named_params! {
            ":before": query.before,
            ":run": query.run,
            ":name": query.name,
            ":scenario": query.scenario,
            ":target": query.target,
            ":mode": query.mode.map(Mode::as_str),
            ":limit": query.limit,
        },
        |row| row.get(0),
    )?;
    let texts: Vec<String> = rows.collect::<Result<_, _>>()?;
    // A summary has some of the fields of the whole.
    let summaries = texts.iter().map(|text| serde_json::from_str(text));
    Ok(summaries.collect::<Result<_, _>>()?)
}
