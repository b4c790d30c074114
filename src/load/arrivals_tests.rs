use proptest::prelude::*;

use super::*;
use crate::load::{Shape, testing::profile};

const NANO: Duration = Duration::from_nanos(1);

fn arrivals(text: &str) -> Arrivals {
    match profile(text).shape() {
        Shape::Arrivals(arrivals) => arrivals.clone(),
        Shape::Customers(_) => panic!("{text} is about customers"),
    }
}

fn rate(per_second: f64) -> Rate {
    Rate::per_second(per_second).unwrap()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What must hold for every schedule, at the i-th chat.
fn agrees_at(arrivals: &Arrivals, i: u64) -> Result<(), TestCaseError> {
    let Some(start) = arrivals.intended_start(i) else {
        prop_assert!(i >= arrivals.total());
        return Ok(());
    };
    prop_assert!(i < arrivals.total());
    prop_assert!(start <= arrivals.duration());
    prop_assert!(arrivals.due_by(start) > i);
    if let Some(before) = start.checked_sub(NANO) {
        prop_assert!(arrivals.due_by(before) <= i);
    }
    let next = arrivals.intended_start(i + 1);
    prop_assert!(next.is_none_or(|next| next >= start));
    if next != Some(start) {
        prop_assert_eq!(arrivals.due_by(start), i + 1);
    }
    Ok(())
}

#[test]
fn at_a_constant_rate_the_ith_chat_is_due_at_i_by_rate() {
    let arrivals = arrivals("{ rate: 500/s, for: 10m }");
    assert_eq!(arrivals.total(), 300_000);
    assert_eq!(arrivals.duration(), s(600));
    for i in [0, 1, 2, 7, 500, 299_999] {
        assert_eq!(arrivals.intended_start(i), Some(ms(2 * i)));
        assert_eq!(arrivals.due_by(ms(2 * i)), i + 1);
        assert_eq!(arrivals.due_by(ms(2 * i + 1)), i + 1);
    }
    assert_eq!(arrivals.intended_start(300_000), None);
    assert_eq!(arrivals.intended_start(u64::MAX), None);
    assert_eq!(arrivals.due_by(Duration::MAX), 300_000);
}

#[test]
fn ten_hours_at_five_thousand_a_second_are_exact_to_the_end() {
    let arrivals = arrivals("{ rate: 5000/s, for: 10h }");
    assert_eq!(arrivals.total(), 180_000_000);
    for i in (0..180_000_000).step_by(180_001).chain([179_999_999]) {
        let start = Duration::from_micros(200 * i);
        assert_eq!(arrivals.intended_start(i), Some(start));
        assert_eq!(arrivals.due_by(start), i + 1);
        assert_eq!(
            arrivals.due_by(start + Duration::from_nanos(199_999)),
            i + 1
        );
    }
}

#[test]
fn rates_without_an_exact_form_still_make_whole_numbers_of_chats() {
    for (text, total) in [
        ("{ rate: 100/m, for: 1m }", 100),
        ("{ rate: 100.1/s, for: 10s }", 1001),
        ("{ rate: 4999.9/s, for: 10h }", 179_996_400),
        ("{ rate: 1/h, for: 1h }", 1),
        ("{ rate: 7/h, for: 3h }", 21),
        ("{ rate: 7/h, for: 1h1m }", 8),
    ] {
        assert_eq!(arrivals(text).total(), total, "{text}");
    }
    let thirds = arrivals("{ rate: 20/m, for: 10h }");
    assert_eq!(thirds.intended_start(11_999), Some(s(35_997)));
}

#[test]
fn chats_spread_evenly_over_their_ramp() {
    let arrivals = arrivals("{ chats: 20000, ramp: 60s }");
    assert_eq!(arrivals.total(), 20_000);
    assert_eq!(arrivals.duration(), s(60));
    for i in [0, 1, 333, 19_999] {
        assert_eq!(arrivals.intended_start(i), Some(ms(3 * i)));
    }
}

#[test]
fn without_a_ramp_all_chats_are_due_at_once() {
    for text in ["{ chats: 3 }", "{ chats: 3, ramp: 0s }"] {
        let arrivals = arrivals(text);
        assert_eq!(arrivals.due_by(Duration::ZERO), 3);
        assert_eq!(arrivals.intended_start(2), Some(Duration::ZERO));
        assert_eq!(arrivals.intended_start(3), None);
        assert_eq!(arrivals.duration(), Duration::ZERO);
        assert_eq!(arrivals.with_rate(s(1), rate(5.0)), Ok(arrivals.clone()));
    }
}

#[test]
fn nothing_is_due_in_a_silence() {
    let stages = "{ for: 1s, rate: 0/s }, { for: 1s, rate: 2/s }";
    let arrivals = arrivals(&format!("{{ stages: [ {stages}, {stages} ] }}"));
    let starts: Vec<_> = (0..5).map(|i| arrivals.intended_start(i)).collect();
    let expected = [ms(1000), ms(1500), ms(3000), ms(3500)].map(Some);
    assert_eq!(starts[..4], expected);
    assert_eq!(starts[4], None);
    assert_eq!(arrivals.due_by(ms(999)), 0);
}

#[test]
fn a_stage_with_from_is_a_straight_line_up_or_down() {
    let up = arrivals("{ stages: [ { for: 10s, from: 0/s, rate: 20/s } ] }");
    assert_eq!(up.total(), 100);
    assert_eq!(up.intended_start(0), Some(Duration::ZERO));
    // Behind t seconds t² chats have come due.
    assert_eq!(up.intended_start(25), Some(s(5)));
    assert_eq!(up.intended_start(81), Some(s(9)));
    let down = arrivals("{ stages: [ { for: 10s, from: 20/s, rate: 0/s } ] }");
    assert_eq!(down.total(), 100);
    assert_eq!(down.intended_start(75), Some(s(5)));
    assert_eq!(down.intended_start(99), Some(s(9)));
}

#[test]
fn open_arrivals_go_on_at_the_new_rate_until_the_same_end() {
    let slow = arrivals("{ rate: 10/s, for: 60s }");
    let fast = slow.with_rate(s(30), rate(100.0)).unwrap();
    assert_eq!(fast.duration(), s(60));
    assert_eq!(fast.total(), 300 + 3000);
    assert_eq!(fast.intended_start(299), Some(ms(29_900)));
    assert_eq!(fast.intended_start(310), Some(ms(30_100)));
    let silent = slow.with_rate(s(30), rate(0.0)).unwrap();
    assert_eq!(silent.total(), 301);
    assert_eq!(silent.duration(), s(60));
    assert_eq!(slow.with_rate(s(60), rate(5.0)), Ok(slow.clone()));
}

#[test]
fn a_number_of_chats_goes_on_at_the_new_rate_until_the_same_total() {
    let slow = arrivals("{ chats: 100, ramp: 10s }");
    let fast = slow.with_rate(s(5), rate(20.0)).unwrap();
    assert_eq!(fast.total(), 100);
    assert_eq!(fast.duration(), ms(7500));
    assert_eq!(fast.intended_start(99), Some(ms(7450)));
    let slower = fast.with_rate(s(6), rate(1.0)).unwrap();
    assert_eq!(slower.total(), 100);
    assert!(slower.duration().abs_diff(s(36)) < Duration::from_micros(1));
}

#[test]
fn the_rate_of_a_moment_is_that_of_what_comes_due_behind_it() {
    let stages =
        "{ for: 10s, from: 0/s, rate: 20/s }, { for: 5s, rate: 4/s }, { for: 5s, rate: 0/s }";
    let arrivals = arrivals(&format!("{{ stages: [ {stages} ] }}"));
    for (at, expected) in [
        (0, 0.0),
        (2_500, 5.0),
        (9_999, 19.998),
        (10_000, 4.0),
        (14_999, 4.0),
        (15_000, 0.0),
        (20_000, 0.0),
        (3_600_000, 0.0),
    ] {
        let found = arrivals.rate_at(ms(at)).as_per_second();
        assert!((found - expected).abs() < 1e-6, "{at} ms: {found}");
    }
    let changed = arrivals.with_rate(ms(12_345), rate(7.0)).unwrap();
    assert_eq!(changed.rate_at(ms(12_344)), rate(4.0));
    // At the moment of the change it is the new one.
    assert_eq!(changed.rate_at(ms(12_345)), rate(7.0));
    assert_eq!(changed.rate_at(ms(19_999)), rate(7.0));
}

#[test]
fn chats_that_are_due_at_once_have_no_rate() {
    assert_eq!(arrivals("{ chats: 3 }").rate_at(Duration::ZERO), Rate::ZERO);
    let ramped = arrivals("{ chats: 100, ramp: 10s }");
    assert!((ramped.rate_at(s(9)).as_per_second() - 10.0).abs() < 1e-9);
    assert_eq!(ramped.rate_at(s(10)), Rate::ZERO);
}

#[test]
fn a_rate_that_cannot_be_is_refused() {
    let chats = arrivals("{ chats: 100, ramp: 10s }");
    assert_eq!(chats.with_rate(s(5), rate(0.0)), Err(LoadError::NeverEnds));
    assert_eq!(chats.with_rate(s(5), rate(1e-9)), Err(LoadError::TooLong));
    assert_eq!(chats.with_rate(s(10), rate(0.0)), Ok(chats.clone()));
    let at_once = chats.with_rate(s(5), rate(f64::MAX)).unwrap();
    assert_eq!((at_once.total(), at_once.due_by(s(5) + NANO)), (100, 100));
    let open = arrivals("{ rate: 10/s, for: 60s }");
    assert_eq!(
        open.with_rate(s(5), rate(f64::MAX)),
        Err(LoadError::TooManyChats)
    );
}

fn any_rate() -> impl Strategy<Value = Rate> {
    prop_oneof![
        Just(0.0),
        (0_u32..6000).prop_map(f64::from),
        0.0..6000.0,
        (1_u32..100).prop_map(|n| f64::from(n) / 3600.0),
    ]
    .prop_map(rate)
}

fn any_stage() -> impl Strategy<Value = RateStage> {
    let length = prop_oneof![
        (1_u64..36_000).prop_map(s),
        (1_u64..10_000_000_000).prop_map(Duration::from_nanos),
    ];
    (length, any_rate(), any_rate(), any::<bool>()).prop_map(|(length, from, to, level)| {
        RateStage {
            length,
            from: if level { to } else { from },
            to,
        }
    })
}

fn any_arrivals() -> impl Strategy<Value = Arrivals> {
    prop_oneof![
        3 => prop::collection::vec(any_stage(), 1..5)
            .prop_map(|stages| Arrivals::open(&stages, ArrivalSpacing::Even).unwrap()),
        1 => (1_u64..1_000_000, 0_u64..100_000_000_000)
            .prop_map(|(n, ramp)| Arrivals::of_chats(n, Duration::from_nanos(ramp)).unwrap()),
    ]
}

/// A part of `whole`, for numbers that depend on the schedule.
fn part(whole: Duration, permille: u32) -> Duration {
    whole / 1000 * permille
}

proptest! {
    #[test]
    fn the_number_due_never_falls(
        arrivals in any_arrivals(),
        (a, b) in (0_u32..1100, 0_u32..1100),
    ) {
        let early = arrivals.due_by(part(arrivals.duration(), a.min(b)));
        let later = arrivals.due_by(part(arrivals.duration(), a.max(b)));
        prop_assert!(early <= later);
        prop_assert!(later <= arrivals.total());
        prop_assert_eq!(arrivals.due_by(arrivals.duration()), arrivals.total());
    }

    #[test]
    fn due_by_and_intended_start_are_inverse(
        arrivals in any_arrivals(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let total = arrivals.total();
        let anywhere = picks.iter().map(|pick| {
            pick.index(usize::try_from(total).unwrap() + 1) as u64
        });
        let ends = [0, 1, total.saturating_sub(1), total, total + 1];
        for i in anywhere.chain(ends) {
            agrees_at(&arrivals, i)?;
        }
    }

    #[test]
    fn the_total_is_the_number_of_starts(n in 1_u32..2000, millis in 1_u64..20_000) {
        let stage = RateStage { length: ms(millis), from: rate(0.0), to: rate(f64::from(n) / 10.0) };
        let arrivals = Arrivals::open(&[stage], ArrivalSpacing::Even).unwrap();
        let starts = (0..).map_while(|i| arrivals.intended_start(i)).count();
        prop_assert_eq!(starts as u64, arrivals.total());
    }

    #[test]
    fn an_integer_rate_is_exact(r in 1_u32..10_000, seconds in 1_u64..36_000, permille in 0_u64..1000) {
        let stage = RateStage { length: s(seconds), from: rate(f64::from(r)), to: rate(f64::from(r)) };
        let arrivals = Arrivals::open(&[stage], ArrivalSpacing::Even).unwrap();
        prop_assert_eq!(arrivals.total(), u64::from(r) * seconds);
        let i = arrivals.total() * permille / 1000;
        let nearest = (u128::from(i) * 2_000_000_000 / u128::from(r)).div_ceil(2);
        prop_assert_eq!(arrivals.intended_start(i).unwrap().as_nanos(), nearest);
    }

    #[test]
    fn a_new_rate_keeps_the_past_and_never_goes_back(
        arrivals in any_arrivals(),
        changes in prop::collection::vec((0_u32..1100, any_rate()), 1..4),
        moments in prop::collection::vec(0_u32..1000, 10),
    ) {
        let mut arrivals = arrivals;
        for (permille, rate) in changes {
            let elapsed = part(arrivals.duration(), permille);
            let Ok(changed) = arrivals.with_rate(elapsed, rate) else {
                prop_assert!(!arrivals.is_open());
                continue;
            };
            for moment in &moments {
                let past = part(elapsed, *moment);
                prop_assert_eq!(changed.due_by(past), arrivals.due_by(past));
            }
            let due = arrivals.due_by(elapsed);
            prop_assert_eq!(changed.due_by(elapsed), due);
            prop_assert!(changed.due_by(elapsed + NANO) >= due);
            if arrivals.is_open() {
                prop_assert_eq!(changed.duration(), arrivals.duration());
            } else {
                prop_assert_eq!(changed.total(), arrivals.total());
            }
            for i in [due.saturating_sub(1), due, due + 1, changed.total()] {
                agrees_at(&changed, i)?;
            }
            arrivals = changed;
        }
    }
}
