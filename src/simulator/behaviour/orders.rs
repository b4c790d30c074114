//! Orders to a thread that works with a database, each answered once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError},
    },
    thread::JoinHandle,
};

use tokio::{sync::oneshot, task::spawn_blocking};

use super::database::BehaviourDatabaseError;
use crate::simulator::requests::RequestRefusal;

/// What came of an order.
pub(super) type Done<A> = Result<A, BehaviourDatabaseError>;

/// What is to be done, and whom to tell what came of it.
pub(super) struct DatabaseOrder<Q, A> {
    pub asked: Q,
    pub answer: oneshot::Sender<Done<A>>,
    pub _waiting: WaitingOrder,
}

/// Counts an order as long as it is not done.
pub(super) struct WaitingOrder(Arc<AtomicUsize>);

impl WaitingOrder {
    fn count(orders: &Arc<AtomicUsize>) -> Self {
        orders.fetch_add(1, Ordering::Relaxed);
        Self(orders.clone())
    }
}

impl Drop for WaitingOrder {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The bounded queue to the threads. They end once this is dropped and they have done what waits.
#[derive(Debug)]
pub(super) struct DatabaseQueue<Q, A> {
    queue: SyncSender<DatabaseOrder<Q, A>>,
    waiting: Arc<AtomicUsize>,
    /// Named when the queue is full.
    what: &'static str,
}

impl<Q, A> DatabaseQueue<Q, A> {
    pub fn new(queue: SyncSender<DatabaseOrder<Q, A>>, what: &'static str) -> Self {
        Self {
            queue,
            waiting: Arc::default(),
            what,
        }
    }

    /// Orders that wait or are being carried out.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Has it done, and waits for what comes of it.
    pub async fn carry_out(&self, asked: Q) -> Result<A, RequestRefusal> {
        let (answer, answered) = oneshot::channel();
        let order = DatabaseOrder {
            asked,
            answer,
            _waiting: WaitingOrder::count(&self.waiting),
        };
        let failed = |error: BehaviourDatabaseError| {
            tracing::warn!("a request to the simulated behaviour service failed: {error}");
            RequestRefusal::Failed(error.to_string())
        };
        match self.queue.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(RequestRefusal::Full(self.what)),
            Err(TrySendError::Disconnected(_)) => {
                return Err(failed(BehaviourDatabaseError::Ended));
            }
        }
        let ended = |_| Err(BehaviourDatabaseError::Ended);
        answered.await.unwrap_or_else(ended).map_err(failed)
    }
}

/// Waits for the end of threads whose queues were dropped.
pub(super) async fn join_all(threads: Vec<JoinHandle<()>>) {
    let joining = spawn_blocking(|| {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the simulated behaviour service broke");
            }
        }
    });
    // It is not cancelled, and its own panics are caught above.
    let _ = joining.await;
}
