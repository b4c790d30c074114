use std::collections::VecDeque;

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
pub(super) struct Deliveries {
    latest: VecDeque<Delivered>,
    /// Different ids among them.
    ids: u32,
    /// Those of them that came with different contents.
    repeated_ids: u32,
}

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
        // With which this id has come.
        let mut contents = 0;
        let mut equal = None;
        for delivered in &mut self.latest {
            if delivered.id != identity.hash {
                continue;
            }
            contents += 1;
            if delivered.content == identity.content {
                equal = Some(Repeated {
                    fate: delivered.repeated_through(run),
                    before: std::mem::replace(&mut delivered.latest, arrived),
                });
            }
        }
        if let Some(repeated) = equal {
            return Relation::Equal {
                repeated,
                ids_repeat: contents > 1 || self.half_of_the_ids_repeat(),
            };
        }
        let forgotten = self.forget_oldest_if_full();
        let remembered = contents - usize::from(forgotten == Some(identity.hash));
        match remembered {
            0 => self.ids += 1,
            1 => self.repeated_ids += 1,
            _ => {}
        }
        self.latest.push_back(Delivered {
            id: identity.hash,
            content: identity.content,
            latest: arrived,
            through: [run, 0],
        });
        if contents == 0 {
            Relation::New
        } else {
            Relation::OtherContent
        }
    }

    /// Makes room for one more; the id of what it forgets for that.
    fn forget_oldest_if_full(&mut self) -> Option<u64> {
        if self.latest.len() < MOST_DELIVERIES {
            return None;
        }
        let id = self.latest.pop_front()?.id;
        let others = self.latest.iter().filter(|delivered| delivered.id == id);
        match others.count() {
            0 => self.ids -= 1,
            1 => self.repeated_ids -= 1,
            _ => {}
        }
        Some(id)
    }

    /// Whether at least half of the ids came with different contents.
    fn half_of_the_ids_repeat(&self) -> bool {
        self.repeated_ids * 2 >= self.ids
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use minijinja::Value;
    use proptest::prelude::*;

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
        assert_eq!(deliveries.latest.len(), MOST_DELIVERIES);
        for number in [count - 1, count - MOST_DELIVERIES] {
            let relation = deliveries.note(&numbered(number), now, 1);
            assert!(matches!(relation, Relation::Equal { .. }), "{number}");
        }
        let forgotten = numbered(count - MOST_DELIVERIES - 1);
        assert_eq!(deliveries.note(&forgotten, now, 1), Relation::New);
    }

    /// How many different ids there are, and how many of those came with different contents.
    fn counted(deliveries: &Deliveries) -> (usize, usize) {
        let mut contents = HashMap::<u64, usize>::new();
        for delivered in &deliveries.latest {
            *contents.entry(delivered.id).or_default() += 1;
        }
        let repeated = contents.values().filter(|contents| **contents > 1);
        (contents.len(), repeated.count())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_counts_of_ids_are_those_of_the_latest_deliveries(
            ids in 1..900_usize,
            contents in prop::collection::vec((0..1_000_usize, 0..5_i32), 1..2_000)
        ) {
            let mut deliveries = Deliveries::default();
            let now = Instant::now();
            for (at, (id, content)) in contents.into_iter().enumerate() {
                let identity =
                    Identity::of((id % ids).to_string(), &Value::from(content), &[]);
                deliveries.note(&identity, now, 1);
                if at % 50 == 0 {
                    let (ids, repeated) = (deliveries.ids, deliveries.repeated_ids);
                    let (ids, repeated) = (ids as usize, repeated as usize);
                    prop_assert_eq!((ids, repeated), counted(&deliveries));
                }
            }
        }
    }
}
