use std::collections::{HashMap, VecDeque};

use crate::inbox::{IdSpread, Identity};

/// Ids of a scenario and a target that are remembered with the chat that they came for: 100 KiB. An id that identifies
/// nothing comes back for every chat, so the latest ones are enough to find it.
const KNOWN_IDS: usize = 1_000;

/// The latest ids of a scenario and a target and the chats that they came for, to find those that identify nothing.
#[derive(Debug, Default)]
pub(super) struct KnownIds {
    known: HashMap<u64, KnownId>,
    /// The arrivals of these ids, in their order. Of an id, the latest counts; those before it are skipped.
    arrivals: VecDeque<Arrival>,
    next_number: u64,
}

#[derive(Debug)]
struct KnownId {
    /// The number of the first chat.
    chat: u64,
    several: bool,
    /// The number of its latest arrival.
    latest: u64,
}

#[derive(Debug)]
struct Arrival {
    id: u64,
    number: u64,
}

impl KnownIds {
    /// Notes that an id came for a chat.
    pub(super) fn note(&mut self, identity: &Identity, chat: u64) -> IdSpread {
        let (id, number) = (identity.hash, self.next_number);
        self.next_number += 1;
        let known = self.known.entry(id).or_insert(KnownId {
            chat,
            several: false,
            latest: number,
        });
        known.several |= known.chat != chat;
        known.latest = number;
        let spread = if known.several {
            IdSpread::SeveralChats
        } else {
            IdSpread::OneChat
        };
        self.arrivals.push_back(Arrival { id, number });
        self.forget();
        spread
    }

    /// Forgets the id that has not come for longest if there are too many, and arrivals that do not count once they
    /// are as many as the others.
    fn forget(&mut self) {
        while self.known.len() > KNOWN_IDS {
            let Some(oldest) = self.arrivals.pop_front() else {
                return;
            };
            if is_latest(&self.known, &oldest) {
                self.known.remove(&oldest.id);
            }
        }
        if self.arrivals.len() >= 2 * KNOWN_IDS {
            let known = &self.known;
            self.arrivals.retain(|arrival| is_latest(known, arrival));
        }
    }
}

fn is_latest(known: &HashMap<u64, KnownId>, arrival: &Arrival) -> bool {
    let known = known.get(&arrival.id);
    known.is_some_and(|known| known.latest == arrival.number)
}

#[cfg(test)]
mod tests {
    use minijinja::Value;
    use proptest::prelude::*;

    use super::*;

    fn identity(id: impl Into<String>) -> Identity {
        Identity::of(id.into(), &Value::UNDEFINED, &[])
    }

    fn numbered(id: usize) -> Identity {
        identity(id.to_string())
    }

    #[test]
    fn an_id_that_comes_for_a_second_chat_is_known_even_among_many_others() {
        let mut ids = KnownIds::default();
        let useless = identity("useless");
        assert_eq!(ids.note(&useless, 1), IdSpread::OneChat);
        assert_eq!(ids.note(&useless, 1), IdSpread::OneChat);
        assert_eq!(ids.note(&useless, 2), IdSpread::SeveralChats);
        assert_eq!(ids.note(&useless, 1), IdSpread::SeveralChats);
        for chat in 3..20_003 {
            for message in 0..2 {
                let id = identity(format!("{chat}-{message}"));
                assert_eq!(ids.note(&id, chat), IdSpread::OneChat);
            }
            assert_eq!(ids.note(&useless, chat), IdSpread::SeveralChats, "{chat}");
        }
        assert!(ids.known.len() <= KNOWN_IDS);
        assert!(ids.arrivals.len() <= 2 * KNOWN_IDS);
    }

    #[test]
    fn exactly_the_latest_ids_are_known_whatever_their_hashes() {
        let mut ids = KnownIds::default();
        for id in 0..=KNOWN_IDS {
            assert_eq!(ids.note(&numbered(id), 1), IdSpread::OneChat, "{id}");
        }
        assert_eq!(ids.note(&numbered(0), 2), IdSpread::OneChat, "forgotten");
        for id in 2..=KNOWN_IDS {
            assert_eq!(ids.note(&numbered(id), 2), IdSpread::SeveralChats, "{id}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn an_id_is_known_if_it_is_among_the_latest_whenever_it_came_first(
            distances in prop::collection::vec(prop_oneof![Just(0_usize), 1..1_300_usize], 2_500)
        ) {
            let mut ids = KnownIds::default();
            // In the order of their latest arrivals.
            let mut latest = Vec::<usize>::new();
            for (chat, distance) in distances.into_iter().enumerate() {
                let id = match distance.checked_sub(1) {
                    Some(back) if back < latest.len() => latest[latest.len() - 1 - back],
                    _ => 1_000_000 + chat,
                };
                let at = latest.iter().rposition(|known| *known == id);
                let is_known = at.is_some_and(|at| latest.len() - at <= KNOWN_IDS);
                if let Some(at) = at {
                    latest.remove(at);
                }
                latest.push(id);
                let spread = ids.note(&numbered(id), chat as u64 + 1);
                prop_assert_eq!(spread == IdSpread::SeveralChats, is_known);
            }
        }
    }
}
