use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{SyncSender, TrySendError},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Failures, History, Storage, baselines,
    figures::HistoryCounters,
    open_chats::OpenChats,
    write::{Queued, Write},
    writer::{self, Started},
};
use crate::{
    event::{Mode, Observers, RunObserver, ServiceEvent},
    runner::{Histogram, RunHandle, WholeSeconds},
};

/// How often runs are asked for what is new. With a tenth of a second for the run to notice that one of
/// its seconds is over, a crash costs the second in progress and little more.
const EVERY: Duration = Duration::from_millis(250);
/// How long the start of the service waits for the file.
const MOST_OPENING: Duration = Duration::from_secs(5);
/// How often what is too old is looked for.
const TIDY: Duration = Duration::from_mins(1);
/// What the histograms of seconds that wait for the disk may take, in bytes.
const MOST_WAITING: usize = 16 * 1024 * 1024;
/// What all else that waits for the disk may take, in bytes. What does not fit stays where it came from: lists and runs
/// that are bounded in number and count what they drop.
pub(super) const MOST_QUEUED: u32 = 32 * 1024 * 1024;
/// Runs that began and were not asked yet.
const BEGUN: usize = 256;
/// Changes of baselines that wait.
const REQUESTS: usize = 16;
/// Runs whose end could not be handed over yet.
const MOST_FOLLOWED: usize = 1_024;

/// Where a scheduler says which runs began.
#[derive(Debug, Clone)]
pub struct RunIntake {
    begun: mpsc::Sender<RunHandle>,
    figures: Arc<HistoryCounters>,
}

impl RunIntake {
    /// The run is followed from now on.
    pub fn take(&self, run: &RunHandle) {
        if self.begun.try_send(run.clone()).is_err() {
            self.figures.lose(1);
            tracing::warn!(
                run = run.id(),
                "the history does not take this run: too many began at once"
            );
        }
    }
}

/// Asks runs for what is new and hands it to the thread that writes.
pub struct Recorder {
    directory: PathBuf,
    begun: mpsc::Receiver<RunHandle>,
    intake: RunIntake,
    followed: Vec<Followed>,
    queue: SyncSender<Queued>,
    thread: JoinHandle<()>,
    opened: oneshot::Receiver<()>,
    /// The number of the file that has what was handed over.
    file: u64,
    chats: Arc<OpenChats>,
    failures: Arc<Failures>,
    figures: Arc<HistoryCounters>,
    tidied: Option<Instant>,
    /// Of histograms that wait to be written, in bytes.
    memory: Arc<Semaphore>,
    /// Of all else that waits, likewise.
    queued: Arc<Semaphore>,
    requests: mpsc::Receiver<baselines::BaselineChangeRequest>,
    /// Changes that could not be handed over yet.
    waiting: VecDeque<baselines::BaselineChangeRequest>,
}

struct Followed {
    run: RunHandle,
    announced: bool,
    next_second: u64,
}

/// Whether an entry was put into the queue.
enum Handed {
    Over,
    Full,
}

impl Recorder {
    /// Starts the thread that opens the history in a folder and writes to it. A file that cannot be
    /// used is logged and counted, and tried again from time to time.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(directory: &Path, settings: &Storage) -> io::Result<(Self, History)> {
        let figures = Arc::<HistoryCounters>::default();
        let failures = Arc::<Failures>::default();
        let named = Arc::<baselines::Named>::default();
        let Started {
            queue,
            thread,
            opened,
        } = writer::start(
            directory.to_owned(),
            settings,
            figures.clone(),
            named.clone(),
        )?;
        let (sender, begun) = mpsc::channel(BEGUN);
        let (request, requests) = mpsc::channel(REQUESTS);
        let recorder = Self {
            directory: directory.to_owned(),
            begun,
            intake: RunIntake {
                begun: sender,
                figures: figures.clone(),
            },
            followed: Vec::new(),
            queue,
            thread,
            opened,
            file: 0,
            chats: Arc::new(OpenChats::new(figures.clone())),
            failures: failures.clone(),
            figures: figures.clone(),
            tidied: None,
            memory: Arc::new(Semaphore::new(MOST_WAITING)),
            queued: Arc::new(Semaphore::new(MOST_QUEUED as usize)),
            requests,
            waiting: VecDeque::new(),
        };
        let history = History::in_folder(directory, failures, figures, named, request);
        Ok((recorder, history))
    }

    /// Waits until the file was opened, or could not be; not for a disk that hangs.
    pub async fn opened(&mut self) {
        if timeout(MOST_OPENING, &mut self.opened).await.is_err() {
            tracing::error!(
                "the history in `{}` could not be opened within {} s: the service starts without what is in it, and what is to be written waits in memory",
                self.directory.display(),
                MOST_OPENING.as_secs()
            );
        }
    }

    /// Where runs that begin are handed in.
    pub fn intake(&self) -> RunIntake {
        self.intake.clone()
    }

    /// What has to observe every run besides [`History::failures`].
    pub fn observer(&self) -> Arc<dyn RunObserver> {
        self.chats.clone()
    }

    /// Records until it is to end, and then until everything is handed over and written.
    pub async fn record(mut self, observers: Observers, until: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !until.is_cancelled() {
            tokio::select! {
                () = until.cancelled() => {}
                // Its row is there before much can happen to it.
                Some(run) = self.begun.recv() => self.follow(run),
                Some(request) = self.requests.recv(), if self.waiting.len() < REQUESTS => {
                    self.waiting.push_back(request);
                }
                _ = ticks.tick() => {}
            }
            // What does not fit is offered again with the next tick.
            let _ = self.round();
            self.figures.watch_write(&self.directory);
            observers.emit(&ServiceEvent::HistoryKept(self.figures.now()));
        }
        while matches!(self.round(), Handed::Full) {
            sleep(EVERY).await;
        }
        let Self { queue, thread, .. } = self;
        drop(queue);
        // It is a thread of its own, so that a disk that hangs does not hold up the runtime's end.
        while !thread.is_finished() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn round(&mut self) -> Handed {
        while let Ok(run) = self.begun.try_recv() {
            self.follow(run);
        }
        self.begin_again();
        let (queue, queued) = (&self.queue, &self.queued);
        let figures = &self.figures;
        let mut full = false;
        let mut offer = |write| match hand(queue, queued, figures, write) {
            Ok(()) => Ok(()),
            Err(write) => {
                full = true;
                Err(write)
            }
        };
        self.chats.offer(&mut offer);
        self.failures.offer(&mut offer);
        self.followed
            .retain_mut(|followed| !followed.ask(&self.memory, figures, &mut offer));
        hand_requests(&mut self.waiting, &self.followed, &mut offer);
        if self.tidied.is_none_or(|at| at.elapsed() >= TIDY) && offer(Write::Tidy).is_ok() {
            self.tidied = Some(Instant::now());
        }
        if full { Handed::Full } else { Handed::Over }
    }

    /// A new file knows nothing of the runs in progress: they are handed over from their beginning.
    fn begin_again(&mut self) {
        let file = self.figures.opened.load(Ordering::Relaxed);
        if self.file < file {
            for followed in &mut self.followed {
                followed.announced = is_probe(&followed.run);
                followed.next_second = 0;
            }
        }
        self.file = file;
    }

    fn follow(&mut self, run: RunHandle) {
        if self.followed.len() >= MOST_FOLLOWED {
            self.figures.lose(1);
            return;
        }
        self.followed.push(Followed {
            announced: is_probe(&run),
            run,
            next_second: 0,
        });
    }
}

/// Of a probe's run the end alone is kept.
fn is_probe(run: &RunHandle) -> bool {
    run.identity().subject.mode == Mode::Probe
}

impl Followed {
    /// Hands over what is new; whether that was the last.
    fn ask(
        &mut self,
        memory: &Arc<Semaphore>,
        figures: &HistoryCounters,
        offer: &mut impl FnMut(Write) -> Result<(), Write>,
    ) -> bool {
        // Before the rest is looked at: what comes later is not missed.
        let over = self.run.has_ended();
        if !self.announced {
            let begun = self.run.whole_seconds(u64::MAX).at_end;
            let report = Arc::new(begun.without_lists());
            if offer(Write::Begun(report)).is_err() {
                return false;
            }
            self.announced = true;
        }
        let burst = self.run.identity().subject.mode == Mode::Burst;
        let record = over.then(|| self.run.record());
        // A run that was cut off has no verdict. Its rows stay as they are, for the next start.
        if let Some(record) = record
            && (record.report.verdict.is_some() || !burst)
        {
            return offer(Write::Ended(Box::new(record))).is_ok();
        }
        let handed = !burst || self.hand_seconds(memory, figures, offer);
        over && handed
    }

    fn hand_seconds(
        &mut self,
        memory: &Arc<Semaphore>,
        figures: &HistoryCounters,
        offer: &mut impl FnMut(Write) -> Result<(), Write>,
    ) -> bool {
        let WholeSeconds {
            mut seconds,
            next,
            at_end,
        } = self.run.whole_seconds(self.next_second);
        if seconds.is_empty() {
            return true;
        }
        let batches = seconds.iter().filter_map(|second| second.batch.as_ref());
        let size = batches
            .flat_map(|batch| batch.latencies())
            .map(Histogram::size);
        let size = u32::try_from(size.sum::<usize>()).unwrap_or(u32::MAX);
        let permits = memory.clone().try_acquire_many_owned(size).ok();
        if permits.is_none() {
            for second in &mut seconds {
                second.batch = None;
            }
        }
        let bare = seconds
            .iter()
            .filter(|second| second.batch.is_none())
            .count();
        let write = Write::Seconds {
            first: next - seconds.len() as u64,
            seconds,
            at_end: Arc::new(at_end.without_lists()),
            _memory: permits,
        };
        let handed = offer(write).is_ok();
        if handed {
            figures.lose(bare as u64);
            self.next_second = next;
        }
        handed
    }
}

/// Hands over changes of baselines, each behind the end of the run that it is about.
fn hand_requests(
    waiting: &mut VecDeque<baselines::BaselineChangeRequest>,
    followed: &[Followed],
    offer: &mut impl FnMut(Write) -> Result<(), Write>,
) {
    while let Some(request) = waiting.pop_front() {
        let run = request.run();
        let back = if followed.iter().any(|known| run == Some(known.run.id())) {
            Some(request)
        } else {
            match offer(Write::Baseline(request)) {
                Err(Write::Baseline(request)) => Some(request),
                _ => None,
            }
        };
        if let Some(request) = back {
            waiting.push_front(request);
            return;
        }
    }
}

/// Puts an entry into the queue unless it is full, in number or in bytes; it never waits.
pub(super) fn hand(
    queue: &SyncSender<Queued>,
    memory: &Arc<Semaphore>,
    figures: &HistoryCounters,
    write: Write,
) -> Result<(), Write> {
    // One that is larger than all of it waits until it is alone.
    let size = u32::try_from(write.size())
        .unwrap_or(u32::MAX)
        .min(MOST_QUEUED);
    let Ok(memory) = memory.clone().try_acquire_many_owned(size) else {
        return Err(write);
    };
    match queue.try_send(Queued { write, memory }) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(queued)) => Err(queued.write),
        Err(TrySendError::Disconnected(_)) => {
            // The thread is gone, which is a bug of ours: nothing is kept any more.
            figures.lose(1);
            figures.broken.store(true, Ordering::Relaxed);
            Ok(())
        }
    }
}

#[cfg(test)]
impl Recorder {
    /// Waits until everything is written and the thread has ended, without recording anything more.
    pub(crate) fn end(self) {
        let Self { queue, thread, .. } = self;
        drop(queue);
        thread.join().unwrap();
    }
}
