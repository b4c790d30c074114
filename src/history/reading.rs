//! Readings of the file: few at once, and none for longer than somebody waits.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::{Semaphore, mpsc},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    baselines, directory::path_in, error::HistoryError, figures::HistoryCounters,
    file::open_to_read,
};

/// Readings at once; each has a thread and a connection.
const READERS: usize = 4;
/// How long a reading may take, with the wait for its turn. A read of the largest list takes a fraction
/// of it, so whoever waits longer waits for a disk that hangs.
const MOST_TIME: Duration = Duration::from_secs(3);

/// Threads that look at something where it may take its time, few at once. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READERS)))
    }
}

impl Readers {
    /// Reads on a thread, which keeps its permit until it is done, also if the caller stops waiting for it
    /// before: on a disk that hangs there are never more threads than permits.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HistoryError> {
        let reading = async {
            let permit = self.0.clone().acquire_owned().await;
            let permit = permit.map_err(|_| HistoryError::GivenUp)?;
            let reading = spawn_blocking(move || {
                let _permit = permit;
                read()
            });
            reading.await.map_err(|_| HistoryError::GivenUp)
        };
        let read = timeout(MOST_TIME, reading).await;
        read.unwrap_or(Err(HistoryError::Slow(MOST_TIME)))
    }
}

#[cfg(test)]
impl super::History {
    /// Readings of the file that could begin now.
    pub(crate) fn readers_free(&self) -> Option<usize> {
        let file = self.file.as_ref()?;
        Some(file.readers.0.available_permits())
    }
}

/// The file, for those who read.
#[derive(Debug)]
pub(super) struct Readable {
    path: PathBuf,
    readers: Readers,
    pub(super) figures: Arc<HistoryCounters>,
    /// Which run has which name.
    pub(super) named: Arc<baselines::Named>,
    /// To the recorder.
    pub(super) requests: mpsc::Sender<baselines::BaselineChangeRequest>,
}

impl Readable {
    pub(super) fn new(
        directory: &Path,
        figures: Arc<HistoryCounters>,
        named: Arc<baselines::Named>,
        requests: mpsc::Sender<baselines::BaselineChangeRequest>,
    ) -> Self {
        Self {
            path: path_in(directory),
            readers: Readers::default(),
            figures,
            named,
            requests,
        }
    }

    /// Reads over a connection of its own; `None` if there has never been a file.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &HistoryCounters) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<Option<T>, HistoryError> {
        let file = self.clone();
        let reading = self.readers.read(move || {
            if !file.path.exists() {
                return if file.figures.opened.load(Ordering::Relaxed) > 0 {
                    Err(HistoryError::Missing(file.path.clone()))
                } else {
                    // It could not be made, which was logged.
                    Ok(None)
                };
            }
            read(&open_to_read(&file.path)?, &file.figures).map(Some)
        });
        let read = reading.await;
        if matches!(read, Err(HistoryError::Slow(_))) {
            self.figures.reads_given_up.fetch_add(1, Ordering::Relaxed);
        }
        read?
    }
}
