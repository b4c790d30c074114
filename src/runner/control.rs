use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    ChatCounts, Order, OrderError, RunRecord, RunReport, RunState, Sample, Snapshot, Tally,
    ThresholdReport, WholeSecond, WholeSeconds,
};

pub(super) type OrderRequest = (Order, oneshot::Sender<Result<(), OrderError>>);

/// A run as seen from outside. Clones are the same run.
#[derive(Debug, Clone)]
pub struct RunHandle {
    tally: Arc<Tally>,
    orders: mpsc::Sender<OrderRequest>,
    ended: watch::Receiver<bool>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl RunHandle {
    pub(super) fn new(
        tally: Arc<Tally>,
        orders: mpsc::Sender<OrderRequest>,
        ended: watch::Receiver<bool>,
    ) -> Self {
        Self {
            tally,
            orders,
            ended,
            task: Arc::default(),
        }
    }

    pub(super) fn attach(&self, task: JoinHandle<()>) {
        // Held for an assignment only, which cannot panic.
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// The id of the run.
    pub fn id(&self) -> &str {
        &self.tally.identity().id
    }

    /// The run's name, subject and trigger.
    pub fn identity(&self) -> &Arc<crate::event::RunIdentity> {
        self.tally.identity()
    }

    /// How the run stands.
    pub fn look(&self) -> Snapshot {
        self.tally.look()
    }

    /// The figures as they stand.
    pub fn report(&self) -> RunReport {
        self.tally.report()
    }

    /// Everything that is worth keeping of it.
    pub fn record(&self) -> RunRecord {
        self.tally.record()
    }

    /// What happened second by second: see [`Tally::samples`].
    pub fn samples(&self, from: u64) -> (Vec<Arc<Sample>>, u64) {
        self.tally.samples(from, usize::MAX)
    }

    /// The first of them, so many at most.
    pub fn next_samples(&self, from: u64, most: usize) -> (Vec<Arc<Sample>>, u64) {
        self.tally.samples(from, most)
    }

    /// The same with their histograms: see [`Tally::seconds`].
    pub fn seconds(&self, from: u64) -> (Vec<WholeSecond>, u64) {
        self.tally.seconds(from)
    }

    /// The same with how the run stood: see [`Tally::whole_seconds`].
    pub fn whole_seconds(&self, from: u64) -> WholeSeconds {
        self.tally.whole_seconds(from)
    }

    /// How far the run's search is, in words, if it is one.
    pub fn search(&self) -> Option<String> {
        self.tally.search()
    }

    /// The thresholds as they stand; cheaper than a report.
    pub fn thresholds(&self) -> Vec<ThresholdReport> {
        self.tally.thresholds()
    }

    /// How far the run is; cheaper than a report.
    pub fn state(&self) -> RunState {
        self.tally.state()
    }

    /// Whether an order told the chats in progress to end, and not only that no more of them start.
    pub fn ends_chats(&self) -> bool {
        self.tally.ends_chats()
    }

    /// How many chats there are and were; cheaper than a report.
    pub fn chats(&self) -> ChatCounts {
        self.tally.chats()
    }

    /// Gives an order and waits until it is followed.
    pub async fn order(&self, order: Order) -> Result<(), OrderError> {
        let (answer, mut answered) = oneshot::channel();
        self.orders
            .send((order, answer))
            .await
            .map_err(|_| OrderError::Ended)?;
        let answer = tokio::select! {
            biased;
            answer = &mut answered => answer.ok(),
            // What is sent at the moment at which the run ends stays in the channel as long as there are handles.
            () = self.ended() => answered.try_recv().ok(),
        };
        answer.unwrap_or(Err(OrderError::Ended))
    }

    /// Whether the run is over.
    pub fn has_ended(&self) -> bool {
        // A run that was aborted has not said so, but is gone.
        *self.ended.borrow() || self.ended.has_changed().is_err()
    }

    /// Waits for the end of the run, whatever it comes to.
    pub async fn ended(&self) {
        // An error means that the run is gone, which is an end too.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Ends the run's task without another word: for a shutdown whose time is over.
    pub fn abort(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.as_ref() {
            task.abort();
        }
    }
}
