use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    MetricsError,
    boundaries::{BESIDES_BOUNDARIES, LATENESS_SECONDS, PHASE_SECONDS},
    family::{Family, Maker, SUBJECT},
};
use crate::{
    event::CloseCode,
    scenario::{FrameKind, SocketEnd, SocketEvent},
};

/// The values of the label `direction`: what the target sends is received.
const SENT: &str = "sent";
const RECEIVED: &str = "received";

/// The metrics about sockets and their frames.
pub(super) struct SocketFamilies {
    open: Family<IntGauge>,
    closed: Family<IntCounter>,
    frames: Family<IntCounter>,
    bytes: Family<IntCounter>,
    dropped: Family<IntCounter>,
    pong: Family<Histogram>,
    send: Family<Histogram>,
    read_delay: Family<Histogram>,
}

/// Whether sockets that were closed so begin at 0: the target may give any code, and chatprobe and the network give few.
fn is_declared(by: SocketEnd, code: CloseCode) -> bool {
    match by {
        SocketEnd::Target => true,
        SocketEnd::Us => matches!(code, CloseCode::Normal | CloseCode::GoingAway),
        SocketEnd::Network => code == CloseCode::None,
    }
}

impl SocketFamilies {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            open: make.int_gauges(
                "chatprobe_sockets_open",
                "Sockets of chats that are open now.",
                SUBJECT,
            )?,
            closed: make.counters(
                "chatprobe_sockets_closed_total",
                "Sockets of chats that ended, by who ended them (target, us, network) and by the code that was given.",
                &["scenario", "target", "mode", "by", "code"],
            )?,
            frames: make.counters(
                "chatprobe_frames_total",
                "Frames with data over sockets, by direction (sent, received) and kind (text, binary).",
                &["scenario", "target", "mode", "direction", "kind"],
            )?,
            bytes: make.counters(
                "chatprobe_frame_bytes_total",
                "Bytes of data in frames over sockets, by direction (sent, received).",
                &["scenario", "target", "mode", "direction"],
            )?,
            dropped: make.counters(
                "chatprobe_frames_dropped_total",
                "Received frames that fell out of the inbox of their chat before a step looked at them, because it kept too many.",
                SUBJECT,
            )?,
            pong: make.histograms(
                "chatprobe_socket_pong_seconds",
                "How long the target took to answer pings over sockets.",
                SUBJECT,
                PHASE_SECONDS,
            )?,
            send: make.histograms(
                "chatprobe_frame_send_seconds",
                "Until the system had taken a frame that was sent; it is long where the target reads too slowly.",
                SUBJECT,
                LATENESS_SECONDS,
            )?,
            read_delay: make.histograms(
                "chatprobe_frame_read_delay_seconds",
                "How long the system had had a frame when chatprobe read it, where the system tells.",
                SUBJECT,
                LATENESS_SECONDS,
            )?,
        })
    }

    /// How many series a subject has at first.
    pub(super) fn series_per_subject() -> usize {
        let by = |by| {
            CloseCode::ALL
                .into_iter()
                .filter(move |code| is_declared(by, *code))
        };
        let closed = SocketEnd::ALL.into_iter().flat_map(by).count();
        let directions = 2;
        let frames = directions * FrameKind::ALL.len();
        let histograms = [PHASE_SECONDS, LATENESS_SECONDS, LATENESS_SECONDS];
        let histograms = histograms.map(|bounds| bounds.len() + BESIDES_BOUNDARIES);
        // Open and dropped.
        2 + closed + frames + directions + histograms.iter().sum::<usize>()
    }

    /// Those of a subject; they begin at 0.
    pub(super) fn series(&self, labels: &[Arc<str>; 3]) -> SocketSeries {
        let subject: [&str; 3] = [&labels[0], &labels[1], &labels[2]];
        SocketSeries {
            open: self.open.child(&subject),
            closed: SocketEnd::ALL.map(|by| ClosedSeries::new(&self.closed, labels, by)),
            sent: self.direction(&subject, SENT),
            received: self.direction(&subject, RECEIVED),
            dropped: self.dropped.child(&subject),
            pong: self.pong.child(&subject),
            send: self.send.child(&subject),
            read_delay: self.read_delay.child(&subject),
        }
    }

    fn direction(&self, [scenario, target, mode]: &[&str; 3], direction: &str) -> FrameSeries {
        FrameSeries {
            frames: FrameKind::ALL.map(|kind| {
                let labels = [scenario, target, mode, direction, kind.as_str()];
                self.frames.child(&labels)
            }),
            bytes: self.bytes.child(&[scenario, target, mode, direction]),
        }
    }

    pub(super) fn remove(&self, subject: &[&str]) {
        self.open.remove(subject);
        for counters in [&self.closed, &self.frames, &self.bytes, &self.dropped] {
            counters.remove(subject);
        }
        for histograms in [&self.pong, &self.send, &self.read_delay] {
            histograms.remove(subject);
        }
    }
}

/// The sockets of one run.
pub(super) struct SocketSeries {
    open: IntGauge,
    /// In the order of [`SocketEnd::ALL`].
    closed: [ClosedSeries; SocketEnd::ALL.len()],
    sent: FrameSeries,
    received: FrameSeries,
    dropped: IntCounter,
    pong: Histogram,
    send: Histogram,
    read_delay: Histogram,
}

/// Sockets that somebody closed. Those whose codes are not declared begin with the first one.
struct ClosedSeries {
    family: Family<IntCounter>,
    subject: [Arc<str>; 3],
    by: SocketEnd,
    /// In the order of [`CloseCode::ALL`].
    codes: [OnceLock<IntCounter>; CloseCode::ALL.len()],
}

/// Frames in one direction.
struct FrameSeries {
    /// In the order of [`FrameKind::ALL`].
    frames: [IntCounter; FrameKind::ALL.len()],
    bytes: IntCounter,
}

impl SocketSeries {
    pub(super) fn count(&self, event: SocketEvent) {
        match event {
            SocketEvent::Opened => self.open.inc(),
            SocketEvent::Closed { by, code } => {
                self.open.dec();
                self.closed[by as usize].counter(code.into()).inc();
            }
            SocketEvent::Received {
                kind,
                bytes,
                read_delay,
            } => {
                self.received.count(kind, bytes);
                if let Some(delay) = read_delay {
                    observe(&self.read_delay, delay);
                }
            }
            SocketEvent::Sent { kind, bytes, took } => {
                self.sent.count(kind, bytes);
                observe(&self.send, took);
            }
            SocketEvent::Ponged { after } => observe(&self.pong, after),
            SocketEvent::Dropped => self.dropped.inc(),
        }
    }
}

impl ClosedSeries {
    fn new(family: &Family<IntCounter>, subject: &[Arc<str>; 3], by: SocketEnd) -> Self {
        let series = Self {
            family: family.clone(),
            subject: subject.clone(),
            by,
            codes: Default::default(),
        };
        for code in CloseCode::ALL {
            if is_declared(by, code) {
                series.counter(code);
            }
        }
        series
    }

    fn counter(&self, code: CloseCode) -> &IntCounter {
        self.codes[code as usize].get_or_init(|| {
            let [scenario, target, mode] = &self.subject;
            let labels: [&str; 5] = [scenario, target, mode, self.by.as_str(), code.as_str()];
            self.family.child(&labels)
        })
    }
}

impl FrameSeries {
    fn count(&self, kind: FrameKind, bytes: usize) {
        self.frames[kind as usize].inc();
        self.bytes.inc_by(bytes as u64);
    }
}

fn observe(histogram: &Histogram, duration: Duration) {
    histogram.observe(duration.as_secs_f64());
}
