//! Sockets of chats in the reports of runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FrameFigures, Quantiles, add_counts, measurements::SocketCounts};
use crate::{event::CloseCode, scenario::SocketEnd};

/// The sockets of a run. Times are in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SocketReport {
    /// Sockets that were opened.
    pub opened: u64,
    /// Those of them that are open.
    pub open: u64,
    /// How many ended, by who ended them (`target`, `us`, `network`) and by the code that was given: `1000` to `1014`,
    /// `app` for 3000 to 4999, `none`, `other`.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u64>>)]
    pub closed: BTreeMap<SocketEnd, BTreeMap<CloseCode, u64>>,
    /// Frames with data that went out.
    pub sent: FrameFigures,
    /// Frames with data that came.
    pub received: FrameFigures,
    /// Received frames that fell out of the inbox of their chat before a step looked at them.
    pub dropped: u64,
    /// How long the target took to answer pings.
    pub pong: Quantiles,
    /// Until the system had taken frames that were sent.
    pub send: Quantiles,
    /// How long the system had had frames when they were read, where it tells.
    pub read_delay: Quantiles,
}

/// The sockets of a run in one second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SocketSample {
    /// Sockets that were opened in it.
    pub opened: u64,
    /// How many ended in it, by who ended them.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub closed: BTreeMap<SocketEnd, u64>,
    /// Frames with data that went out in it.
    pub sent: FrameFigures,
    /// Frames with data that came in it.
    pub received: FrameFigures,
}

impl SocketReport {
    pub(super) fn of(counts: &SocketCounts) -> Self {
        Self {
            opened: counts.opened,
            open: counts.open(),
            closed: counts.closed.clone(),
            sent: counts.sent,
            received: counts.received,
            dropped: counts.dropped,
            pong: Quantiles::of(&counts.pong),
            send: Quantiles::of(&counts.send),
            read_delay: Quantiles::of(&counts.read_delay),
        }
    }

    /// How many ended, by who ended them, the codes in words: `3 (1001: 2, none: 1)`.
    pub fn closed_in_words(&self) -> impl Iterator<Item = (SocketEnd, u64, String)> {
        self.closed.iter().map(|(by, codes)| {
            let told: Vec<_> = codes
                .iter()
                .map(|(code, count)| format!("{}: {count}", code.as_str()))
                .collect();
            (*by, codes.values().sum(), told.join(", "))
        })
    }
}

impl SocketSample {
    /// Takes in what happened next.
    pub(super) fn join(&mut self, next: &Self) {
        self.opened += next.opened;
        add_counts(&mut self.closed, &next.closed);
        self.sent.merge(next.sent);
        self.received.merge(next.received);
    }

    /// `None` where nothing happened to sockets.
    pub(super) fn of(counts: &SocketCounts) -> Option<Self> {
        let ends = counts.closed.keys();
        (!counts.is_empty()).then(|| Self {
            opened: counts.opened,
            closed: ends.map(|by| (*by, counts.closed_by(*by))).collect(),
            sent: counts.sent,
            received: counts.received,
        })
    }
}
