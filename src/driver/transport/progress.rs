//! How far a request has got, from the wait for a connection to its answer: measured for the answer, and for whoever
//! gives it up.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::failure::TransportFailure;
use crate::{
    driver::{Phase, Phases},
    lookups::MOST_THREADS,
    units::duration,
};

/// Addresses that a failure names; a name may have dozens.
const MOST_NAMED_ADDRESSES: usize = 6;

/// One request, or one socket that is being opened, on its way.
pub(in crate::driver) struct Progress {
    /// When the request was asked for.
    pub(in crate::driver) sent_at: Instant,
    timeout: Duration,
    /// From `sent_at` until there was a connection, or leave to open one.
    waited: Option<Duration>,
    stage: Stage,
    /// When the stage began.
    since: Instant,
    phases: Phases,
    /// The addresses that a connection is tried to.
    addresses: Vec<SocketAddr>,
    /// The proxy to which a connection is being opened.
    pub(super) proxy: Option<String>,
    /// How long a byte takes to the server and back, as far as the last connection showed it.
    pub(in crate::driver) round_trip: Duration,
    /// When the certificate of the target ends, if a handshake showed it.
    pub(in crate::driver) certificate_expires: Option<SystemTime>,
}

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::driver) enum Stage {
    /// A connection, or leave to open one.
    Connection,
    /// A thread for the lookup of a name.
    LookupThread,
    /// The addresses of a name.
    Lookup,
    /// A TCP connection.
    Connect,
    /// The proxy's answer to CONNECT.
    Tunnel,
    /// The TLS handshake.
    Tls,
    /// The head of the answer.
    Answer,
    /// The rest of the answer.
    Body,
}

impl Stage {
    fn phase(self) -> Option<Phase> {
        match self {
            Self::Connection | Self::Body => None,
            Self::LookupThread | Self::Lookup => Some(Phase::Lookup),
            Self::Connect | Self::Tunnel => Some(Phase::Connect),
            Self::Tls => Some(Phase::Tls),
            Self::Answer => Some(Phase::FirstByte),
        }
    }
}

impl Progress {
    pub(in crate::driver) fn begin(timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            sent_at: now,
            timeout,
            waited: None,
            stage: Stage::Connection,
            since: now,
            phases: Phases::default(),
            addresses: Vec::new(),
            proxy: None,
            round_trip: Duration::ZERO,
            certificate_expires: None,
        }
    }

    /// There was a connection without a wait. Before the first one nothing else took any time.
    pub(in crate::driver) fn granted_at_once(&mut self) {
        if self.waited.is_none() {
            self.waited = Some(Duration::ZERO);
            self.since = self.sent_at;
        } else {
            self.since = Instant::now();
        }
    }

    /// There is a connection, or leave to open one.
    pub(in crate::driver) fn granted(&mut self) {
        let now = Instant::now();
        let sent_at = self.sent_at;
        self.waited
            .get_or_insert_with(|| now.saturating_duration_since(sent_at));
        self.since = now;
    }

    /// Goes on to another stage. One that comes later finishes the one before; one that comes earlier
    /// begins anew, on another connection.
    pub(in crate::driver) fn reach(&mut self, stage: Stage) {
        let over = stage > self.stage && self.stage.phase().is_some();
        if !over && stage.phase().is_none() {
            // No phase ends and none begins: there is nothing to measure.
            self.stage = stage;
            return;
        }
        self.reach_at(stage, Instant::now());
    }

    /// The head of the answer arrived then: earlier than it was read.
    pub(in crate::driver) fn head_arrived(&mut self, at: Instant) {
        self.reach_at(Stage::Body, at);
    }

    fn reach_at(&mut self, stage: Stage, at: Instant) {
        if stage > self.stage
            && let Some(phase) = self.stage.phase()
        {
            let took = at.saturating_duration_since(self.since);
            self.phases.finish(phase, took);
        }
        self.stage = stage;
        self.since = at;
    }

    /// The lookup of the name has a thread. The wait for it counts as part of the lookup.
    pub(super) fn lookup_begun(&mut self) {
        self.stage = Stage::Lookup;
    }

    /// The connection is ready and the request goes out. It counts from when the connection was ready:
    /// nothing was waited for since.
    pub(in crate::driver) fn send(&mut self) {
        self.stage = Stage::Answer;
    }

    /// The addresses that a connection is tried to from now on.
    pub(super) fn try_addresses(&mut self, addresses: &[SocketAddr]) {
        self.addresses = addresses.to_vec();
        self.reach(Stage::Connect);
    }

    /// How much of the time limit is left.
    pub(in crate::driver) fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.sent_at.elapsed())
    }

    /// Whether a connection, or leave to open one, was there.
    pub(in crate::driver) fn is_granted(&self) -> bool {
        self.waited.is_some()
    }

    /// From `sent_at` until there was a connection, or leave to open one; until now if there was none.
    pub(in crate::driver) fn waited(&self) -> Duration {
        self.waited.unwrap_or_else(|| self.sent_at.elapsed())
    }

    /// How long the phases of a request took that was answered.
    pub(in crate::driver) fn phases(&self) -> Phases {
        self.phases
    }

    /// How long the phases of a request took that failed.
    pub(in crate::driver) fn phases_of_failure(&self) -> Phases {
        let mut phases = self.phases;
        if let Some(phase) = self.stage.phase() {
            phases.break_off(phase, self.since.elapsed());
        }
        phases
    }

    /// Why the time was over, if there was a connection or leave to open one.
    pub(in crate::driver) fn out_of_time(&self) -> TransportFailure {
        let cause = self.late_stage();
        match (&self.proxy, self.stage) {
            (Some(proxy), Stage::LookupThread | Stage::Lookup | Stage::Connect) => {
                cause.at_proxy(proxy)
            }
            _ => cause,
        }
    }

    fn late_stage(&self) -> TransportFailure {
        let timeout = duration::exact(self.timeout);
        match self.stage {
            Stage::Connection => TransportFailure::connect(&format!(
                "no connection within {timeout}: none to this server was free, and none could be opened"
            )),
            Stage::LookupThread => TransportFailure::exhausted(&format!(
                "no connection within {timeout}: all {MOST_THREADS} threads for lookups were in use by other names"
            )),
            Stage::Lookup => TransportFailure::lookup(format!(
                "no connection within {timeout}: the lookup of the name did not end"
            )),
            Stage::Connect => TransportFailure::connect(&format!(
                "no connection within {timeout}: no answer from {}",
                self.tried()
            )),
            Stage::Tunnel => TransportFailure::connect(&format!(
                "no connection within {timeout}: the proxy {} did not answer CONNECT",
                self.tried()
            )),
            Stage::Tls => TransportFailure::connect(&format!(
                "no connection within {timeout}: the TLS handshake with {} did not end",
                self.tried()
            )),
            Stage::Answer | Stage::Body => {
                TransportFailure::timeout(format!("no complete answer within {timeout}"))
            }
        }
    }

    fn tried(&self) -> String {
        let named: Vec<_> = (self.addresses.iter().take(MOST_NAMED_ADDRESSES))
            .map(ToString::to_string)
            .collect();
        let more = match self.addresses.len().saturating_sub(MOST_NAMED_ADDRESSES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        named.join(", ") + &more
    }
}
