//! Events on their way out: in order within a chat, many chats at once, never in the way of the API.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::event_kind::EventKind;
use super::ids::EngagementId;
use super::quirks::{EventContentType, EventMethod, Quirks};
use super::receivers::Receivers;
use super::settings::DeliverySettings;
use super::statistics::Statistics;
use crate::lookups::Lookups;

/// Chunks of an acknowledgement's body that are read to keep its connection in use.
const ACKNOWLEDGEMENT_CHUNKS: usize = 16;

/// The events of one chat for one receiver: they go out one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Partition {
    pub webhook: u64,
    pub chat: EngagementId,
}

/// One event for one receiver.
#[derive(Debug)]
pub(super) struct Notice {
    pub partition: Partition,
    pub kind: EventKind,
    pub url: Arc<Url>,
    pub body: Bytes,
    /// When the request for the chat came in, if this tells of the agent's joining.
    pub requested: Option<Instant>,
}

/// How many events are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Waiting for a connection.
    pub queued: usize,
    /// Handed to the HTTP client, not yet acknowledged.
    pub in_flight: usize,
}

/// All events that wait. Each permit of `turns` stands for one partition in `ready`.
#[derive(Debug)]
pub(super) struct Queue {
    partitions: Mutex<Partitions>,
    turns: Semaphore,
    limit: usize,
}

/// A partition is in `waiting` as long as it has events waiting or in flight, and in `ready` or `held` as long as
/// it has events waiting and none in flight.
#[derive(Debug, Default)]
struct Partitions {
    waiting: HashMap<Partition, VecDeque<Notice>>,
    ready: VecDeque<Partition>,
    /// Partitions of the webhooks whose receivers have no address yet. A partition comes here when it has its turn.
    held: HashMap<u64, Vec<Partition>>,
    queued: usize,
    in_flight: usize,
}

impl Queue {
    pub fn new(limit: usize) -> Self {
        Self {
            partitions: Mutex::default(),
            turns: Semaphore::new(0),
            limit,
        }
    }

    /// Every change below leaves the partitions whole, so a panic elsewhere has not torn them.
    fn partitions(&self) -> MutexGuard<'_, Partitions> {
        self.partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event at the end of its partition; false when the queue is full and the event is lost.
    pub fn post(&self, notice: Notice) -> bool {
        let mut partitions = self.partitions();
        if partitions.queued >= self.limit {
            return false;
        }
        partitions.queued += 1;
        let partition = notice.partition;
        let mut fresh = false;
        partitions
            .waiting
            .entry(partition)
            .or_insert_with(|| {
                fresh = true;
                VecDeque::with_capacity(1)
            })
            .push_back(notice);
        if fresh {
            partitions.ready.push_back(partition);
            self.turns.add_permits(1);
        }
        true
    }

    /// Waits for the next event whose turn it is. Its partition is blocked until [`Queue::done`].
    async fn next(&self) -> Notice {
        loop {
            // Never closed, so a refusal cannot come; if it did, waiting for ever is right.
            let Ok(turn) = self.turns.acquire().await else {
                std::future::pending().await
            };
            turn.forget();
            if let Some(notice) = self.take() {
                return notice;
            }
        }
    }

    fn take(&self) -> Option<Notice> {
        let mut partitions = self.partitions();
        let partition = partitions.ready.pop_front()?;
        if let Some(held) = partitions.held.get_mut(&partition.webhook) {
            held.push(partition);
            return None;
        }
        let notice = partitions.waiting.get_mut(&partition)?.pop_front()?;
        partitions.queued -= 1;
        partitions.in_flight += 1;
        Some(notice)
    }

    /// Holds back all events of the webhook of this one, but for this one, until [`Queue::release`]; `None` if they are
    /// held back already, and this one with them.
    fn hold(&self, notice: Notice) -> Option<Notice> {
        let mut partitions = self.partitions();
        let partition = notice.partition;
        let Some(held) = partitions.held.get_mut(&partition.webhook) else {
            partitions.held.insert(partition.webhook, Vec::new());
            return Some(notice);
        };
        held.push(partition);
        partitions.in_flight -= 1;
        partitions.queued += 1;
        partitions
            .waiting
            .entry(partition)
            .or_default()
            .push_front(notice);
        None
    }

    /// Lets the events of this webhook go on.
    fn release(&self, webhook: u64) {
        let mut partitions = self.partitions();
        let held = partitions.held.remove(&webhook).unwrap_or_default();
        self.turns.add_permits(held.len());
        partitions.ready.extend(held);
    }

    /// The event taken from this partition is through.
    fn done(&self, partition: Partition) {
        let mut partitions = self.partitions();
        partitions.in_flight -= 1;
        if partitions
            .waiting
            .get(&partition)
            .is_some_and(|waiting| !waiting.is_empty())
        {
            partitions.ready.push_back(partition);
            self.turns.add_permits(1);
        } else {
            partitions.waiting.remove(&partition);
        }
    }

    pub fn traffic(&self) -> Traffic {
        let partitions = self.partitions();
        Traffic {
            queued: partitions.queued,
            in_flight: partitions.in_flight,
        }
    }

    /// Takes everything that waits, in order of turns.
    #[cfg(test)]
    pub fn drain(&self) -> Vec<Notice> {
        let mut all = Vec::new();
        while let Some(notice) = self.take() {
            self.done(notice.partition);
            all.push(notice);
        }
        all
    }
}

/// Sends events; one is shared by all who carry.
#[derive(Debug)]
pub(super) struct Courier {
    queue: Arc<Queue>,
    statistics: Arc<Statistics>,
    receivers: Receivers,
    client: Client,
    method: Method,
    content_type: Option<HeaderValue>,
}

impl Courier {
    pub fn new(
        delivery: &DeliverySettings,
        quirks: &Quirks,
        queue: Arc<Queue>,
        statistics: Arc<Statistics>,
        lookups: Lookups,
    ) -> Result<Self, Error> {
        let receivers = Receivers::new(lookups, delivery.timeout);
        let client = Client::builder()
            .pool_max_idle_per_host(delivery.connections.get() as usize)
            .timeout(delivery.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(receivers.clone()))
            .http1_only()
            .build()
            .map_err(Error::Client)?;
        let method = match quirks.event_method {
            EventMethod::Post => Method::POST,
            EventMethod::Get => Method::GET,
        };
        let content_type = match quirks.event_content_type {
            EventContentType::Json => Some(HeaderValue::from_static("application/json")),
            EventContentType::Form => Some(HeaderValue::from_static(
                "application/x-www-form-urlencoded",
            )),
            EventContentType::None => None,
        };
        Ok(Self {
            queue,
            statistics,
            receivers,
            client,
            method,
            content_type,
        })
    }

    /// Carries one event after the other until `stop`; what is in its hands then is still
    /// delivered.
    pub async fn carry(&self, stop: &CancellationToken) {
        while let Some(notice) = stop.run_until_cancelled(self.queue.next()).await {
            let partition = notice.partition;
            if let Some(notice) = self.with_address(notice).await {
                self.deliver(notice).await;
                self.queue.done(partition);
            }
        }
    }

    /// Looks up the name of the event's receiver, if it has to. Meanwhile, others carry the events of other webhooks; if
    /// they meet one of the same, it goes back into the queue.
    async fn with_address(&self, notice: Notice) -> Option<Notice> {
        let url = notice.url.clone();
        let Some(name) = self.receivers.unknown(&url) else {
            return Some(notice);
        };
        let notice = self.queue.hold(notice)?;
        self.receivers.look_up(name).await;
        self.queue.release(notice.partition.webhook);
        Some(notice)
    }

    async fn deliver(&self, notice: Notice) {
        let mut request = self
            .client
            .request(self.method.clone(), Url::clone(&notice.url))
            .body(notice.body);
        if let Some(content_type) = &self.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let joined = notice.requested.map(|requested| requested.elapsed());
        let epoch = self.statistics.sent(notice.kind, joined);
        let acknowledged = match acknowledge(request).await {
            Ok(acknowledged) => acknowledged,
            Err(error) => {
                if error.is_connect() {
                    self.receivers.forget(&notice.url);
                }
                // Whoever knows the rest of the address can send events to its run.
                let receiver = notice.url.origin().ascii_serialization();
                let error = error.without_url();
                tracing::debug!(receiver, webhook = notice.partition.webhook, %error, "an event was not delivered");
                false
            }
        };
        self.statistics.settled(epoch, notice.kind, acknowledged);
    }
}

/// Sends the event and reads the answer to its end, so that the connection can be used again.
async fn acknowledge(request: reqwest::RequestBuilder) -> reqwest::Result<bool> {
    let mut answer = request.send().await?;
    for _ in 0..ACKNOWLEDGEMENT_CHUNKS {
        if answer.chunk().await?.is_none() {
            break;
        }
    }
    Ok(answer.status().is_success())
}

#[cfg(test)]
mod tests;
