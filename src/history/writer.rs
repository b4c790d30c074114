//! The thread that alone writes to the file.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    BaselineError, baselines,
    figures::Figures,
    file::{self, HistoryError, HistoryFile},
    open_chats::Opened,
    rows::apply,
    tidy,
};
use crate::{
    config::Data,
    event::{FailedChat, RunIdentity},
    runner::{RunRecord, RunReport, WholeSecond},
};

/// Entries that wait for the disk.
const QUEUE: usize = 1_024;
/// Entries of one transaction.
const TOGETHER: usize = 256;
/// How often a file that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// The log tells of losses no more often.
const COMPLAINT: Duration = Duration::from_mins(1);

/// Something to be kept.
pub(super) enum Write {
    /// A burst began.
    Begun(Box<RunReport>),
    /// Some of its seconds are over, the first of this number.
    Seconds {
        run: String,
        first: u64,
        seconds: Vec<WholeSecond>,
        /// For the histograms in them, given back with the entry.
        _room: Option<OwnedSemaphorePermit>,
    },
    /// What chats are called, and which of them ended.
    Chats {
        opened: Vec<Opened>,
        closed: Vec<(Arc<RunIdentity>, u64)>,
    },
    /// A run ended.
    Ended(Box<RunRecord>),
    /// Chats failed.
    Failures(Vec<Arc<FailedChat>>),
    /// A name for a run, or of one.
    Baseline(baselines::Request),
    /// What is too old or too much goes.
    Tidy,
}

impl Write {
    fn rows(&self) -> u64 {
        let rows = match self {
            Self::Begun(_) | Self::Ended(_) => 1,
            Self::Seconds { seconds, .. } => seconds.len(),
            Self::Chats { opened, closed } => opened.len() + closed.len(),
            Self::Failures(failures) => failures.len(),
            Self::Baseline(_) | Self::Tidy => 0,
        };
        rows as u64
    }
}

/// Starts the thread; it ends when the queue's last sender is gone and everything is written.
pub(super) fn start(
    directory: PathBuf,
    settings: &Data,
    figures: Arc<Figures>,
) -> io::Result<(SyncSender<Write>, JoinHandle<()>)> {
    let (sender, queue) = sync_channel(QUEUE);
    let mut writer = Writer::new(directory, settings, figures);
    // Before anybody reads, so that what an earlier process left is as it should be.
    if let Err(error) = writer.open() {
        writer.complain(&error, 0);
    }
    let thread = thread::Builder::new().name("history".to_owned());
    let thread = thread.spawn(move || writer.work(&queue))?;
    Ok((sender, thread))
}

pub(super) struct Writer {
    directory: PathBuf,
    kept_for: Duration,
    max_bytes: u64,
    figures: Arc<Figures>,
    file: Option<HistoryFile>,
    /// When it was last tried to open the file in vain.
    tried: Option<Instant>,
    complained: Option<Instant>,
    /// Rows that were written since the file was last seen in its place.
    unseen: u64,
}

impl Writer {
    pub(super) fn new(directory: PathBuf, settings: &Data, figures: Arc<Figures>) -> Self {
        Self {
            kept_for: settings.keep,
            max_bytes: settings.max_bytes,
            directory,
            figures,
            file: None,
            tried: None,
            complained: None,
            unseen: 0,
        }
    }

    fn work(mut self, queue: &Receiver<Write>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(TOGETHER - 1));
            self.keep(batch);
        }
    }

    /// Writes these, and does what else they ask for.
    pub(super) fn keep(&mut self, mut batch: Vec<Write>) {
        let requests = batch.extract_if(.., |write| matches!(write, Write::Baseline(_)));
        let requests: Vec<_> = requests.collect();
        self.look();
        self.take(&batch);
        if batch.iter().any(|write| matches!(write, Write::Tidy)) {
            self.tidy();
        }
        // Whoever asks waits for this one alone, behind what it may be about.
        for request in requests {
            self.follow(request);
        }
        let bytes = file::size(&self.directory);
        self.figures.bytes.store(bytes, Ordering::Relaxed);
    }

    /// A file that is not in its place any more is let go, with its lock; the next entry opens it anew.
    fn look(&mut self) {
        let unseen = std::mem::take(&mut self.unseen);
        let Some(file) = self.file.take_if(|file| file.is_missing()) else {
            return;
        };
        self.tried = None;
        self.figures.lose(unseen);
        self.figures.broken.store(true, Ordering::Relaxed);
        let missing = HistoryError::Missing(file.path().to_owned());
        tracing::error!(
            "the history is missing: {missing}; the last {unseen} rows are lost with it"
        );
    }

    /// All in one transaction; if that fails, each in one of its own, so that one that cannot be
    /// written does not take the others along.
    fn take(&mut self, batch: &[Write]) {
        if self.attempt(batch).is_ok() {
            return;
        }
        for write in batch {
            if let Err(error) = self.attempt(std::slice::from_ref(write)) {
                self.figures.lose(write.rows());
                self.complain(&error, write.rows());
            }
        }
    }

    fn follow(&mut self, request: Write) {
        let Write::Baseline(baselines::Request { change, answer }) = request else {
            return;
        };
        let max_bytes = self.max_bytes;
        let done = self.open().map_err(BaselineError::from);
        let done = done.and_then(|file| baselines::apply(&mut file.connection, &change, max_bytes));
        // Whoever asked may have gone.
        let _ = answer.send(done);
    }

    fn attempt(&mut self, batch: &[Write]) -> Result<(), HistoryError> {
        let mut result = self.transact(batch);
        match &result {
            Err(error) if error.is_damage() => {
                self.set_aside(&error.to_string());
                result = self.transact(batch);
            }
            Err(error) if error.is_full() => {
                self.make_room();
                result = self.transact(batch);
            }
            _ => {}
        }
        let rows = result?;
        self.unseen += rows;
        self.figures.written.fetch_add(rows, Ordering::Relaxed);
        self.figures.broken.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn transact(&mut self, batch: &[Write]) -> Result<u64, HistoryError> {
        let connection = &mut self.open()?.connection;
        let change = connection.transaction()?;
        let mut rows = 0;
        for write in batch {
            rows += apply(&change, write)?;
        }
        change.commit()?;
        Ok(rows)
    }

    /// On its own: what was written stays written if this fails.
    fn tidy(&mut self) {
        let (keep, max_bytes) = (self.kept_for, self.max_bytes);
        let Some(file) = &mut self.file else { return };
        let now = file.clock.believe(tidy::Reading::now());
        if let Err(error) = tidy::tidy(&mut file.connection, now, keep, max_bytes) {
            self.figures.tidy_failed.fetch_add(1, Ordering::Relaxed);
            if error.is_damage() {
                self.set_aside(&error.to_string());
            } else {
                tracing::error!(
                    "the history in `{}` cannot be tidied: {error}; what is too old or too much stays until it can",
                    self.directory.display()
                );
            }
        }
    }

    fn open(&mut self) -> Result<&mut HistoryFile, HistoryError> {
        if self.file.is_none() {
            if self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
                return Err(HistoryError::GivenUp);
            }
            let opened = match HistoryFile::open(&self.directory, self.max_bytes) {
                Err(error) if error.is_damage() => {
                    self.set_aside(&error.to_string());
                    HistoryFile::open(&self.directory, self.max_bytes)
                }
                opened => opened,
            };
            self.tried = opened.is_err().then(Instant::now);
            self.file = Some(opened?);
            self.figures.made.store(true, Ordering::Relaxed);
        }
        // It was put there above.
        self.file.as_mut().ok_or(HistoryError::GivenUp)
    }

    fn set_aside(&mut self, why: &str) {
        self.file = None;
        self.tried = None;
        match file::set_aside(&self.directory) {
            Ok(aside) => {
                self.figures.set_aside.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    "the history is damaged ({why}): it is now `{}`, and a new one begins; the `sqlite3` program may recover it",
                    aside.display()
                );
            }
            Err(error) => tracing::error!(
                "the history is damaged ({why}) and cannot be set aside: {error}; move `{}` away",
                file::path_in(&self.directory).display()
            ),
        }
    }

    fn make_room(&mut self) {
        let max_bytes = self.max_bytes;
        if let Some(file) = &mut self.file
            && let Err(error) = tidy::make_room(&mut file.connection, max_bytes)
        {
            tracing::debug!("no room could be made in the history: {error}");
        }
    }

    fn complain(&mut self, error: &HistoryError, rows: u64) {
        self.figures.broken.store(true, Ordering::Relaxed);
        // The reason was told when it was found out.
        let silent = matches!(error, HistoryError::GivenUp)
            || self.complained.is_some_and(|at| at.elapsed() < COMPLAINT);
        if silent {
            return;
        }
        self.complained = Some(Instant::now());
        tracing::error!(
            "the history in `{}` cannot be written: {error}; {rows} rows are lost, and more are counted in chatprobe_history_rows_lost_total. What is measured is not touched",
            self.directory.display()
        );
    }
}
