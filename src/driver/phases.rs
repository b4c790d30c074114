use std::{num::NonZeroU32, time::Duration};

/// A part of the time that a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The lookup of the host name.
    Lookup,
    /// The TCP connection, and the tunnel through a proxy if there is one.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the moment at which the request could be sent to the head of its answer.
    FirstByte,
}

impl Phase {
    /// Every phase, in the order in which they take place.
    pub const ALL: [Self; 4] = [Self::Lookup, Self::Connect, Self::Tls, Self::FirstByte];

    /// The word used as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::FirstByte => "first_byte",
        }
    }
}

/// How long the phases of one request took. A request on a connection that was open already has no
/// lookup, connect and TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    finished: [Option<Micros>; Phase::ALL.len()],
    /// The phase in which the request failed or was given up.
    unfinished: Option<(Phase, Micros)>,
}

/// A duration in whole microseconds, up to an hour or so. It is kept with every step of every chat in
/// progress, where a `Duration` would take four times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Micros(NonZeroU32);

impl Micros {
    fn of(duration: Duration) -> Self {
        let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX - 1);
        // Zero cannot be stored, so that everything is stored as one more.
        Self(NonZeroU32::MIN.saturating_add(micros))
    }

    fn duration(self) -> Duration {
        Duration::from_micros(u64::from(self.0.get() - 1))
    }
}

impl Phases {
    /// Adds to a phase that is over.
    pub fn finish(&mut self, phase: Phase, took: Duration) {
        let sum = &mut self.finished[phase as usize];
        let before = sum.map(Micros::duration).unwrap_or_default();
        *sum = Some(Micros::of(before + took));
    }

    /// Notes the phase in which the request ended without an answer.
    pub fn break_off(&mut self, phase: Phase, after: Duration) {
        self.unfinished = Some((phase, Micros::of(after)));
    }

    /// The phases that are over, in their order.
    pub fn finished(&self) -> impl Iterator<Item = (Phase, Duration)> + '_ {
        let phases = Phase::ALL.into_iter();
        phases.filter_map(|phase| Some((phase, self.finished[phase as usize]?.duration())))
    }

    /// The phase in which the request ended without an answer, and how long that had taken.
    pub fn unfinished(&self) -> Option<(Phase, Duration)> {
        let (phase, after) = self.unfinished?;
        Some((phase, after.duration()))
    }
}
