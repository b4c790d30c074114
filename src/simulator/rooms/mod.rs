//! Chat rooms over WebSocket to practise on: rooms, a support desk, and faults on demand.
//!
//! A client comes in by a [`handshake`] of the [`api`]; its [`socket`] lives in the task of its connection. What a frame
//! asks for ([`protocol`]) is carried out in the [`house`], which owns the [`directory`] of clients and rooms and the
//! support [`desk`] with its chats ([`support_chat`]); they run without I/O. Frames to a client wait in its [`outgoing`]
//! queue, past the [`faults`]. With a Redis, what is said goes through the [`shared_channel`]. The [`statistics`] count
//! all of it. Locks are taken in the order house, queue of a client, statistics, and never held while waiting.

mod api;
mod desk;
mod directory;
mod faults;
mod handshake;
mod house;
mod outgoing;
mod protocol;
mod settings;
mod shared_channel;
mod socket;
mod statistics;
mod support_chat;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    api::RoomStats,
    faults::{ReadingStops, RefusedHandshakes, RoomFaults, SentCode, SocketCloses},
    house::RoomCensus,
    protocol::{ClientFrameKind, FrameRefusal, ServerFrameKind, SupportEnd},
    settings::{RoomLimits, RoomsSettings, SlowClients, SupportSettings},
    statistics::{FrameCounts, RoomCounts, SharedCounts, SocketCloser},
};
use self::{
    house::House,
    shared_channel::{SharedChannel, Unpublished},
    statistics::RoomStatistics,
};
use super::Error;
use crate::listener::{self, Connections, Counters, Listeners, Name};

/// Connections that are always left for the page, the statistics and the faults.
const OTHER_CONNECTIONS: usize = 64;

/// Simulated chat rooms, ready to be served.
#[derive(Debug)]
pub struct Rooms {
    house: Arc<House>,
    unpublished: Option<Unpublished>,
    counters: Arc<Counters>,
}

impl Rooms {
    /// Rooms with these settings, still empty.
    pub fn new(settings: RoomsSettings) -> Result<Self, Error> {
        settings.validate()?;
        let statistics = Arc::new(RoomStatistics::new());
        let (shared, unpublished) = settings
            .redis_client()?
            .map(|client| {
                let lifetime = settings.faults.kill_subscription;
                SharedChannel::new(client, lifetime, statistics.clone())
            })
            .unzip();
        Ok(Self {
            house: Arc::new(House::new(Arc::new(settings), statistics, shared)),
            unpublished,
            counters: Listeners::default().of(Name::Rooms).clone(),
        })
    }

    /// The same, counted among the listeners of the process.
    #[must_use]
    pub fn among(mut self, listeners: &Listeners) -> Self {
        self.counters = listeners.of(Name::Rooms).clone();
        self
    }

    /// Serves clients until `shutdown`, then closes their sockets, which takes two seconds at most.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let Self {
            house,
            unpublished,
            counters,
        } = self;
        // Ends what is left when this future is dropped before its end.
        let _stop = house.shutdown.clone().drop_guard();
        let tasks = TaskTracker::new();
        let until_shutdown = |house: &Arc<House>| (house.clone(), house.shutdown.clone());
        let (clock, stop) = until_shutdown(&house);
        tasks.spawn(async move { stop.run_until_cancelled(clock.state.keep_time()).await });
        if let (Some(shared), Some(unpublished)) = (house.shared.clone(), unpublished) {
            let (receiving, stop) = (shared.clone(), house.shutdown.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(shared.publish_all(unpublished))
                    .await
            });
            let to = house.clone();
            let stop = house.shutdown.clone();
            tasks.spawn(async move {
                let delivering = receiving.deliver_all(|said| to.deliver(said));
                stop.run_until_cancelled(delivering).await
            });
        }
        let limits = listener::Limits {
            connections: house.settings.limits.sockets.get() as usize + OTHER_CONNECTIONS,
            ..listener::Limits::USUAL
        };
        let connections = Connections::new(limits, counters);
        let router = api::router(house.clone());
        let serving = listener::serve(listener, router, connections, house.shutdown.clone());
        let ending = async {
            shutdown.cancelled().await;
            house.shutdown.cancel();
            house.close_all(SentCode::AWAY);
            tasks.close();
            tasks.wait().await;
        };
        tokio::join!(serving, ending);
    }
}
