//! What a socket does by itself when its time has come.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::opening::{Opening, PingSettings};
use crate::arrival::ArrivalClock;

/// An interval that is shorter would keep the task busy.
const SHORTEST: Duration = Duration::from_millis(1);

/// The times of one socket. There is one alarm for all of them, and none where there is nothing to wait for.
pub(super) struct Timers {
    alarm: Option<Pin<Box<Sleep>>>,
    ping: Option<Box<PingTimer>>,
    heartbeats: Box<[HeartbeatTimer]>,
    deadline: Option<Instant>,
    /// When it was seen that the socket is to end. It ends once all is read that had arrived by then.
    seen_over: Option<Instant>,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DueAct {
    /// Send a ping.
    Ping,
    /// The target has not answered one in time.
    NoPong,
    /// Send the heartbeat at this position.
    Heartbeat(usize),
    /// The time of what is being done is over.
    Deadline,
}

struct PingTimer {
    settings: PingSettings,
    /// Of the ping sent last; each has another one.
    number: u64,
    state: PingState,
}

enum PingState {
    /// The next one is sent then.
    Idle(Instant),
    /// One is to be written.
    Waiting {
        /// When the answer has to be there.
        deadline: Instant,
    },
    /// One was written.
    Asked { at: Instant, deadline: Instant },
}

struct HeartbeatTimer {
    interval: Duration,
    next: Instant,
}

impl Timers {
    /// The pings and heartbeats of a socket that is open from now on.
    pub(super) fn of(opening: &Opening, now: Instant) -> Self {
        let ping = opening.ping.map(|settings| {
            Box::new(PingTimer {
                settings,
                number: 0,
                state: PingState::Idle(now + settings.every.max(SHORTEST)),
            })
        });
        let heartbeats = opening.heartbeats.iter().map(|interval| {
            let interval = (*interval).max(SHORTEST);
            let next = now + interval;
            HeartbeatTimer { interval, next }
        });
        Self {
            alarm: None,
            ping,
            heartbeats: heartbeats.collect(),
            deadline: None,
            seen_over: None,
        }
    }

    /// Nothing but a time at which all is over.
    pub(super) fn until(deadline: Instant) -> Self {
        Self {
            alarm: None,
            ping: None,
            heartbeats: Box::default(),
            deadline: Some(deadline),
            seen_over: None,
        }
    }

    /// Sets the deadline of a close. It is all that counts from now on: pings and heartbeats are not written any more.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        if self.deadline != Some(deadline) {
            *self = Self::until(deadline);
        }
    }

    /// What is due, once; the task is woken when something is.
    ///
    /// `more` is given by a caller that has read something and goes on reading: the answer that is missed may have
    /// arrived in time and be read late, so the socket does not end before everything is read that is there by now.
    pub(super) fn poll_due(
        &mut self,
        context: &mut Context<'_>,
        more: Option<&ArrivalClock>,
    ) -> Poll<DueAct> {
        let Some((at, due)) = self.next() else {
            return Poll::Pending;
        };
        let alarm = (self.alarm).get_or_insert_with(|| Box::pin(sleep_until(at)));
        if alarm.deadline() != at {
            alarm.as_mut().reset(at);
        }
        if alarm.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let now = Instant::now();
        if matches!(due, DueAct::NoPong | DueAct::Deadline) {
            let seen = *self.seen_over.get_or_insert(now);
            if more.is_some_and(|arrivals| arrivals.latest().at <= seen) {
                return Poll::Pending;
            }
        }
        self.begin(due, now);
        Poll::Ready(due)
    }

    /// What the ping says that is to be written, if there is one; it is written now.
    pub(super) fn take_ping(&mut self, now: Instant) -> Option<[u8; 8]> {
        let ping = self.ping.as_deref_mut()?;
        let PingState::Waiting { deadline } = ping.state else {
            return None;
        };
        ping.state = PingState::Asked { at: now, deadline };
        Some(ping.number.to_be_bytes())
    }

    /// The target sent a pong: how long after the ping, if it is an answer to it.
    pub(super) fn ponged(&mut self, content: &[u8], now: Instant) -> Option<Duration> {
        let ping = self.ping.as_deref_mut()?;
        let PingState::Asked { at, .. } = ping.state else {
            return None;
        };
        if content != ping.number.to_be_bytes() {
            return None;
        }
        ping.state = PingState::Idle(now + ping.settings.every.max(SHORTEST));
        self.seen_over = None;
        Some(now.saturating_duration_since(at))
    }

    /// How long the target may take to answer a ping.
    pub(super) fn pong_within(&self) -> Duration {
        let ping = self.ping.as_deref();
        ping.map_or(Duration::ZERO, |ping| ping.settings.within)
    }

    fn next(&self) -> Option<(Instant, DueAct)> {
        let ping = self.ping.as_deref().map(|ping| match ping.state {
            PingState::Idle(next) => (next, DueAct::Ping),
            PingState::Waiting { deadline } | PingState::Asked { deadline, .. } => {
                (deadline, DueAct::NoPong)
            }
        });
        let deadline = self.deadline.map(|at| (at, DueAct::Deadline));
        let heartbeats = self.heartbeats.iter().enumerate();
        let heartbeats =
            heartbeats.map(|(position, beat)| (beat.next, DueAct::Heartbeat(position)));
        ping.into_iter()
            .chain(deadline)
            .chain(heartbeats)
            .min_by_key(|(at, _)| *at)
    }

    fn begin(&mut self, due: DueAct, now: Instant) {
        match due {
            DueAct::Ping => {
                if let Some(ping) = &mut self.ping {
                    ping.number += 1;
                    ping.state = PingState::Waiting {
                        deadline: now + ping.settings.within,
                    };
                }
            }
            DueAct::Heartbeat(position) => {
                let beat = &mut self.heartbeats[position];
                // In step with the opening; those that were missed while this machine was busy are left out.
                let on_time = beat.next + beat.interval;
                beat.next = if on_time > now {
                    on_time
                } else {
                    now + beat.interval
                };
            }
            // The socket ends.
            DueAct::NoPong | DueAct::Deadline => {}
        }
    }
}
