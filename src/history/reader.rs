use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension as _};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Baseline, BaselineError, FailureQuery, Failures, HourQuery, Listing, ProbeHour, RunQuery,
    baselines::{self, BaselineChange, BaselineChangeRequest},
    error::HistoryError,
    explanation::{FailureReport, FailureSummary},
    figures::HistoryCounters,
    listing::of_row,
    open_chats,
    reading::{Readable, Readers},
    rows::Rest,
};
use crate::runner::{Orphan, RunRecord, RunReport, RunState};

/// How long whoever asks for a change waits for the disk.
const MOST_TIME_OF_CHANGES: Duration = Duration::from_secs(10);

/// What is kept. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub(super) file: Option<Arc<Readable>>,
    failures: Arc<Failures>,
    /// For those who take secrets out of failures in memory, which takes a thread its time too, and no disk.
    explainers: Readers,
}

impl History {
    pub(super) fn in_folder(
        directory: &Path,
        failures: Arc<Failures>,
        figures: Arc<HistoryCounters>,
        named: Arc<baselines::Named>,
        requests: mpsc::Sender<BaselineChangeRequest>,
    ) -> Self {
        let file = Readable::new(directory, figures, named, requests);
        Self {
            file: Some(Arc::new(file)),
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

    /// Which runs have names, by these, as far as it is known without the disk.
    pub fn named_runs(&self) -> BTreeMap<String, String> {
        let file = self.file.as_ref();
        file.map(|file| file.named.all()).unwrap_or_default()
    }

    /// Runs that were kept; those in progress are as they were when they began.
    pub async fn runs(&self, query: RunQuery) -> Result<Listing<RunReport>, HistoryError> {
        let found = self.read(move |connection, figures| query.read(connection, figures));
        Ok(found.await?.unwrap_or_default())
    }

    /// What is kept of a run that is over.
    pub async fn report(&self, id: &str) -> Result<Option<RunReport>, HistoryError> {
        let id = id.to_owned();
        let found = self.read(move |connection, figures| report(connection, &id, figures));
        Ok(found.await?.flatten())
    }

    /// The same with its samples and histograms; without them if they cannot be read.
    pub async fn record(&self, id: &str) -> Result<Option<RunRecord>, HistoryError> {
        let id = id.to_owned();
        let found = self.read(move |connection, figures| {
            let Some(report) = report(connection, &id, figures)? else {
                return Ok(None);
            };
            let rest = one(connection, "SELECT rest FROM runs WHERE id = ?", &id);
            let rest = rest.unwrap_or_else(|error| {
                figures.leave_out("runs", &id, &error);
                None
            });
            Ok(Some((report, rest)))
        });
        Ok(found.await?.flatten().map(record))
    }

    /// The chats that a run left open, by their numbers: so many behind one of them. Of a run that was not
    /// interrupted, or that an earlier chatprobe put in order, only those of its report are known.
    pub async fn orphans(
        &self,
        report: &RunReport,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Listing<Orphan>, HistoryError> {
        if report.orphans_total == 0 || report.state != RunState::Interrupted {
            let behind = report.orphans.iter();
            let behind = behind.filter(|orphan| after.is_none_or(|after| orphan.chat > after));
            let mut entries: Vec<_> = behind.cloned().collect();
            entries.sort_by_key(|orphan| orphan.chat);
            entries.truncate(limit);
            return Ok(Listing {
                entries,
                ..Listing::default()
            });
        }
        let run = report.id.clone();
        let found = self.read(move |connection, figures| {
            open_chats::list(connection, &run, after, limit, figures)
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// The hours of a probe.
    pub async fn hours(&self, query: HourQuery) -> Result<Listing<ProbeHour>, HistoryError> {
        let found = self.read(move |connection, figures| query.read(connection, figures));
        Ok(found.await?.unwrap_or_default())
    }

    /// Failures that are kept. If the file cannot be read, those in memory, and why there are no others.
    pub async fn list_failures(
        &self,
        query: FailureQuery,
    ) -> Result<Listing<FailureSummary>, HistoryError> {
        let limit = query.limit;
        let wanted = query.clone();
        let in_memory = self.explain(move |failures| wanted.of(&failures.all()));
        let mut found = in_memory.await?;
        let kept = self.read(move |connection, figures| query.read(connection, figures));
        let mut listing = match kept.await {
            Ok(kept) => kept.unwrap_or_default(),
            Err(error) if found.is_empty() => return Err(error),
            Err(error) => Listing {
                broken_off: Some(error.to_string()),
                ..Listing::default()
            },
        };
        for failure in listing.entries {
            if !found.iter().any(|known| known.id == failure.id) {
                found.push(failure);
            }
        }
        found.sort_by(|a, b| (&b.failed_at, &b.id).cmp(&(&a.failed_at, &a.id)));
        found.truncate(limit);
        listing.entries = found;
        Ok(listing)
    }

    /// One failure.
    pub async fn failure(&self, id: &str) -> Result<Option<FailureReport>, HistoryError> {
        let id = id.to_owned();
        let wanted = id.clone();
        let found = self.explain(move |failures| failures.find(&wanted)).await?;
        if found.is_some() {
            return Ok(found);
        }
        let found = self.read(move |connection, figures| {
            let found = one(connection, "SELECT failure FROM failures WHERE id = ?", &id);
            of_row(found, "failures", &id, figures)
        });
        Ok(found.await?.flatten())
    }

    /// Every run with a name, by its name.
    pub async fn baselines(&self) -> Result<Listing<Baseline>, HistoryError> {
        let found = self.read(baselines::list);
        Ok(found.await?.unwrap_or_default())
    }

    /// The run of this name.
    pub async fn baseline(&self, name: &str) -> Result<Option<Baseline>, HistoryError> {
        let name = name.to_owned();
        let found =
            self.read(move |connection, figures| baselines::find(connection, &name, figures));
        Ok(found.await?.flatten())
    }

    /// Gives a run that has ended a name; the id of the run that had it before, if one had. The run stays
    /// as long as it has it.
    pub async fn set_baseline(
        &self,
        name: &str,
        run: &str,
    ) -> Result<Option<String>, BaselineError> {
        let (name, run) = (name.to_owned(), run.to_owned());
        self.change(BaselineChange::Set { name, run }).await
    }

    /// Takes the name from its run.
    pub async fn delete_baseline(&self, name: &str) -> Result<Option<String>, BaselineError> {
        let name = name.to_owned();
        self.change(BaselineChange::Delete { name }).await
    }

    async fn change(&self, change: BaselineChange) -> Result<Option<String>, BaselineError> {
        let file = self.file.as_ref().ok_or(BaselineError::NotKept)?;
        let (answer, answered) = oneshot::channel();
        let request = BaselineChangeRequest { change, answer };
        let changed = async {
            let sent = file.requests.send(request).await;
            sent.map_err(|_| BaselineError::ShuttingDown)?;
            answered.await.map_err(|_| BaselineError::ShuttingDown)?
        };
        let changed = timeout(MOST_TIME_OF_CHANGES, changed).await;
        changed.unwrap_or(Err(BaselineError::Slow(MOST_TIME_OF_CHANGES)))
    }

    /// Looks at the failures in memory, on a thread where it may take its time.
    async fn explain<T: Send + 'static>(
        &self,
        explain: impl FnOnce(&Failures) -> T + Send + 'static,
    ) -> Result<T, HistoryError> {
        let failures = self.failures.clone();
        self.explainers.read(move || explain(&failures)).await
    }

    /// Reads on a thread where it may take its time; `None` if nothing is kept.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &HistoryCounters) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<Option<T>, HistoryError> {
        match &self.file {
            Some(file) => file.read(read).await,
            None => Ok(None),
        }
    }
}

fn report(
    connection: &Connection,
    id: &str,
    figures: &HistoryCounters,
) -> Result<Option<RunReport>, HistoryError> {
    let query = "SELECT report FROM runs WHERE id = ? AND rest IS NOT NULL";
    of_row(one(connection, query, id), "runs", id, figures)
}

/// The one text that a query finds for an id, read as JSON.
fn one<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    query: &str,
    id: &str,
) -> Result<Option<T>, HistoryError> {
    let text: Option<String> = connection
        .query_row(query, [id], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().map(serde_json::from_str).transpose()?)
}

fn record((report, rest): (RunReport, Option<Rest>)) -> RunRecord {
    let Some(rest) = rest else {
        return RunRecord::from(report);
    };
    RunRecord {
        report,
        samples: rest.samples,
        chat_duration: rest.chat_duration,
        steps: rest.steps,
        batches: rest.batches,
    }
}
