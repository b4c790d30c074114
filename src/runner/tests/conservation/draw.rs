//! Cases at random.

use proptest::{collection::vec, prelude::*};

use super::{
    super::{Mode, Order},
    script::{
        Act, Address, Answer, Case, GRACEFUL_STOP, GRID, Item, Letter, Load, MOST_EVENTS,
        MOST_FAILED, ORDER, Play, Trouble, WAIT, Wait, Whom,
    },
};
use crate::units::Rate;

fn whom(always: bool) -> impl Strategy<Value = Whom> {
    let others = if always { 2 } else { 0 };
    prop_oneof![
        8 => Just(Whom::All),
        2 => Just(Whom::Odd),
        1 => Just(Whom::Even),
        others => Just(Whom::Passed),
        others => Just(Whom::Others),
    ]
}

fn unclear_to() -> impl Strategy<Value = Whom> {
    prop_oneof![14 => Just(Whom::None), 1 => Just(Whom::Odd), 1 => Just(Whom::Even)]
}

fn wait(always: bool) -> impl Strategy<Value = Wait> {
    (
        whom(always),
        0..2_usize,
        0..7_u64,
        any::<bool>(),
        any::<bool>(),
        unclear_to(),
    )
        .prop_map(|(to, kind, grids, joins, checks, unclear_to)| Wait {
            to,
            kind: ["join", "reply"][kind],
            ms: grids * GRID + WAIT,
            joins,
            checks,
            unclear_to,
        })
}

fn item(always: bool) -> impl Strategy<Value = Item> {
    let think = (0..5_u64, unclear_to());
    prop_oneof![
        2 => think.prop_map(|(grids, unclear_to)| Item::Think { ms: grids * GRID, unclear_to }),
        4 => wait(always).prop_map(Item::Wait),
        1 => (whom(always), 0..3_u64, wait(always))
            .prop_map(|(to, rounds, wait)| Item::Repeat { to, rounds, wait }),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        16 => Just(Trouble::None),
        1 => Just(Trouble::Status),
        1 => Just(Trouble::Expectation),
        1 => Just(Trouble::Capture),
    ]
}

/// To whom, how many grids after the beginning of that chat, what, and whether on the path of another run.
type Draft = (Address, i64, &'static str, Option<u8>, Trouble, bool);

fn draft(chats: usize) -> impl Strategy<Value = Draft> {
    let address = prop_oneof![
        30 => (0..chats).prop_map(Address::Key),
        2 => Just(Address::Key(chats)),
        1 => Just(Address::Nobody),
        1 => Just(Address::Garbage),
        1 => Just(Address::Nowhere),
    ];
    let kind = prop_oneof![
        8 => Just("join"),
        8 => Just("reply"),
        2 => Just("typing"),
        1 => Just("left"),
    ];
    (
        address,
        -5..14_i64,
        kind,
        prop::option::of(0..6_u8),
        trouble(),
        prop::bool::weighted(0.3),
    )
}

fn letters(mut drafts: Vec<Draft>, gap: u64) -> Vec<Letter> {
    let slot = |draft: &Draft| {
        let chat = if let Address::Key(chat) = draft.0 {
            chat
        } else {
            0
        };
        let start = u64::try_from(chat).unwrap() * gap / GRID;
        start.saturating_add_signed(draft.1)
    };
    drafts.sort_by_key(slot);
    let remainders = 1..;
    let timed = drafts.into_iter().zip(remainders);
    timed
        .map(|(draft, remainder)| Letter {
            at: slot(&draft) * GRID + remainder,
            to: draft.0,
            kind: draft.2,
            id: draft.3,
            trouble: draft.4,
            elsewhere: draft.5,
        })
        .collect()
}

fn orders() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let at = |grids: u64| grids * GRID + ORDER;
    let stop = prop_oneof![
        1 => Just(Act::Finish),
        3 => (0..4_u64).prop_map(|grids| Act::End {
            cleanup: grids * GRID
        }),
    ];
    let kind = prop_oneof![4 => Just(0), 2 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)];
    (kind, 0..15_u64, 0..10_u64, 0..10_u64, stop).prop_map(move |(kind, one, two, three, stop)| {
        let (one, two, three) = (at(one), at(one + 1 + two), at(one + 2 + two + three));
        match kind {
            0 => vec![],
            1 => vec![(one, stop)],
            2 => vec![(one, Act::Pause), (two, Act::Resume)],
            3 => vec![(one, Act::Pause), (two, stop)],
            _ => vec![(one, Act::Pause), (two, Act::Resume), (three, stop)],
        }
    })
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    (1..7_usize).prop_flat_map(|chats| {
        let answer = (prop::option::weighted(0.1, 0..chats), trouble());
        let gap = prop_oneof![Just(GRID), Just(2 * GRID), Just(5 * GRID)];
        let load =
            (gap, prop::option::of(1..4_u64)).prop_map(|(gap, capacity)| Load { gap, capacity });
        let most_failed = prop::option::weighted(0.2, 0..3_usize);
        let graceful_stop = prop::option::weighted(0.3, 0..10_u64);
        (
            (vec(item(false), 0..4), vec(item(true), 0..3)),
            load,
            vec(answer, chats),
            vec(draft(chats), 0..MOST_EVENTS),
            orders(),
            (most_failed, graceful_stop),
        )
            .prop_map(
                |((steps, always), load, answers, drafts, orders, (most_failed, graceful))| Case {
                    steps,
                    always,
                    load,
                    answers: answers
                        .into_iter()
                        .enumerate()
                        .map(|(own, (key, trouble))| Answer {
                            key: key.unwrap_or(own),
                            trouble,
                        })
                        .collect(),
                    letters: letters(drafts, load.gap),
                    // Of two ends the model knows one.
                    most_failed: most_failed
                        .filter(|_| !orders.iter().any(|(_, act)| act.stops()))
                        .map(|at| MOST_FAILED[at]),
                    orders,
                    graceful_stop: graceful.map(|grids| grids * GRID + GRACEFUL_STOP),
                },
            )
    })
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![
        2 => Just(Order::Pause),
        4 => Just(Order::Resume),
        1 => (0..9_u64).prop_map(|grids| Act::End { cleanup: grids * GRID / 2 }.order()),
        2 => (0..9_u32).prop_map(|rate| Order::Rate(Rate::per_second(rate.into()).unwrap())),
        2 => (0..4_u64).prop_map(Order::Customers),
    ]
}

/// Everything at one moment with something else: on half a grid, where chats start, and in any
/// order. Which of two comes first decides about the outcome, so there is no model of it.
pub(super) fn races() -> impl Strategy<Value = Play> {
    let form = prop_oneof![
        (1..7_u64).prop_map(|chats| format!("{{ chats: {chats} }}")),
        (1..4_u64, 1..9_u64).prop_map(|(customers, grids)| {
            format!("{{ customers: {customers}, for: {}ms }}", grids * GRID)
        }),
        (1..9_u64, 1..4_u64).prop_map(|(rate, capacity)| format!(
            "{{ rate: {rate}/s, for: 2s, max_active: {capacity} }}"
        )),
    ];
    let graceful_stop = prop::option::weighted(0.3, 0..20_u64);
    let load = (form, graceful_stop).prop_map(|(form, grids)| match grids {
        None => form,
        Some(grids) => {
            let form = form.trim_end_matches(" }");
            format!("{form}, graceful_stop: {}ms }}", grids * GRID / 2)
        }
    });
    let orders = vec((0..20_u64, any_order()), 0..5);
    let mode = prop_oneof![Just(Mode::Burst), Just(Mode::Probe)];
    let most_failed = prop::option::of(0..3_usize);
    (case(), load, orders, mode, most_failed).prop_map(|(mut case, load, orders, mode, most)| {
        case.most_failed = most.map(|at| MOST_FAILED[at]);
        let mut play = Play {
            mode,
            load,
            ..case.play()
        };
        let together = |at: u64| at * 2 / GRID * GRID / 2;
        for letter in &mut play.letters {
            letter.at = together(letter.at);
        }
        play.orders = orders;
        play.orders.sort_by_key(|(at, _)| *at);
        for (at, _) in &mut play.orders {
            *at *= GRID / 2;
        }
        // One that nobody resumes would have no end.
        play.orders.push((60 * GRID, Act::Finish.order()));
        play
    })
}
