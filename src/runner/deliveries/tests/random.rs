//! Random runs against a model that keeps sets of members and knows nothing of places and bits.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::*;

const ROOMS: [&str; 2] = ["lobby", "hall"];

#[derive(Debug, Clone, Copy)]
enum Happening {
    Join {
        room: usize,
        chat: u64,
    },
    /// One of those who are in a room.
    Leave(prop::sample::Index),
    Publish {
        room: usize,
        id: u8,
        chat: u64,
    },
    /// So many milliseconds ago, to one of those who are in a room.
    Deliver {
        to: prop::sample::Index,
        id: u8,
        ago: u64,
    },
    Advance(u64),
    Sweep,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let (room, chat, id) = (0..ROOMS.len(), 1_u64..5, 0_u8..4);
    let join = (room.clone(), chat.clone());
    let publish = (room, id.clone(), chat);
    let deliver = (any::<prop::sample::Index>(), id, 0_u64..1_500);
    let one = prop_oneof![
        3 => join.prop_map(|(room, chat)| Happening::Join { room, chat }),
        1 => any::<prop::sample::Index>().prop_map(Happening::Leave),
        3 => publish.prop_map(|(room, id, chat)| Happening::Publish { room, id, chat }),
        8 => deliver.prop_map(|(to, id, ago)| Happening::Deliver { to, id, ago }),
        2 => (0_u64..3_000).prop_map(Happening::Advance),
        1 => Just(Happening::Sweep),
    ];
    vec(one, 1..150)
}

/// Somebody who was in a room at some time.
#[derive(Debug)]
struct Known {
    room: usize,
    chat: u64,
    left: Option<u64>,
}

#[derive(Debug)]
struct Open {
    room: usize,
    id: u8,
    sender: u64,
    published: u64,
    /// Who has not received it, and who has.
    missing: BTreeSet<usize>,
    received: BTreeSet<usize>,
    is_repeated: bool,
}

/// Times are in milliseconds.
#[derive(Debug, Default)]
struct Model {
    members: Vec<Known>,
    open: Vec<Open>,
    counts: Counts,
}

impl Model {
    fn join(&mut self, room: usize, chat: u64) -> usize {
        let left = None;
        self.members.push(Known { room, chat, left });
        self.members.len() - 1
    }

    fn publish(&mut self, room: usize, id: u8, sender: u64, published: u64) {
        let here = self.members.iter().enumerate();
        let here = here.filter(|(_, it)| it.room == room && it.chat != sender && it.left.is_none());
        let missing: BTreeSet<_> = here.map(|(index, _)| index).collect();
        let expected = missing.len() as u64;
        let mut open = self.open.iter_mut();
        if let Some(open) = open.find(|open| (open.room, open.id) == (room, id))
            && expected > 0
        {
            open.is_repeated = true;
            self.counts.add(DeliveryEvent::Untracked(expected));
            return;
        }
        self.counts.add(DeliveryEvent::Published { expected });
        if expected > 0 {
            self.open.push(Open {
                room,
                id,
                sender,
                published,
                missing,
                received: BTreeSet::new(),
                is_repeated: false,
            });
        }
    }

    fn deliver(&mut self, to: usize, id: u8, at: u64) {
        let member = &self.members[to];
        let mut open = self.open.iter_mut();
        let Some(open) = open.find(|open| (open.room, open.id) == (member.room, id)) else {
            return;
        };
        if open.sender == member.chat {
        } else if open.received.contains(&to) {
            if !open.is_repeated {
                self.counts.add(DeliveryEvent::Duplicate);
            }
        } else if at.saturating_sub(open.published) <= 5_000 && open.missing.remove(&to) {
            open.received.insert(to);
            let latency = Duration::ZERO;
            self.counts.add(DeliveryEvent::Delivered { latency });
        }
    }

    fn settle(&mut self, now: u64, is_due: impl Fn(&Open) -> bool) {
        // In the order of publication, up to the first whose time is not over.
        while self.open.first().is_some_and(&is_due) {
            let open = self.open.remove(0);
            for member in open.missing {
                let until = self.members[member].left.unwrap_or(now);
                let is_lost = until > open.published + 5_000;
                self.counts.add(if is_lost {
                    DeliveryEvent::Lost(1)
                } else {
                    DeliveryEvent::Excused(1)
                });
            }
        }
    }
}

fn play(happenings: &[Happening]) -> Result<(), TestCaseError> {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let mut model = Model::default();
    let mut present = BTreeMap::<usize, Membership>::new();
    let mut now = 0;
    let chosen = |present: &BTreeMap<usize, Membership>, index: prop::sample::Index| {
        let keys: Vec<_> = present.keys().copied().collect();
        (!keys.is_empty()).then(|| keys[index.index(keys.len())])
    };
    for what in happenings {
        match *what {
            Happening::Join { room, chat } => {
                let joined = ledger.join(ROOMS[room], member(chat));
                present.insert(model.join(room, chat), joined);
            }
            Happening::Leave(index) => {
                if let Some(index) = chosen(&present, index) {
                    model.members[index].left = Some(now);
                    present.remove(&index).unwrap().leave(millis(now));
                }
            }
            Happening::Publish { room, id, chat } => {
                ledger.publish(ROOMS[room], &id.to_string(), member(chat), millis(now));
                model.publish(room, id, chat, now);
            }
            Happening::Deliver { to, id, ago } => {
                if let Some(to) = chosen(&present, to) {
                    let at = now.saturating_sub(ago);
                    present[&to].delivered(&id.to_string(), millis(at));
                    model.deliver(to, id, at);
                }
            }
            Happening::Advance(time) => now += time,
            Happening::Sweep => {
                ledger.sweep(millis(now));
                model.settle(now, |open| open.published + 6_000 <= now);
            }
        }
        prop_assert_eq!(fixture.counts(), model.counts, "after {:?}", what);
    }
    ledger.finish(millis(now));
    model.settle(now, |_| true);
    let counts = fixture.counts();
    prop_assert_eq!(counts, model.counts);
    prop_assert_eq!(counts.expected, counts.settled());
    drop(present);
    prop_assert_eq!((ledger.open_bytes(), ledger.number_of_rooms()), (0, 0));
    Ok(())
}

proptest! {
    #[test]
    fn every_expected_delivery_is_delivered_lost_or_excused(happenings in happenings()) {
        play(&happenings)?;
    }
}
