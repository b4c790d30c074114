//! What several backends share: everything said goes to one channel of a Redis, and what comes from the channel goes to
//! the clients of each backend.
//!
//! Redis keeps nothing of a channel: what is published while a backend has no subscription never reaches its clients.
//! Each backend numbers its messages, so that the others notice a gap, and tells its last number each second, so that
//! they notice one at the end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use redis::{
    AsyncConnectionConfig, Client, Msg, RedisError, RedisResult,
    aio::{MultiplexedConnection, PubSub},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use super::{
    protocol::{FrameRefusal, Said},
    statistics::RoomStatistics,
};
use crate::{simulator::agenda::after, units::Distribution};

/// The one channel.
const CHANNEL: &str = "chatprobe-rooms";
/// Messages that wait to be published.
const QUEUE: usize = 10_000;
/// How long Redis may take for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// From the end of a subscription to the next attempt.
const RECONNECT: Duration = Duration::from_millis(200);
/// How often the last number is told, and a subscription asked whether it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// A backend that was silent for so long is gone.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Backends whose numbers are watched.
const MOST_BACKENDS: usize = 64;

/// What goes through the channel.
#[derive(Debug, Serialize, Deserialize)]
struct Publication {
    /// The backend: a random number.
    from: u64,
    /// The number of the message, or the last one if there is none in here.
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Said>,
}

/// The channel as one backend sees it.
#[derive(Debug)]
pub(super) struct SharedChannel {
    client: Client,
    own: u64,
    outbound: mpsc::Sender<Said>,
    subscribed: AtomicBool,
    kill: Notify,
    /// How long a subscription lasts.
    lifetime: watch::Sender<Option<Distribution>>,
    origins: Mutex<Origins>,
    statistics: Arc<RoomStatistics>,
}

/// The messages that wait to be published; for [`SharedChannel::publish_all`].
pub(super) type Unpublished = mpsc::Receiver<Said>;

/// The backends that were heard of.
#[derive(Debug, Default)]
struct Origins(HashMap<u64, Origin>);

#[derive(Debug)]
struct Origin {
    last: u64,
    heard: Instant,
}

impl Origins {
    /// How many messages of a backend are missing before this one.
    fn note(&mut self, from: u64, number: u64, is_message: bool, now: Instant) -> u64 {
        self.0.retain(|_, origin| now - origin.heard < FORGOTTEN);
        // Before a message its number is one more than the last; that of a beat is the last.
        let before = number.saturating_sub(u64::from(is_message));
        if let Some(origin) = self.0.get_mut(&from) {
            let missed = before.saturating_sub(origin.last);
            origin.last = origin.last.max(number);
            origin.heard = now;
            return missed;
        }
        if self.0.len() < MOST_BACKENDS {
            let origin = Origin {
                last: number,
                heard: now,
            };
            self.0.insert(from, origin);
        }
        0
    }
}

impl SharedChannel {
    /// Nothing is connected yet.
    pub fn new(
        client: Client,
        lifetime: Option<Distribution>,
        statistics: Arc<RoomStatistics>,
    ) -> (Arc<Self>, Unpublished) {
        let (outbound, unpublished) = mpsc::channel(QUEUE);
        let channel = Self {
            client,
            own: fastrand::u64(..),
            outbound,
            subscribed: AtomicBool::new(false),
            kill: Notify::new(),
            lifetime: watch::Sender::new(lifetime),
            origins: Mutex::default(),
            statistics,
        };
        (Arc::new(channel), unpublished)
    }

    pub fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Relaxed)
    }

    /// Backends that were heard of lately.
    pub fn backends(&self) -> usize {
        let now = Instant::now();
        let origins = self.origins();
        let heard = origins
            .0
            .values()
            .filter(|origin| now - origin.heard < FORGOTTEN);
        heard.count()
    }

    /// Ends the subscription now, as `CLIENT KILL` at Redis does.
    pub fn kill_subscription(&self) {
        self.kill.notify_one();
    }

    /// How long subscriptions last from now on.
    pub fn set_lifetime(&self, lifetime: Option<Distribution>) {
        self.lifetime.send_replace(lifetime);
    }

    /// Has a message published soon.
    pub fn publish(&self, said: Said) -> Result<(), FrameRefusal> {
        self.outbound.try_send(said).map_err(|_| FrameRefusal::Busy)
    }

    fn origins(&self) -> MutexGuard<'_, Origins> {
        // Whole after every statement.
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what is said, in order, for ever.
    pub async fn publish_all(&self, mut unpublished: Unpublished) {
        let mut connection = None;
        let mut number = 0;
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let said = tokio::select! {
                said = unpublished.recv() => match said {
                    Some(said) => Some(said),
                    None => return,
                },
                _ = beats.tick() => None,
            };
            let is_message = said.is_some();
            number += u64::from(is_message);
            let publication = Publication {
                from: self.own,
                number,
                said,
            };
            let published = self.publish_one(&mut connection, &publication).await;
            if is_message {
                self.statistics.count(|counts| match &published {
                    Ok(receivers) => {
                        counts.redis.published += 1;
                        counts.redis.receivers += receivers;
                    }
                    Err(_) => counts.redis.unpublished += 1,
                });
            }
            if let Err(error) = published {
                tracing::debug!("not published: {error}");
                connection = None;
            }
        }
    }

    /// Publishes this; how many backends Redis handed it to.
    async fn publish_one(
        &self,
        connection: &mut Option<MultiplexedConnection>,
        publication: &Publication,
    ) -> RedisResult<u64> {
        let text = serde_json::to_string(publication).unwrap_or_default();
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.connect().await?),
        };
        let mut command = redis::cmd("PUBLISH");
        command.arg(CHANNEL).arg(text);
        command.query_async(connection).await
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = &self.client;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Hands on what comes from the channel, for ever; a subscription that ends is followed by another.
    pub async fn deliver_all(&self, deliver: impl Fn(Said)) {
        let mut told = false;
        loop {
            match self.subscribe().await {
                Ok(subscription) => {
                    told = false;
                    tracing::info!("subscribed to the channel {CHANNEL} of Redis");
                    self.statistics
                        .count(|counts| counts.redis.subscriptions += 1);
                    self.subscribed.store(true, Ordering::Relaxed);
                    self.read(subscription, &deliver).await;
                    self.subscribed.store(false, Ordering::Relaxed);
                    self.statistics
                        .count(|counts| counts.redis.lost_subscriptions += 1);
                    tracing::warn!(
                        "the subscription at Redis has ended; what is said meanwhile is lost to its clients"
                    );
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!("no subscription at Redis, trying again: {error}");
                }
                Err(error) => tracing::debug!("no subscription at Redis: {error}"),
            }
            sleep(RECONNECT).await;
        }
    }

    async fn subscribe(&self) -> RedisResult<PubSub> {
        let subscribing = async {
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(CHANNEL).await?;
            Ok(subscription)
        };
        timeout(PATIENCE, subscribing).await.unwrap_or_else(|_| {
            Err(RedisError::from(std::io::Error::from(
                std::io::ErrorKind::TimedOut,
            )))
        })
    }

    /// Reads from a subscription until it ends.
    async fn read(&self, subscription: PubSub, deliver: &impl Fn(Said)) {
        let (mut asking, mut messages) = subscription.split();
        let mut lifetimes = self.lifetime.subscribe();
        let mut rng = fastrand::Rng::new();
        let mut over = lifetime_of(&mut lifetimes, &mut rng);
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.take(&message, deliver),
                    None => return,
                },
                () = self.kill.notified() => return,
                () = wait(over) => return,
                _ = lifetimes.changed() => over = lifetime_of(&mut lifetimes, &mut rng),
                _ = beats.tick() => {
                    let alive = timeout(PATIENCE, asking.ping::<redis::Value>()).await;
                    if !matches!(alive, Ok(Ok(_))) {
                        return;
                    }
                }
            }
        }
    }

    fn take(&self, message: &Msg, deliver: &impl Fn(Said)) {
        let Ok(publication) = serde_json::from_slice::<Publication>(message.get_payload_bytes())
        else {
            self.statistics.count(|counts| counts.redis.malformed += 1);
            return;
        };
        let Publication { from, number, said } = publication;
        let missed = self
            .origins()
            .note(from, number, said.is_some(), Instant::now());
        self.statistics.count(|counts| {
            counts.redis.missed += missed;
            counts.redis.received += u64::from(said.is_some());
        });
        if let Some(said) = said {
            deliver(said);
        }
    }
}

/// When a subscription that begins now is over, if ever.
fn lifetime_of(
    lifetimes: &mut watch::Receiver<Option<Distribution>>,
    rng: &mut fastrand::Rng,
) -> Option<Instant> {
    let lifetime = *lifetimes.borrow_and_update();
    lifetime.map(|lifetime| after(Instant::now(), lifetime.sample(rng)))
}

/// Waits until a moment, or for ever.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn gaps_in_the_numbers_of_a_backend_are_messages_that_were_missed() {
        let mut origins = Origins::default();
        let [one, other] = [1, 2];
        let now = Instant::now();
        let mut note = |from, number, is_message| origins.note(from, number, is_message, now);
        assert_eq!(note(one, 7, true), 0, "it was not there before");
        assert_eq!(note(one, 8, true), 0);
        assert_eq!(note(one, 8, false), 0, "a beat");
        assert_eq!(note(other, 1, true), 0);
        assert_eq!(note(one, 11, true), 2);
        assert_eq!(
            note(one, 14, false),
            3,
            "a heartbeat reveals messages missing at the end"
        );
        assert_eq!(note(one, 15, true), 0);
        assert_eq!(note(one, 15, true), 0, "a repetition");
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_is_gone_is_forgotten() {
        let mut origins = Origins::default();
        let began = Instant::now();
        origins.note(1, 5, false, began);
        origins.note(2, 5, false, began + FORGOTTEN);
        assert_eq!(origins.0.len(), 1);
    }
}
