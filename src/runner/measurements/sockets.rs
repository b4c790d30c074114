//! Sockets of chats and their frames.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::CloseCode,
    runner::{EndedSockets, FrameFigures, latencies::Latencies, outcomes::add_counts},
    scenario::{FrameKind, SocketEnd, SocketEvent},
};

/// What happened to sockets. Of a part of a run more may have been closed than were opened.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::runner) struct SocketCounts {
    pub(in crate::runner) opened: u64,
    pub(in crate::runner) closed: BTreeMap<SocketEnd, BTreeMap<CloseCode, u64>>,
    pub(in crate::runner) sent: FrameFigures,
    pub(in crate::runner) received: FrameFigures,
    /// Frames that fell out of the inboxes of chats.
    pub(in crate::runner) dropped: u64,
    /// How long pings took that were answered.
    pub(in crate::runner) pong: Latencies,
    /// Until the system had taken frames that were sent.
    pub(in crate::runner) send: Latencies,
    /// How long the system had had frames when they were read.
    pub(in crate::runner) read_delay: Latencies,
}

impl SocketCounts {
    pub(super) fn record(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Opened => self.opened += 1,
            SocketEvent::Closed { by, code } => {
                let codes = self.closed.entry(by).or_default();
                *codes.entry(code.into()).or_default() += 1;
            }
            SocketEvent::Received {
                kind,
                bytes,
                read_delay,
            } => {
                self.received.add(kind, bytes);
                if let Some(delay) = read_delay {
                    self.read_delay.record(delay);
                }
            }
            SocketEvent::Sent { kind, bytes, took } => {
                self.sent.add(kind, bytes);
                self.send.record(took);
            }
            SocketEvent::Ponged { after } => self.pong.record(after),
            SocketEvent::Dropped => self.dropped += 1,
        }
    }

    pub(super) fn merge(&mut self, others: &Self) {
        self.opened += others.opened;
        for (by, codes) in &others.closed {
            add_counts(self.closed.entry(*by).or_default(), codes);
        }
        self.sent.merge(others.sent);
        self.received.merge(others.received);
        self.dropped += others.dropped;
        self.pong.merge(&others.pong);
        self.send.merge(&others.send);
        self.read_delay.merge(&others.read_delay);
    }

    /// Those that ended.
    pub(in crate::runner) fn ended(&self) -> EndedSockets {
        EndedSockets {
            ended: self.closed.keys().map(|by| self.closed_by(*by)).sum(),
            by_target: self.closed_by(SocketEnd::Target),
        }
    }

    pub(in crate::runner) fn is_empty(&self) -> bool {
        let frames = self.sent.frames() + self.received.frames();
        self.opened + frames + self.dropped + self.pong.count() == 0 && self.closed.is_empty()
    }

    /// Forgets all of them and keeps the memory of histograms.
    pub(super) fn clear(&mut self) {
        let mut kept = std::mem::take(self);
        for latencies in [&mut kept.pong, &mut kept.send, &mut kept.read_delay] {
            latencies.clear();
        }
        *self = Self {
            pong: kept.pong,
            send: kept.send,
            read_delay: kept.read_delay,
            ..Self::default()
        };
    }

    /// Those that were closed by somebody, whatever the code.
    pub(in crate::runner) fn closed_by(&self, by: SocketEnd) -> u64 {
        let codes = self.closed.get(&by);
        codes.map_or(0, |codes| codes.values().sum())
    }

    /// Those that were opened and not closed.
    pub(in crate::runner) fn open(&self) -> u64 {
        let closed: u64 = SocketEnd::ALL.map(|by| self.closed_by(by)).iter().sum();
        self.opened.saturating_sub(closed)
    }
}

impl FrameFigures {
    fn add(&mut self, kind: FrameKind, bytes: usize) {
        match kind {
            FrameKind::Text => self.text += 1,
            FrameKind::Binary => self.binary += 1,
        }
        self.bytes += bytes as u64;
    }

    pub(in crate::runner) fn merge(&mut self, others: Self) {
        self.text += others.text;
        self.binary += others.binary;
        self.bytes += others.bytes;
    }
}
