use super::{Inbound, TrackSet, deliveries::Repeated};
use crate::{event::Fate, scenario::InboundSource};

/// An event in an inbox.
#[derive(Debug)]
pub(super) struct KeptEvent {
    /// Of the events of an inbox, the later one has the higher number.
    pub(super) number: u64,
    pub(super) inbound: Inbound,
    /// In a box, because most events repeat none.
    pub(super) repeats: Option<Box<Repetition>>,
    /// A wait found that it does not say that the other side left.
    pub(super) is_no_departure: bool,
    /// Tracks that have taken it, while others may still. It is settled then.
    pub(super) taken_by: TrackSet,
}

/// An equal event arrived before, and the id does not tell whether the two are one. The later one is taken for a
/// redelivery unless the chat has sent a request in between.
#[derive(Debug)]
pub(super) struct Repetition {
    pub(super) repeated: Repeated,
    pub(super) id: Box<str>,
}

impl KeptEvent {
    /// Whether it is the end of a connection, which no wait takes.
    pub(super) fn is_end(&self) -> bool {
        self.inbound.source.is_end()
    }

    /// Whether it is a frame of a connection.
    pub(super) fn is_frame(&self) -> bool {
        matches!(self.inbound.source, InboundSource::Connection(_))
    }

    /// What becomes of it if no wait takes it.
    pub(super) fn fate_if_left(&self) -> Fate {
        let repeats = self.repeats.as_ref();
        repeats.map_or(Fate::Ignored, |repetition| repetition.repeated.fate)
    }

    /// What is kept with it, in bytes.
    pub(super) fn besides(&self) -> usize {
        self.repeats.as_ref().map_or(0, |repeats| repeats.id.len())
    }
}
