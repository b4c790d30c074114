//! The thread that alone writes to the file.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{
    BaselineError, HistoryError, Storage,
    baselines::{self, Named},
    directory,
    figures::HistoryCounters,
    file::HistoryFile,
    rows::apply,
    tidy,
    unwritten::Unwritten,
    write::{Queued, Write},
};
use crate::plain_words;

/// Entries that wait for the disk.
const QUEUE: usize = 1_024;
/// Entries of one transaction.
const TOGETHER: usize = 256;
/// How often a file that cannot be opened is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// How often ends of runs that could not be written are tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// The log tells of losses no more often.
const COMPLAINT: Duration = Duration::from_mins(1);

/// The thread, and what it is told and tells.
pub(super) struct Started {
    pub(super) queue: SyncSender<Queued>,
    pub(super) thread: JoinHandle<()>,
    /// Ends once it was tried to open the file.
    pub(super) opened: oneshot::Receiver<()>,
}

/// Starts the thread; it ends when the queue's last sender is gone and everything is written.
pub(super) fn start(
    directory: PathBuf,
    settings: &Storage,
    figures: Arc<HistoryCounters>,
    named: Arc<Named>,
) -> io::Result<Started> {
    let (sender, queue) = sync_channel(QUEUE);
    let (opening, opened) = oneshot::channel();
    let mut writer = Writer::new(directory, settings, figures, named);
    let thread = thread::Builder::new().name("history".to_owned());
    let thread = thread.spawn(move || {
        // Before anybody reads, so that what an earlier process left is as it should be.
        writer.timed(|writer| {
            if let Err(error) = writer.open() {
                writer.complain(&error);
            }
        });
        drop(opening);
        writer.work(&queue);
    })?;
    Ok(Started {
        queue: sender,
        thread,
        opened,
    })
}

pub(super) struct Writer {
    directory: PathBuf,
    kept_for: Duration,
    max_bytes: u64,
    figures: Arc<HistoryCounters>,
    named: Arc<Named>,
    file: Option<HistoryFile>,
    /// When it was last tried to open the file in vain.
    tried: Option<Instant>,
    complained: Option<Instant>,
    /// Rows that were written since the file was last seen in its place.
    unseen: u64,
    unwritten: Unwritten,
    /// When the ends of runs that could not be written were last tried again.
    again: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        directory: PathBuf,
        settings: &Storage,
        figures: Arc<HistoryCounters>,
        named: Arc<Named>,
    ) -> Self {
        Self {
            kept_for: settings.keep,
            max_bytes: settings.max_bytes,
            directory,
            figures,
            named,
            file: None,
            tried: None,
            complained: None,
            unseen: 0,
            unwritten: Unwritten::default(),
            again: None,
        }
    }

    fn work(mut self, queue: &Receiver<Queued>) {
        loop {
            let first = if self.unwritten.is_empty() {
                queue.recv().map_err(RecvTimeoutError::from)
            } else {
                queue.recv_timeout(AGAIN)
            };
            let mut batch = match first {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            batch.extend(queue.try_iter().take(TOGETHER - 1));
            let parts = batch
                .into_iter()
                .map(|queued| (queued.write, queued.memory));
            let (batch, _memory): (Vec<_>, Vec<_>) = parts.unzip();
            self.timed(|writer| writer.keep(batch));
        }
        self.timed(Self::give_up);
    }

    /// Does it while others see for how long.
    fn timed(&mut self, write: impl FnOnce(&mut Self)) {
        self.figures.write_time.begin();
        write(self);
        if let Some(taken) = self.figures.write_time.end() {
            tracing::warn!(
                "a write to the history in `{}` took {:.1} s",
                self.directory.display(),
                taken.as_secs_f64()
            );
        }
    }

    /// Writes these, and does what else they ask for.
    pub(super) fn keep(&mut self, mut batch: Vec<Write>) {
        let requests = batch.extract_if(.., |write| matches!(write, Write::Baseline(_)));
        let requests: Vec<_> = requests.collect();
        self.look();
        if self.again.is_none_or(|at| at.elapsed() >= AGAIN) {
            self.try_again();
        }
        let tidy = batch.iter().any(|write| matches!(write, Write::Tidy));
        self.take(batch);
        if tidy {
            self.tidy();
        }
        // Whoever asks waits for this one alone, behind what it may be about.
        for request in requests {
            self.follow(request);
        }
        if let Some(file) = &mut self.file {
            file.note();
        }
        let bytes = directory::size(&self.directory);
        self.figures.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Writes the ends of runs that could not be written before, as far as that goes now.
    fn try_again(&mut self) {
        let mut unwritten = std::mem::take(&mut self.unwritten);
        while let Some(end) = unwritten.first() {
            match self.attempt(std::slice::from_ref(end)) {
                Ok(()) => {}
                Err(error) if error.may_pass() => {
                    self.again = Some(Instant::now());
                    break;
                }
                Err(error) => {
                    self.figures.lose(end.rows());
                    self.complain(&error);
                }
            }
            unwritten.drop_first();
        }
        self.unwritten = unwritten;
    }

    /// At the end of the process there is no other time.
    pub(super) fn give_up(&mut self) {
        self.tried = None;
        self.try_again();
        let left = self.unwritten.len();
        if left > 0 {
            self.figures.lose(left as u64);
            tracing::error!(
                "the ends of {left} runs could not be written to the history in `{}`: their records are lost, and bursts among them will be `interrupted`",
                self.directory.display()
            );
        }
    }

    /// A file that is not in its place any more, or was damaged, is let go, with its lock; the next entry opens
    /// it anew.
    fn look(&mut self) {
        let unseen = std::mem::take(&mut self.unseen);
        let Some(file) = &self.file else { return };
        if file.is_missing() {
            let missing = HistoryError::Missing(file.path().to_owned());
            tracing::error!(
                "the history is missing: {missing}; the last {unseen} rows are lost with it"
            );
            let leaves_log = file.leaves_log();
            self.file = None;
            self.tried = None;
            if leaves_log {
                self.set_log_aside();
            }
        } else if let Some(damage) = file.damage() {
            self.set_aside(&format!(
                "{damage}; the last {unseen} rows are lost at least"
            ));
        } else {
            return;
        }
        self.figures.lose(unseen);
        self.figures.broken.store(true, Ordering::Relaxed);
    }

    /// All in one transaction; if that fails, each in one of its own, so that one that cannot be
    /// written does not take the others along. The end of a run is kept until it can be written.
    fn take(&mut self, batch: Vec<Write>) {
        if batch.is_empty() || self.attempt(&batch).is_ok() {
            return;
        }
        for write in batch {
            let Err(error) = self.attempt(std::slice::from_ref(&write)) else {
                continue;
            };
            match &write {
                Write::Ended(record) if error.may_pass() => {
                    let size = record.size();
                    let given_up = self.unwritten.keep(write, size);
                    self.figures.lose(given_up);
                }
                _ => self.figures.lose(write.rows()),
            }
            self.complain(&error);
        }
    }

    fn follow(&mut self, request: Write) {
        let Write::Baseline(baselines::BaselineChangeRequest { change, answer }) = request else {
            return;
        };
        let max_bytes = self.max_bytes;
        let done = self.open().map_err(BaselineError::from);
        let done = done.and_then(|file| baselines::apply(&mut file.connection, &change, max_bytes));
        if done.is_ok() {
            self.named.follow(change);
        }
        // The receiver of the answer may be dropped.
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
        let figures = self.figures.clone();
        let file = self.open()?;
        let change = file.connection.transaction()?;
        let mut rows = 0;
        for write in batch {
            rows += apply(&change, write, &figures)?;
        }
        if rows > 0 {
            file.generation.write_next(&change)?;
        }
        change.commit()?;
        if rows > 0 {
            file.generation.advance();
        }
        Ok(rows)
    }

    /// On its own: what was written stays written if this fails.
    fn tidy(&mut self) {
        let (keep, max_bytes) = (self.kept_for, self.max_bytes);
        let Some(file) = &mut self.file else { return };
        let now = file.clock.believe(tidy::ClockReading::now());
        if let Err(error) = tidy::tidy(&mut file.connection, now, keep, max_bytes) {
            self.figures.tidy_failed.fetch_add(1, Ordering::Relaxed);
            if error.is_damage() {
                self.set_aside(&error.to_string());
            } else {
                tracing::error!(
                    "the history in `{}` cannot be tidied: {error}; expired rows, and the oldest ones beyond `data.max_bytes`, stay until it can",
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
            let figures = self.figures.clone();
            let opened = match HistoryFile::open(&self.directory, self.max_bytes, &figures) {
                Err(error) if error.is_damage() => {
                    self.set_aside(&error.to_string());
                    HistoryFile::open(&self.directory, self.max_bytes, &figures)
                }
                opened => opened,
            };
            self.tried = opened.is_err().then(Instant::now);
            let file = self.file.insert(opened?);
            self.named.read(&file.connection, &figures);
            figures.opened.fetch_add(1, Ordering::Relaxed);
        }
        // It was put there above.
        self.file.as_mut().ok_or(HistoryError::GivenUp)
    }

    fn set_aside(&mut self, why: &str) {
        self.file = None;
        self.tried = None;
        match directory::set_aside(&self.directory) {
            Ok(aside) => {
                self.figures.set_aside.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    "the history is damaged ({why}): it is now `{}`, and a new one begins; the `sqlite3` program may recover it",
                    aside.display()
                );
            }
            Err(error) => tracing::error!(
                "the history is damaged ({why}) and cannot be set aside: {}; move `{}` away",
                plain_words::of_system(&error),
                directory::path_in(&self.directory).display()
            ),
        }
    }

    /// Keeps the log of a file that another one replaced from being written to that.
    fn set_log_aside(&self) {
        match directory::set_log_aside(&self.directory) {
            Ok(log) => tracing::error!(
                "the log of the history that was replaced is now `{}`",
                log.display()
            ),
            Err(error) => tracing::error!(
                "the log of the history that was replaced cannot be set aside: {}; what is read in `{}` may be wrong",
                plain_words::of_system(&error),
                self.directory.display()
            ),
        }
    }

    fn make_room(&mut self) {
        let max_bytes = self.max_bytes;
        if let Some(file) = &mut self.file
            && let Err(error) = tidy::make_room(&mut file.connection, max_bytes)
        {
            tracing::debug!("old entries of the history could not be removed: {error}");
        }
    }

    fn complain(&mut self, error: &HistoryError) {
        self.figures.broken.store(true, Ordering::Relaxed);
        // The reason was told when it was found out.
        let silent = matches!(error, HistoryError::GivenUp)
            || self.complained.is_some_and(|at| at.elapsed() < COMPLAINT);
        if silent {
            return;
        }
        self.complained = Some(Instant::now());
        tracing::error!(
            "the history in `{}` cannot be written: {error}. The ends of runs wait and are tried again; other rows are lost, which chatprobe_history_rows_lost_total counts. What is measured is not touched",
            self.directory.display()
        );
    }
}
