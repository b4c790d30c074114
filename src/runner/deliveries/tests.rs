use std::{
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::time::Instant;

use super::{Ledger, Member, Membership, Receipt};
use crate::event::{
    DeliveryEvent, DeliveryFate, Mode, RunEvent, RunIdentity, RunObserver, RunObservers, Subject,
    Trigger,
};

mod random;

const WITHIN: Duration = Duration::from_secs(5);
/// When everything that was published at the start is settled.
const SETTLED: Duration = Duration::from_secs(6);

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn after(time: Duration) -> Instant {
    *START + time
}

fn millis(millis: u64) -> Instant {
    after(Duration::from_millis(millis))
}

fn member(chat: u64) -> Member {
    Member {
        chat,
        connection: 1,
    }
}

/// What was counted of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    messages: u64,
    expected: u64,
    fates: [u64; DeliveryFate::ALL.len()],
}

impl Counts {
    fn of(&self, fate: DeliveryFate) -> u64 {
        self.fates[fate as usize]
    }

    fn add(&mut self, event: DeliveryEvent) {
        if let DeliveryEvent::Published { expected } = event {
            self.messages += 1;
            self.expected += expected;
        }
        if let Some((fate, count)) = event.settles() {
            self.fates[fate as usize] += count;
        }
    }

    /// Expected deliveries that are settled.
    fn settled(&self) -> u64 {
        let expected = DeliveryFate::ALL
            .into_iter()
            .filter(|fate| fate.is_expected());
        expected.map(|fate| self.of(fate)).sum()
    }
}

#[derive(Default)]
struct Counter(Mutex<Counts>);

impl RunObserver for Counter {
    fn observe(&self, _: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::Deliveries(event) = event {
            self.0.lock().unwrap().add(*event);
        }
    }
}

/// A ledger and what it counted.
struct Fixture {
    ledger: Arc<Ledger>,
    counter: Arc<Counter>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Ledger::new)
    }

    fn with_bytes(bytes: usize) -> Self {
        Self::with(|within, observers| Ledger::with_bytes(within, observers, bytes))
    }

    fn with(make: impl FnOnce(Duration, RunObservers) -> Arc<Ledger>) -> Self {
        let subject = Subject {
            scenario: "s".into(),
            target: "t".into(),
            mode: Mode::Burst,
        };
        let run = RunIdentity::new("rush".into(), subject, Trigger::Api);
        let counter = Arc::<Counter>::default();
        let observers = RunObservers::nobody(Arc::new(run)).with_counters(counter.clone());
        Self {
            ledger: make(WITHIN, observers),
            counter,
        }
    }

    /// Members of the lobby, chats from one on.
    fn members(&self, count: u64) -> Vec<Membership> {
        let join = |chat| self.ledger.join("lobby", member(chat));
        (1..=count).map(join).collect()
    }

    /// The first chat says something at the start.
    fn publish(&self, id: &str) {
        self.ledger.publish("lobby", id, member(1), *START);
    }

    fn counts(&self) -> Counts {
        *self.counter.0.lock().unwrap()
    }

    /// Delivered, lost, duplicate, excused and untracked.
    fn fates(&self) -> [u64; 5] {
        self.counts().fates
    }
}

#[test]
fn everybody_in_the_room_but_the_sender_is_expected_to_receive_a_message() {
    let fixture = Fixture::new();
    let members = fixture.members(4);
    let elsewhere = fixture.ledger.join("hall", member(9));
    fixture.publish("a");
    assert_eq!(fixture.counts().expected, 3);
    let latency = Duration::from_millis(30);
    let received = members[1].delivered("a", after(latency));
    assert_eq!(received, Receipt::Delivered(latency));
    assert_eq!(members[1].delivered("a", millis(40)), Receipt::Duplicate);
    assert_eq!(members[0].delivered("a", millis(40)), Receipt::Own);
    assert_eq!(elsewhere.delivered("a", millis(40)), Receipt::Unknown);
    assert_eq!(members[2].delivered("b", millis(40)), Receipt::Unknown);
    assert_eq!(fixture.fates(), [1, 0, 1, 0, 0]);
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.fates(), [1, 2, 1, 0, 0]);
    assert_eq!(fixture.ledger.open_bytes(), 0);
    // Of what is settled nobody knows any more.
    assert_eq!(members[1].delivered("a", millis(50)), Receipt::Unknown);
}

#[test]
fn the_other_connections_of_the_sender_are_expected_to_receive_it() {
    let fixture = Fixture::new();
    let (customer, agent) = (
        member(1),
        Member {
            chat: 1,
            connection: 2,
        },
    );
    let customer = fixture.ledger.join("lobby", customer);
    let agent = fixture.ledger.join("lobby", agent);
    fixture.publish("a");
    assert_eq!(fixture.counts().expected, 1);
    assert_eq!(customer.delivered("a", millis(1)), Receipt::Own);
    let latency = Duration::from_millis(1);
    assert_eq!(
        agent.delivered("a", after(latency)),
        Receipt::Delivered(latency)
    );
}

#[test]
fn a_receipt_is_in_time_to_the_very_end() {
    let fixture = Fixture::new();
    let members = fixture.members(3);
    fixture.publish("a");
    assert_eq!(
        members[1].delivered("a", after(WITHIN)),
        Receipt::Delivered(WITHIN)
    );
    let late = after(WITHIN + Duration::from_nanos(1));
    assert_eq!(members[2].delivered("a", late), Receipt::Late);
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.fates(), [1, 1, 0, 0, 0]);
}

#[test]
fn what_arrived_in_time_may_be_read_a_second_late() {
    let fixture = Fixture::new();
    let members = fixture.members(3);
    fixture.publish("a");
    fixture
        .ledger
        .sweep(after(SETTLED) - Duration::from_nanos(1));
    let latency = Duration::from_millis(4_900);
    assert_eq!(
        members[1].delivered("a", after(latency)),
        Receipt::Delivered(latency)
    );
    assert_eq!(fixture.fates(), [1, 0, 0, 0, 0]);
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.fates(), [1, 1, 0, 0, 0]);
}

#[test]
fn who_leaves_in_time_is_excused_and_who_leaves_later_has_lost_it() {
    let fixture = Fixture::new();
    let mut members = fixture.members(5);
    fixture.publish("a");
    members.pop().unwrap().leave(after(WITHIN));
    members
        .pop()
        .unwrap()
        .leave(after(WITHIN + Duration::from_nanos(1)));
    let with_receipt = members.pop().unwrap();
    with_receipt.delivered("a", millis(3));
    with_receipt.leave(millis(4));
    fixture.ledger.sweep(after(SETTLED));
    // One stayed.
    assert_eq!(fixture.fates(), [1, 2, 0, 1, 0]);
}

#[test]
fn who_joins_later_is_not_expected_to_receive_it_not_even_in_the_place_of_another() {
    let fixture = Fixture::new();
    let mut members = fixture.members(3);
    members.pop().unwrap().leave(*START);
    fixture.publish("a");
    members.pop().unwrap().leave(millis(1));
    let late = [7, 8, 9].map(|chat| fixture.ledger.join("lobby", member(chat)));
    for member in &late {
        assert_eq!(member.delivered("a", millis(2)), Receipt::Unknown);
    }
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.counts().expected, 1);
    assert_eq!(fixture.fates(), [0, 0, 0, 1, 0]);
}

#[test]
fn places_of_those_who_left_are_used_again() {
    let fixture = Fixture::new();
    let _stays = fixture.members(1);
    let mut sizes = Vec::new();
    for round in 0..1_000 {
        let at = Duration::from_secs(10) * round;
        let visitors = fixture.members(64);
        fixture.ledger.publish("lobby", "a", member(1), after(at));
        sizes.push(fixture.ledger.open_bytes());
        drop(visitors);
        fixture.ledger.sweep(after(at + SETTLED));
    }
    assert!(sizes.iter().all(|size| *size <= sizes[0] + 16), "{sizes:?}");
}

#[test]
fn the_same_id_in_two_rooms_is_two_messages() {
    let fixture = Fixture::new();
    let lobby = fixture.members(2);
    let hall = [1, 2].map(|chat| fixture.ledger.join("hall", member(chat)));
    fixture.publish("a");
    fixture.ledger.publish("hall", "a", member(1), *START);
    for room in [&lobby[..], &hall] {
        let received = room[1].delivered("a", millis(1));
        assert_eq!(received, Receipt::Delivered(Duration::from_millis(1)));
    }
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.fates(), [2, 0, 0, 0, 0]);
}

#[test]
fn an_id_is_free_again_once_its_message_is_settled_and_not_before() {
    let fixture = Fixture::new();
    let members = fixture.members(2);
    fixture.publish("a");
    members[1].delivered("a", millis(1));
    fixture.publish("a");
    // It may be the first message again or the second one.
    assert_eq!(members[1].delivered("a", millis(2)), Receipt::Unknown);
    assert_eq!(fixture.fates(), [1, 0, 0, 0, 1]);
    fixture.ledger.sweep(after(SETTLED));
    fixture
        .ledger
        .publish("lobby", "a", member(1), after(SETTLED));
    members[1].delivered("a", after(SETTLED));
    assert_eq!(fixture.fates(), [2, 0, 0, 0, 1]);
    assert_eq!(
        (fixture.counts().messages, fixture.counts().expected),
        (2, 2)
    );
}

#[test]
fn messages_beyond_the_limit_of_memory_and_those_with_endless_ids_are_untracked() {
    let fixture = Fixture::with_bytes(1_000);
    let members = fixture.members(11);
    let long = "x".repeat(257);
    fixture.publish(&long);
    assert_eq!(members[1].delivered(&long, millis(1)), Receipt::Unknown);
    for id in ["a", "b", "c", "d", "e"] {
        fixture.publish(id);
    }
    let counts = fixture.counts();
    assert!(fixture.ledger.open_bytes() <= 1_000);
    assert_eq!((counts.messages, counts.expected), (3, 30));
    assert_eq!(counts.of(DeliveryFate::Untracked), 30);
    // What is settled makes room.
    fixture.ledger.sweep(after(SETTLED));
    fixture.publish("d");
    assert_eq!(fixture.counts().messages, 4);
}

#[test]
fn at_the_end_everything_is_settled_and_nothing_is_registered_any_more() {
    let fixture = Fixture::new();
    let mut members = fixture.members(4);
    fixture.publish("a");
    fixture
        .ledger
        .publish("lobby", "b", member(1), millis(4_000));
    members.pop().unwrap().leave(millis(1_000));
    members[1].delivered("b", millis(4_100));
    // The time of the first is over, and that of the second is not.
    fixture.ledger.finish(millis(5_500));
    assert_eq!(fixture.counts().expected, 5 + 1);
    assert_eq!(fixture.fates(), [1, 2, 0, 1 + 2, 0]);
    fixture.publish("c");
    members[1].delivered("c", millis(1));
    fixture.ledger.finish(millis(9_000));
    assert_eq!(fixture.fates(), [1, 2, 0, 3, 0]);
    assert_eq!(fixture.ledger.open_bytes(), 0);
}

#[test]
fn a_room_exists_as_long_as_it_has_members_or_open_messages() {
    let fixture = Fixture::new();
    let members = fixture.members(2);
    fixture.publish("a");
    drop(members);
    assert_eq!(fixture.ledger.number_of_rooms(), 1);
    fixture.ledger.sweep(after(SETTLED));
    assert_eq!(fixture.ledger.number_of_rooms(), 0);
    fixture.publish("b");
    assert_eq!(
        (fixture.counts().messages, fixture.counts().expected),
        (2, 1)
    );
    drop(fixture.ledger.join("hall", member(1)));
    assert_eq!(fixture.ledger.number_of_rooms(), 0);
}

#[test]
fn deliveries_of_several_threads_are_counted_once_while_messages_are_settled() {
    const MEMBERS: u64 = 200;
    const MESSAGES: u64 = 300;
    let fixture = Fixture::new();
    let mut members = fixture.members(MEMBERS);
    let all: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (ledger, ids) = (&fixture.ledger, &all);
        let receivers: Vec<_> = std::iter::from_fn(|| {
            let rest = members.len().saturating_sub(50);
            (!members.is_empty()).then(|| members.split_off(rest))
        })
        .map(|members| {
            scope.spawn(move || {
                // Each id twice, whether it is open yet, open, or settled.
                for id in ids.iter().flat_map(|id| [id, id]) {
                    for member in &members {
                        member.delivered(id, *START);
                    }
                }
                members
            })
        })
        .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                ledger.sweep(after(SETTLED));
            }
        });
        for id in ids {
            ledger.publish("lobby", id, member(1), *START);
        }
        for receiver in receivers {
            drop(receiver.join().unwrap());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    fixture.ledger.finish(after(SETTLED));
    let counts = fixture.counts();
    assert_eq!(
        (counts.messages, fixture.ledger.open_bytes()),
        (MESSAGES, 0)
    );
    assert_eq!(counts.expected, counts.settled(), "{counts:?}");
}
