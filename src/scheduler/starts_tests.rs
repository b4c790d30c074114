use std::collections::{BTreeSet, HashSet};

use chrono::{NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;
use croner::Cron;
use tokio::time::{Instant, sleep};

use super::*;

/// Zones whose clocks change by half an hour, by two hours, at midnight, in the other half of the year, and four times
/// a year.
const ZONES: [Tz; 10] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Antarctica__Troll,
    Tz::America__Santiago,
    Tz::America__Havana,
    Tz::Africa__Casablanca,
    Tz::Europe__Dublin,
    Tz::Pacific__Chatham,
    Tz::Atlantic__Azores,
];

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn schedule(cron: &str, time_zone: Tz) -> Schedule {
    Schedule {
        cron: cron.parse().unwrap(),
        text: cron.to_owned(),
        time_zone,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The clock of the computer, which goes on with the paused clock of the test.
struct Clock {
    set_to: DateTime<Utc>,
    set_at: Instant,
}

impl Clock {
    fn set(to: DateTime<Utc>) -> Self {
        Self {
            set_to: to,
            set_at: Instant::now(),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.set_to + self.set_at.elapsed()
    }
}

/// One burst, and when it started.
struct Service {
    starts: Starts,
    schedule: Schedule,
    plan: u64,
    clock: Clock,
    started: Vec<DateTime<Utc>>,
}

impl Service {
    fn new(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        let mut service = Self {
            starts: Starts::default(),
            schedule: schedule.clone(),
            plan: 0,
            clock: Clock::set(now),
            started: Vec::new(),
        };
        service.reload();
        service
    }

    /// The number of starts that were too late to be made up for.
    fn reload(&mut self) -> usize {
        let plan = [(Arc::from("rush"), self.schedule.clone())];
        let planned = self.starts.follow(plan, self.clock.now());
        self.plan = planned.plan;
        planned.too_late.len()
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        self.starts.due("rush")
    }

    /// Sets the clock, which the service notices at once.
    fn set_clock(&mut self, to: &str) -> usize {
        self.clock = Clock::set(at(to));
        self.reload()
    }

    /// Sets the clock, and a timer fires before the service notices.
    fn fire_at(&mut self, to: &str) -> TimerAction {
        self.clock = Clock::set(at(to));
        self.starts.on_timer(self.plan, "rush", self.clock.now())
    }

    /// Sleeps to the next start and begins it.
    async fn until(&mut self, end: DateTime<Utc>) {
        while let Some(due) = self.due().filter(|due| *due < end) {
            let now = self.clock.now();
            assert!(due > now, "{due} is due, and it is {now} already");
            sleep((due - now).to_std().unwrap()).await;
            let action = self.starts.on_timer(self.plan, "rush", self.clock.now());
            assert_eq!(action, TimerAction::Start(self.due()));
            self.started.push(due);
        }
    }
}

fn on_clocks(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    let offset = zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    at.naive_utc() + TimeDelta::seconds(offset.local_minus_utc().into())
}

/// Every minute in which the clocks change, in three years.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let mut changes = Vec::new();
    let mut minute = at("2026-01-01T00:00:00Z");
    let mut before = on_clocks(zone, minute);
    while minute < at("2029-01-01T00:00:00Z") {
        // Clocks change at full or half hours of UTC.
        minute += MINUTE * 30;
        let after = on_clocks(zone, minute);
        if after - before != MINUTE * 30 {
            changes.push(minute);
        }
        before = after;
    }
    changes
}

/// When a schedule has to start, minute by minute, by what the clocks of the zone show in each.
fn expected(
    cron: &Cron,
    fixed: bool,
    zone: Tz,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> BTreeSet<DateTime<Utc>> {
    let fits = |time: NaiveDateTime| cron.is_time_matching(&time.and_utc()).unwrap();
    let mut shown = HashSet::new();
    let mut expected = BTreeSet::new();
    let mut minute = from - TimeDelta::hours(4);
    let mut before = on_clocks(zone, minute);
    while minute < until {
        let now = on_clocks(zone, minute);
        let first_time = shown.insert(now);
        let mut skipped = before + MINUTE;
        let mut starts = fits(now) && (first_time || !fixed);
        while fixed && skipped < now {
            starts |= fits(skipped);
            skipped += MINUTE;
        }
        if starts && minute > from {
            expected.insert(minute);
        }
        before = now;
        minute += MINUTE;
    }
    expected
}

#[tokio::test(start_paused = true)]
async fn over_every_change_of_ten_zones_a_burst_starts_once_never_twice_and_is_never_missed() {
    let schedules = [
        ("30 2 * * *", true),
        ("15,45 0-3 * * *", true),
        ("0 0 * * *", true),
        ("*/15 * * * *", false),
        ("*/20 1 * * *", false),
        ("0 * * * *", false),
    ];
    let mut random = fastrand::Rng::with_seed(14);
    let mut tried = 0;
    for zone in ZONES {
        for change in changes(zone) {
            for (cron, fixed) in schedules {
                let schedule = schedule(cron, zone);
                let from = change + TimeDelta::milliseconds(random.i64(-9_000_000..9_000_000));
                let until = minute(from) + TimeDelta::hours(8);
                let reload = from + TimeDelta::hours(2);
                let mut service = Service::new(&schedule, from);
                service.until(reload).await;
                service.reload();
                service.until(until).await;
                let started: BTreeSet<_> = service.started.iter().copied().collect();
                let expected = expected(&schedule.cron, fixed, zone, minute(from), until);
                assert_eq!(started, expected, "`{cron}` in {zone} from {from}");
                assert_eq!(started.len(), service.started.len(), "once each");
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::DurationRound as _;
    at.duration_trunc(MINUTE).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_by_a_day_has_the_starts_planned_anew() {
    for cron in ["0 3 * * *", "*/10 * * * *"] {
        let mut service = Service::new(&schedule(cron, Tz::UTC), at("2026-05-02T02:59:59Z"));
        service.until(at("2026-05-02T03:00:01Z")).await;
        assert_eq!(service.started, [at("2026-05-02T03:00:00Z")], "{cron}");
        assert_eq!(service.set_clock("2026-05-01T02:59:00Z"), 0);
        assert_eq!(service.due(), Some(at("2026-05-01T03:00:00Z")), "{cron}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_by_a_little_starts_no_fixed_time_twice() {
    let now = at("2026-05-02T03:00:05Z");
    for (cron, set_to, due) in [
        ("0 3 * * *", "2026-05-02T02:10:00Z", "2026-05-03T03:00:00Z"),
        (
            "*/20 * * * *",
            "2026-05-02T02:10:00Z",
            "2026-05-02T02:20:00Z",
        ),
        // An interval is not started twice by a small correction.
        (
            "*/20 * * * *",
            "2026-05-02T02:59:10Z",
            "2026-05-02T03:20:00Z",
        ),
    ] {
        let mut service = Service::new(&schedule(cron, Tz::UTC), now - TimeDelta::minutes(1));
        service.until(now).await;
        assert_eq!(service.set_clock(set_to), 0, "{cron}");
        assert_eq!(service.due(), Some(at(due)), "{cron} at {set_to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_leaves_out_what_is_hours_late_and_keeps_the_start_to_come() {
    let daily = schedule("0 3 * * *", Tz::UTC);
    for (set_to, skipped, due) in [
        // A week later, five minutes before the start, and a little and much too long after it.
        ("2026-05-09T02:55:00Z", 1, "2026-05-09T03:00:00Z"),
        ("2026-05-09T03:04:00Z", 1, "2026-05-09T03:00:00Z"),
        ("2026-05-09T05:59:00Z", 1, "2026-05-09T03:00:00Z"),
        ("2026-05-09T06:01:00Z", 1, "2026-05-10T03:00:00Z"),
        // Over the start of the same day.
        ("2026-05-02T05:59:00Z", 0, "2026-05-02T03:00:00Z"),
        ("2026-05-02T06:01:00Z", 1, "2026-05-03T03:00:00Z"),
    ] {
        let mut service = Service::new(&daily, at("2026-05-02T00:00:00Z"));
        assert_eq!(service.set_clock(set_to), skipped, "{set_to}");
        assert_eq!(service.due(), Some(at(due)), "{set_to}");
        // The timer may fire before the leap is noticed.
        let mut service = Service::new(&daily, at("2026-05-02T00:00:00Z"));
        let action = service.fire_at(set_to);
        if skipped == 1 {
            assert_eq!(action, TimerAction::TooLate(Some(at(due))), "{set_to}");
        } else {
            assert_eq!(action, TimerAction::Start(Some(at("2026-05-03T03:00:00Z"))));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn starts_that_were_missed_together_are_made_up_for_by_one() {
    for cron in ["* * * * * *", "*/10 * * * *", "0 1,2,3 * * *"] {
        let mut service = Service::new(&schedule(cron, Tz::UTC), at("2026-05-02T00:00:00Z"));
        assert_eq!(service.set_clock("2026-05-09T03:05:00Z"), 1, "{cron}");
        // Timers fire some seconds late on a busy computer.
        sleep(std::time::Duration::from_secs(5)).await;
        let now = service.clock.now();
        let action = service.starts.on_timer(service.plan, "rush", now);
        assert_eq!(action, TimerAction::Start(service.due()), "{cron}");
        assert!(service.due().unwrap() > now, "{cron}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_by_a_day_and_corrected_starts_no_time_twice() {
    let tomorrow = at("2026-05-03T03:00:00Z");
    // Without and with a start while the clock is wrong.
    for wrong in ["2026-05-01T03:10:00Z", "2026-05-01T02:59:00Z"] {
        for noticed in [true, false] {
            let daily = schedule("0 3 * * *", Tz::UTC);
            let mut service = Service::new(&daily, at("2026-05-02T02:59:00Z"));
            service.until(at("2026-05-02T03:10:00Z")).await;
            assert_eq!(service.set_clock(wrong), 0);
            service.until(at("2026-05-01T03:15:00Z")).await;
            assert_eq!(service.due(), Some(at("2026-05-02T03:00:00Z")));
            if noticed {
                assert_eq!(service.set_clock("2026-05-02T03:15:00Z"), 0, "{wrong}");
            } else {
                let action = service.fire_at("2026-05-02T03:15:00Z");
                assert_eq!(action, TimerAction::Again(Some(tomorrow)), "{wrong}");
            }
            assert_eq!(service.due(), Some(tomorrow), "{wrong}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_a_day_ahead_leaves_out_no_start_once_it_is_corrected() {
    let daily = schedule("0 3 * * *", Tz::UTC);
    let mut service = Service::new(&daily, at("2026-05-02T01:00:00Z"));
    // The start of the second day is too late by the wrong clock, the one of the third day is not.
    assert_eq!(service.set_clock("2026-05-03T02:59:00Z"), 1);
    service.until(at("2026-05-03T03:01:00Z")).await;
    assert_eq!(service.set_clock("2026-05-02T01:03:00Z"), 0);
    service.until(at("2026-05-03T04:00:00Z")).await;
    let [second, third] = [at("2026-05-02T03:00:00Z"), at("2026-05-03T03:00:00Z")];
    assert_eq!(service.started, [third, second, third]);

    // What the wrong clock left out has not started.
    let mut service = Service::new(&daily, at("2026-05-02T01:00:00Z"));
    let action = service.fire_at("2026-05-03T01:00:00Z");
    assert_eq!(action, TimerAction::TooLate(Some(third)));
    assert_eq!(service.set_clock("2026-05-02T01:00:00Z"), 0);
    assert_eq!(service.due(), Some(second));
}

#[test]
fn a_start_that_is_hours_late_is_left_out() {
    let due = at("2026-05-02T03:00:00Z");
    let tomorrow = Some(at("2026-05-03T03:00:00Z"));
    for (late, action) in [
        (TimeDelta::hours(3), TimerAction::Start(tomorrow)),
        (
            TimeDelta::hours(3) + TimeDelta::seconds(1),
            TimerAction::TooLate(tomorrow),
        ),
        (-TimeDelta::milliseconds(1), TimerAction::Early(due)),
    ] {
        let mut service = Service::new(&schedule("0 3 * * *", Tz::UTC), due - MINUTE);
        assert_eq!(service.starts.on_timer(1, "rush", due + late), action);
        assert_eq!(
            service.starts.on_timer(2, "rush", due + late),
            TimerAction::Outdated
        );
        assert_eq!(
            service.starts.on_timer(1, "calm", due + late),
            TimerAction::Outdated
        );
    }
}

#[test]
fn a_start_that_a_reload_overtook_is_made_up_for_unless_the_schedule_changed() {
    let overtaken = at("2026-01-01T03:00:00Z");
    let now = at("2026-01-01T03:00:00.4Z");
    let daily = schedule("0 3 * * *", Tz::UTC);
    let follow = |then: &Schedule, now| {
        let mut starts = Starts::default();
        let name: Arc<str> = Arc::from("rush");
        starts.follow([(name.clone(), daily.clone())], overtaken - MINUTE);
        starts.follow([(name, then.clone())], now);
        starts.due("rush").unwrap()
    };
    assert_eq!(follow(&daily, now), overtaken);
    let at_four = schedule("0 4 * * *", Tz::UTC);
    assert_eq!(follow(&at_four, now), at("2026-01-01T04:00:00Z"));
    let afternoon = at("2026-01-01T15:00:00Z");
    assert_eq!(follow(&daily, afternoon), at("2026-01-02T03:00:00Z"));
}
