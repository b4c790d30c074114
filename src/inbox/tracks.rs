//! Tracks of one chat that wait for the same events, each on its own.

/// Some of the tracks of a chat that go on side by side, by their positions below 16.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TrackSet(u16);

/// A track that waits beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackWait {
    own: TrackSet,
    /// Those that may wait for events of callbacks.
    all: TrackSet,
}

impl TrackSet {
    /// This set and the track at a position.
    #[must_use]
    pub fn with(self, position: usize) -> Self {
        // There are no more tracks in a scenario than bits.
        debug_assert!(position < 16, "track {position}");
        Self(self.0 | 1 << (position % 16))
    }

    /// Whether it is empty.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether an event that these have taken is none for a wait: the track has had it, or the chat has that goes on alone.
    pub(super) fn keeps_from(self, track: Option<TrackWait>) -> bool {
        match track {
            Some(track) => self.0 & track.own.0 != 0,
            None => !self.is_empty(),
        }
    }

    /// These and the track that waits, unless no other one may take the event after them.
    pub(super) fn take(self, track: TrackWait) -> Option<Self> {
        let taken = Self(self.0 | track.own.0);
        (track.all.0 & !taken.0 != 0).then_some(taken)
    }
}

impl TrackWait {
    /// A wait of the track at a position, beside those that may wait for events of callbacks.
    pub fn new(position: usize, all: TrackSet) -> Self {
        Self {
            own: TrackSet::default().with(position),
            all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_there_until_each_track_that_may_wait_for_it_has_taken_it() {
        let all = TrackSet::default().with(0).with(15);
        let [first, last] = [0, 15].map(|position| TrackWait::new(position, all));
        let none = TrackSet::default();
        assert!(!none.keeps_from(None) && !none.keeps_from(Some(first)));
        let taken = none.take(first).unwrap();
        assert!(taken.keeps_from(Some(first)) && taken.keeps_from(None));
        assert!(!taken.keeps_from(Some(last)));
        assert_eq!(taken.take(last), None);
        let alone = TrackWait::new(3, TrackSet::default().with(3));
        assert_eq!(none.take(alone), None);
    }
}
