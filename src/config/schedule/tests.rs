use std::collections::HashSet;

use chrono::{Timelike as _, offset::LocalResult};
use proptest::prelude::*;

use super::*;

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        cron: read_cron(cron).unwrap(),
        text: cron.to_owned(),
        time_zone: zone.parse().unwrap(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The first starts after a moment, as hours and minutes of UTC or as dates besides.
fn starts(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(cron, zone);
    let mut now = at(after);
    let next = || {
        now = schedule.next_due(now).unwrap();
        now.format("%m-%d %H:%M").to_string()
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn a_fixed_time_in_the_repeated_hour_is_due_in_its_first_pass_only() {
    // Central Europe leaves summer time on 2026-10-25 at 01:00 UTC, when it is 03:00 there.
    let berlin = |cron: &str, after: &str| starts(cron, "Europe/Berlin", after, 2);
    assert_eq!(
        berlin("30 2 * * *", "2026-10-24T12:00:00Z"),
        ["10-25 00:30", "10-26 01:30"]
    );
    for second_pass in ["01:00:00", "01:10:00", "01:29:59", "01:30:00", "01:59:59.9"] {
        assert_eq!(
            berlin("30 2 * * *", &format!("2026-10-25T{second_pass}Z")),
            ["10-26 01:30", "10-27 01:30"],
            "{second_pass}"
        );
    }
    assert_eq!(
        berlin("0,59 2-3 * * *", "2026-10-25T00:30:00Z"),
        ["10-25 00:59", "10-25 02:00"]
    );
    // New York follows on 2026-11-01 at 06:00 UTC, when it is 02:00 there.
    assert_eq!(
        starts("30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", 2),
        ["11-02 06:30", "11-03 06:30"]
    );
}

#[test]
fn a_schedule_with_wildcards_is_due_in_both_passes() {
    for cron in ["@hourly", "0 0-23 * * *", "0 */1 * * *"] {
        assert_eq!(
            starts(cron, "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
            ["10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00"],
            "{cron}"
        );
    }
    assert_eq!(
        starts("*/30 2 * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 5),
        [
            "10-25 00:00",
            "10-25 00:30",
            "10-25 01:00",
            "10-25 01:30",
            "10-26 01:00"
        ]
    );
}

#[test]
fn a_fixed_time_in_the_skipped_hour_is_due_at_the_change_and_a_wildcard_is_not() {
    // Central Europe begins summer time on 2027-03-28 at 01:00 UTC, when it is 02:00 there.
    let berlin = |cron| starts(cron, "Europe/Berlin", "2027-03-27T12:00:00Z", 3);
    for cron in ["30 2 * * *", "0 2 * * *", "59 2 * * *"] {
        let starts = berlin(cron);
        assert_eq!(starts[0], "03-28 01:00", "{cron}");
        assert!(starts[1].starts_with("03-29 00:"), "{cron}: {starts:?}");
    }
    assert_eq!(
        berlin("0,15,30 2,3 * * *")[..2],
        ["03-28 01:00", "03-28 01:15"],
        "all that was skipped is one start, with the one that is due then anyway"
    );
    assert_eq!(
        berlin("*/30 2 * * *"),
        ["03-29 00:00", "03-29 00:30", "03-30 00:00"]
    );
    // Asked within the last second before the change, too.
    assert_eq!(
        starts("30 2 * * *", "Europe/Berlin", "2027-03-28T00:59:59.9Z", 1),
        ["03-28 01:00"]
    );
}

#[test]
fn a_schedule_follows_the_clocks_of_its_time_zone_over_their_change() {
    assert_eq!(
        starts("0 3 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z", 3),
        ["10-24 01:00", "10-25 02:00", "10-26 02:00"]
    );
}

#[test]
fn the_moment_itself_is_not_due_again() {
    assert_eq!(
        starts("*/5 * * * *", "UTC", "2026-01-01T00:05:00Z", 1),
        ["01-01 00:10"]
    );
}

#[test]
fn numbers_lists_and_ranges_are_fixed_and_wildcards_steps_and_all_of_it_are_not() {
    for fixed in ["30 2 * * *", "0,30 1-5 * * *", "5 30 2 * * 1", "@daily"] {
        assert!(schedule(fixed, "UTC").is_fixed(), "{fixed}");
    }
    for interval in [
        "* * * * *",
        "@hourly",
        "0 * * * *",
        "*/5 2 * * *",
        "1-31/10 2 * * *",
        "0 0-23 * * *",
        "* 30 2 * * *",
    ] {
        assert!(!schedule(interval, "UTC").is_fixed(), "{interval}");
    }
}

/// The moments in two years at which the clocks of a zone change.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let every_second = Schedule {
        time_zone: zone,
        ..schedule("* * * * * *", "UTC")
    };
    let (mut from, until) = (at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    let next = || {
        from = every_second.first_change(from, until)?;
        Some(from)
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn in_every_zone_a_daily_time_is_due_once_a_day_over_every_change_of_the_clocks() {
    let mut tried = 0;
    for zone in chrono_tz::TZ_VARIANTS {
        for change in changes(zone) {
            let before = (change - SECOND).with_timezone(&zone).naive_local();
            let after = change.with_timezone(&zone).naive_local();
            // The middle of what is skipped or repeated.
            let middle = before.min(after) + (before - after).abs() / 2;
            let daily = Schedule {
                time_zone: zone,
                ..schedule(
                    &format!("{} {} * * *", middle.minute(), middle.hour()),
                    "UTC",
                )
            };
            let mut now = change - TimeDelta::hours(36);
            let mut days = HashSet::new();
            while let Some(due) = daily
                .next_due(now)
                .filter(|due| *due < change + TimeDelta::hours(36))
            {
                assert!(due > now, "{zone} {change}");
                now = due;
                // A time that was skipped may have been one of the day before.
                let before = (due - SECOND).with_timezone(&zone).naive_local();
                let day = (before + SECOND).date();
                assert!(days.insert(day), "{zone} {change}: twice on {day}");
            }
            assert_eq!(days.len(), 3, "{zone} {change}: {days:?}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried} changes");
}

fn cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (0..60_u8).prop_map(|minute| minute.to_string()),
        (1..60_u8).prop_map(|step| format!("*/{step}")),
        (0..30_u8, 30..60_u8).prop_map(|(from, to)| format!("{from}-{to}")),
        (0..60_u8, 0..60_u8).prop_map(|(one, other)| format!("{one},{other}")),
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (0..24_u8).prop_map(|hour| hour.to_string()),
        (0..4_u8, 4..24_u8).prop_map(|(from, to)| format!("{from}-{to}/2")),
    ];
    let day = prop_oneof![3 => Just("*"), 1 => Just("1"), 1 => Just("29"), 1 => Just("L")];
    let weekday = prop_oneof![3 => Just("*"), 1 => Just("0"), 1 => Just("1-5")];
    (minute, hour, day, weekday)
        .prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

proptest! {
    #[test]
    fn what_is_due_is_in_the_future_and_shown_by_the_clocks_or_skipped_by_them(
        cron in cron(),
        zone in proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
        milliseconds in 1_700_000_000_000_i64..2_100_000_000_000,
    ) {
        let schedule = Schedule { time_zone: zone, ..schedule(&cron, "UTC") };
        let now = DateTime::from_timestamp_millis(milliseconds).unwrap();
        let due = schedule.next_due(now).unwrap();
        prop_assert!(due > now);
        let local = due.with_timezone(&zone).naive_local();
        let shown = schedule.cron.is_time_matching(&local.and_utc()).unwrap();
        let before = (due - SECOND).with_timezone(&zone).naive_local();
        prop_assert!(shown || (schedule.is_fixed() && local - before > SECOND), "{due}");
        if let LocalResult::Ambiguous(_, second) = zone.from_local_datetime(&local) {
            prop_assert!(!schedule.is_fixed() || due != second);
        }
        // Nothing lies between.
        prop_assert_eq!(schedule.next_due(due - SECOND), Some(due));
    }
}
