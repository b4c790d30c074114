use proptest::prelude::*;

use super::*;
use crate::{
    load::testing::{profile, refused},
    units::Rate,
};

const RATES: &str = "{ search: { from: 50/s, to: 2000/s, hold: 30s } }";

fn search(text: &str) -> Search {
    *profile(text).search().unwrap()
}

/// The levels that a search asks a target for that holds up to `capacity`, and what it finds.
fn asked(search: &Search, capacity: f64) -> (Vec<f64>, Bracket) {
    let mut bracket = Bracket::default();
    let mut asked = Vec::new();
    while let Some(level) = search.next(bracket) {
        assert!(asked.len() < 1_000, "{asked:?}");
        asked.push(level.amount());
        if level.amount() <= capacity {
            bracket.held = Some(level);
        } else {
            bracket.broke = Some(level);
        }
    }
    (asked, bracket)
}

fn texts(bracket: Bracket) -> (Option<String>, Option<String>) {
    let text = |level: Option<Level>| level.map(|level| level.to_string());
    (text(bracket.held), text(bracket.broke))
}

#[test]
fn it_climbs_by_half_until_a_step_breaks_and_then_halves_what_is_between() {
    let (asked, bracket) = asked(&search(RATES), 400.0);
    let expected = [
        50.0, 75.0, 112.0, 168.0, 252.0, 378.0, 567.0, 463.0, 418.0, 397.0,
    ];
    assert_eq!(asked, expected);
    assert_eq!(
        texts(bracket),
        (Some("397/s".to_owned()), Some("418/s".to_owned()))
    );
}

#[test]
fn a_target_that_holds_is_asked_up_to_the_end_and_no_further() {
    let (asked, bracket) = asked(&search(RATES), 1e9);
    assert_eq!(asked.last(), Some(&2_000.0));
    assert_eq!(texts(bracket), (Some("2000/s".to_owned()), None));
    let (asked, _) = self::asked(
        &search("{ search: { from: 1/s, to: 1.55/s, hold: 1s } }"),
        1e9,
    );
    assert_eq!(
        asked,
        [1.0, 1.55],
        "no step of its own for the last few percent"
    );
}

#[test]
fn nothing_is_left_to_find_out_once_the_first_step_broke() {
    let (asked, bracket) = asked(&search(RATES), 49.0);
    assert_eq!(asked, [50.0]);
    assert_eq!(texts(bracket), (None, Some("50/s".to_owned())));
}

#[test]
fn customers_are_whole_and_a_few_are_told_apart() {
    let search = search("{ search: { customers: { from: 1, to: 500 }, hold: 30s } }");
    let (asked, bracket) = asked(&search, 6.0);
    assert_eq!(asked, [1.0, 2.0, 3.0, 5.0, 8.0, 6.0, 7.0]);
    let (held, broke) = texts(bracket);
    assert_eq!(
        (held.as_deref(), broke.as_deref()),
        (Some("6 customers"), Some("7 customers"))
    );
}

#[test]
fn what_bounds_other_loads_bounds_a_search_by_its_end() {
    let rates = profile("{ search: { from: 50/s, to: 2000/s, hold: 30s }, max_active: 700 }");
    assert!(rates.is_open());
    assert_eq!(rates.peak_rate(), Rate::per_second(2_000.0));
    assert_eq!(
        (rates.peak_active(), rates.max_active()),
        (Some(700), Some(700))
    );
    assert_eq!(rates.chats(), None, "nobody knows beforehand");
    let customers = profile("{ search: { customers: { from: 10, to: 500 }, hold: 30s } }");
    assert!(!customers.is_open());
    assert_eq!(
        (customers.peak_active(), customers.peak_rate()),
        (Some(500), None)
    );
}

#[test]
fn a_step_starts_chats_at_its_rate_as_long_as_it_lasts() {
    let search = search(RATES);
    let Shape::Arrivals(arrivals) = search.shape_at(search.first()) else {
        panic!("{search}");
    };
    assert_eq!(arrivals.due_by(Duration::from_secs(29)), 50 * 29 + 1);
    assert_eq!(arrivals.total(), 50 * 30);
    let parts = [search.warm_up(), search.judged(), search.hold()];
    assert_eq!(parts, [10, 20, 30].map(Duration::from_secs));
}

#[test]
fn a_bad_search_is_told_all_at_once_with_its_places() {
    assert_eq!(
        refused("{ search: { from: 5, upto: 9/s, hold: 0s }, max_active: 0 }"),
        [
            "a.yaml:1:11: the key `to` is missing here",
            "a.yaml:1:19: `5` is not a rate; write for instance `500/s`, `30/m` or `10/h`",
            "a.yaml:1:22: unknown key `upto`; known here: `customers`, `from`, `to`, `hold`",
            "a.yaml:1:39: expected a duration above zero, found `0s`",
            "a.yaml:1:57: expected a whole number of at least 1 and at most 10000000000, found 0",
        ]
    );
    assert_eq!(
        refused("{ search: { from: 0/s, to: 9/s, hold: 1s } }"),
        ["a.yaml:1:19: expected a rate above zero, found `0/s`"]
    );
    assert_eq!(
        refused("{ search: { from: 9/s, to: 9/s, hold: 1s } }"),
        ["a.yaml:1:28: a search climbs: `to` has to be above `from`, and 9/s is not above 9/s"]
    );
    assert_eq!(
        refused("{ search: 5/s }"),
        [
            "a.yaml:1:11: expected a search such as `{ from: 50/s, to: 2000/s, hold: 30s }`, found text"
        ]
    );
    assert_eq!(
        refused("{ search: { from: 9/s, to: 1e11/s, hold: 1s } }"),
        ["a.yaml:1:1: this load would start more than 10000000000 chats"]
    );
}

#[test]
fn customers_take_the_place_of_a_rate_and_need_no_bound() {
    assert_eq!(
        refused("{ search: { customers: { from: 0, to: 9 }, to: 9/s, hold: 1s }, max_active: 7 }"),
        [
            "a.yaml:1:32: expected a whole number of at least 1 and at most 10000000000, found 0",
            "a.yaml:1:44: unknown key `to`; known here: `customers`, `hold`",
            "a.yaml:1:65: unknown key `max_active`; known here: `search`, `graceful_stop`",
        ]
    );
    assert_eq!(
        refused("{ search: { customers: 500, hold: 1s } }"),
        [
            "a.yaml:1:24: expected a range of customers such as `{ from: 10, to: 500 }`, found a number"
        ]
    );
}

proptest! {
    #[test]
    fn wherever_the_limit_is_it_is_found_to_some_five_percent(
        from in 0.01_f64..1_000.0,
        width in 1.01_f64..1_000.0,
        at in 0.0_f64..1.1,
        is_rate: bool,
    ) {
        let to = from * width;
        let level = |amount: f64| if is_rate {
            Level::Rate(Rate::per_second(amount).unwrap())
        } else {
            Level::Customers(0).about(amount.ceil())
        };
        let search = Search { from: level(from), to: level(to), hold: Duration::from_secs(1), spacing: ArrivalSpacing::Even };
        let limit = search.from.amount() * width.powf(at);
        let (asked, bracket) = asked(&search, limit);
        let held = bracket.held.unwrap().amount();
        prop_assert!(held <= limit);
        if let Some(broke) = bracket.broke {
            prop_assert!(broke.amount() > limit);
            let broke = broke.amount();
            prop_assert!(broke <= held * 1.06 || !is_rate && broke - held <= 1.0, "{held} {broke}");
        } else {
            prop_assert_eq!(bracket.held, Some(search.to));
        }
        prop_assert!(asked.iter().all(|level| *level <= search.to.amount()));
        prop_assert!(Duration::from_secs(asked.len() as u64) <= search.longest());
        let climbs = asked.windows(2).take_while(|pair| pair[1] > pair[0]).count() + 1;
        prop_assert!(asked.len() - climbs <= NARROWINGS as usize, "{asked:?}");
    }
}
