use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use super::Identity;
use crate::event::Fate;

/// Deliveries that one inbox remembers: the latest ones. 40 KB.
const MOST_DELIVERIES: usize = 1_000;

/// An event that an inbound event is equal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated {
    /// When it arrived last.
    pub(super) before: Instant,
    /// What the later one is if both are one.
    pub(super) fate: Fate,
}

/// How an event relates to those that came for the same chat before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// Its id is new.
    New,
    /// Its id has come, with another content.
    OtherContent,
    /// Its id and content have come.
    Equal {
        /// When the equal event came, and how this one counts because of it.
        repeated: Repeated,
        /// Whether ids of this chat do not identify its events: this one came with other contents too, or
        /// at least half of all did. One event that is sent again in a changed form, such as an edited
        /// message, says nothing about the others.
        ids_repeat: bool,
    },
}

/// The latest deliveries of one chat. A new one takes the place of the oldest.
#[derive(Debug, Default)]
pub(super) struct Deliveries(VecDeque<Delivered>);

#[derive(Debug)]
struct Delivered {
    id: u64,
    content: u64,
    latest: Instant,
    /// The numbers of the first runs through which it came; zero for none.
    through: [u32; 2],
}

impl Delivered {
    /// What another delivery through this run is. Of three runs or more, each delivery through the later ones came
    /// through another callback than the first.
    fn repeated_through(&mut self, run: u32) -> Fate {
        let [first, second] = &mut self.through;
        if *first == run || *second == run {
            return Fate::Duplicate;
        }
        if *second == 0 {
            *second = run;
        }
        Fate::OtherCallback
    }
}

impl Deliveries {
    /// Notes a delivery through the run of this number.
    pub(super) fn note(&mut self, identity: &Identity, arrived: Instant, run: u32) -> Relation {
        let mut relation = Relation::New;
        let mut equal = None;
        for delivered in &mut self.0 {
            if delivered.id != identity.hash {
                continue;
            }
            if delivered.content == identity.content {
                equal = Some(Repeated {
                    fate: delivered.repeated_through(run),
                    before: std::mem::replace(&mut delivered.latest, arrived),
                });
            } else {
                relation = Relation::OtherContent;
            }
        }
        if let Some(repeated) = equal {
            return Relation::Equal {
                repeated,
                ids_repeat: relation == Relation::OtherContent || self.half_of_the_ids_repeat(),
            };
        }
        if self.0.len() >= MOST_DELIVERIES {
            self.0.pop_front();
        }
        self.0.push_back(Delivered {
            id: identity.hash,
            content: identity.content,
            latest: arrived,
            through: [run, 0],
        });
        relation
    }

    /// Whether at least half of the ids came with different contents.
    fn half_of_the_ids_repeat(&self) -> bool {
        let mut contents = HashMap::<u64, usize>::new();
        for delivered in &self.0 {
            *contents.entry(delivered.id).or_default() += 1;
        }
        let repeated = contents.values().filter(|contents| **contents > 1).count();
        repeated * 2 >= contents.len()
    }
}

#[cfg(test)]
mod tests {
    use minijinja::Value;

    use super::*;

    fn numbered(number: usize) -> Identity {
        Identity::of(number.to_string(), &Value::UNDEFINED, &[])
    }

    #[test]
    fn a_chat_remembers_its_latest_deliveries_however_many_came_before() {
        let mut deliveries = Deliveries::default();
        let now = Instant::now();
        let count = 5 * MOST_DELIVERIES;
        for number in 0..count {
            assert_eq!(deliveries.note(&numbered(number), now, 1), Relation::New);
        }
        assert_eq!(deliveries.0.len(), MOST_DELIVERIES);
        for number in [count - 1, count - MOST_DELIVERIES] {
            let relation = deliveries.note(&numbered(number), now, 1);
            assert!(matches!(relation, Relation::Equal { .. }), "{number}");
        }
        let forgotten = numbered(count - MOST_DELIVERIES - 1);
        assert_eq!(deliveries.note(&forgotten, now, 1), Relation::New);
    }
}
