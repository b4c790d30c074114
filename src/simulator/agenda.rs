//! What is to happen when.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Stands in for moments too far away to be represented.
const FAR: Duration = Duration::from_hours(24 * 365);

/// Entries ordered by time; entries of one moment keep the order in which they were made.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    entries: BTreeMap<Key, T>,
    next_number: u64,
}

/// Names an entry, to strike it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    when: Instant,
    number: u64,
}

/// The moment `delay` after `now`.
pub(super) fn after(now: Instant, delay: Duration) -> Instant {
    now + delay.min(FAR)
}

impl<T> Agenda<T> {
    pub fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            next_number: 0,
        }
    }

    pub fn add(&mut self, when: Instant, what: T) -> Key {
        let key = Key {
            when,
            number: self.next_number,
        };
        self.next_number += 1;
        self.entries.insert(key, what);
        key
    }

    /// Strikes an entry out; one that has come due already is no mistake.
    pub fn strike(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// When the first entry comes due.
    pub fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(key, _)| key.when)
    }

    /// Takes the first entry if it has come due, with the moment it was meant for.
    pub fn due(&mut self, now: Instant) -> Option<T> {
        let first = self.entries.first_entry()?;
        (first.key().when <= now).then(|| first.remove())
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_due_by_time_then_by_order_of_making() {
        let mut agenda = Agenda::new();
        let now = Instant::now();
        agenda.add(after(now, Duration::from_secs(2)), "late");
        agenda.add(now, "first");
        let struck = agenda.add(now, "struck");
        agenda.add(now, "second");
        agenda.strike(struck);
        assert_eq!(agenda.due(now), Some("first"));
        assert_eq!(agenda.due(now), Some("second"));
        assert_eq!(agenda.due(now), None);
        assert_eq!(agenda.next(), Some(now + Duration::from_secs(2)));
    }

    #[test]
    fn a_moment_beyond_all_time_is_a_year_away() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::MAX), now + FAR);
    }
}
