use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, params};

use super::{MOST, open, record, run, value};
use crate::{
    history::{
        Storage, baselines, directory::path_in, figures::HistoryCounters, hours::ProbeHour, tidy,
        write::Write, writer::Writer,
    },
    testing::TemporaryFolder,
};

#[test]
fn what_is_too_old_goes_and_what_is_in_progress_stays() {
    let folder = TemporaryFolder::new();
    let mut file = open(folder.path(), MOST).unwrap();
    let now = run().id.clone();
    for (id, rest) in [
        ("00000000001-a", Some("{}")),
        ("00000000001-b", None),
        (&*now, Some("{}")),
    ] {
        let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', '{}', ?)";
        file.connection.execute(insert, params![id, rest]).unwrap();
    }
    let named = "INSERT INTO runs VALUES ('00000000000-a', 'burst', 'n', 'ended', '{}', '{}')";
    file.connection.execute(named, []).unwrap();
    let name = baselines::BaselineChange::Set {
        name: "release".to_owned(),
        run: "00000000000-a".to_owned(),
    };
    baselines::apply(&mut file.connection, &name, MOST).unwrap();
    let hour = "INSERT INTO probe_hours VALUES ('n', 's', 't', ?, '{}')";
    file.connection.execute(hour, [0]).unwrap();
    file.connection.execute(hour, [i64::MAX]).unwrap();
    let wall = Some(tidy::ClockReading::now().wall);
    tidy::tidy(&mut file.connection, wall, Duration::from_hours(1), MOST).unwrap();
    let mut query = file
        .connection
        .prepare("SELECT id FROM runs ORDER BY id")
        .unwrap();
    let left = query.query_map([], |row| row.get(0)).unwrap();
    let left: Vec<String> = left.map(Result::unwrap).collect();
    assert_eq!(left, ["00000000000-a", "00000000001-b", &now]);
    let hours: u64 = file
        .connection
        .query_row("SELECT count(*) FROM probe_hours", [], |row| row.get(0))
        .unwrap();
    assert_eq!(hours, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_leaps_forward_is_not_believed_for_a_day() {
    const MINUTE: Duration = Duration::from_mins(1);
    const MONTH: Duration = Duration::from_hours(30 * 24);
    let folder = TemporaryFolder::new();
    let mut clock = open(folder.path(), MOST).unwrap().clock;
    let mut now = tidy::ClockReading::now();
    assert_eq!(clock.believe(now), Some(now.wall), "the file is new");
    let mut pass = |steady: Duration, wall: Duration| {
        now.steady += steady;
        now.wall += wall;
        now
    };
    // It is set right by a little, or the service was busy for long.
    for (steady, wall) in [
        (MINUTE, 59 * MINUTE),
        (600 * MINUTE, 600 * MINUTE),
        (MINUTE, Duration::ZERO),
    ] {
        let reading = pass(steady, wall);
        assert_eq!(clock.believe(reading), Some(reading.wall));
    }
    let before = pass(MINUTE, MINUTE);
    assert!(clock.believe(before).is_some());
    assert_eq!(clock.believe(pass(MINUTE, MONTH)), None);
    for _ in 1..24 * 60 {
        assert_eq!(clock.believe(pass(MINUTE, MINUTE)), None);
    }
    // It leaps again, and what it was between does not count.
    assert_eq!(clock.believe(pass(MINUTE, MONTH)), None);
    for _ in 1..24 * 60 {
        assert_eq!(clock.believe(pass(MINUTE, MINUTE)), None);
    }
    let reading = pass(MINUTE, MINUTE);
    assert_eq!(clock.believe(reading), Some(reading.wall));
}

#[test]
fn a_clock_that_is_far_beyond_the_newest_row_at_the_start_empties_nothing() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let hour = "INSERT INTO probe_hours VALUES ('n', 's', 't', 7200, '{}')";
    file.connection.execute(hour, []).unwrap();
    drop(file);
    let settings = Storage {
        keep: Duration::from_hours(1),
        ..Storage::default()
    };
    let figures = Arc::<HistoryCounters>::default();
    let mut writer = Writer::new(folder.path().to_owned(), &settings, figures, Arc::default());
    writer.keep(vec![Write::Tidy]);
    let connection = Connection::open(path_in(folder.path())).unwrap();
    let left: u64 = value(&connection, "SELECT count(*) FROM probe_hours");
    assert_eq!(left, 1);
}

#[test]
fn a_probe_is_counted_once_even_if_its_history_cannot_be_tidied() {
    let folder = TemporaryFolder::new();
    let file = open(folder.path(), MOST).unwrap();
    let refusal = "CREATE TRIGGER refusal BEFORE DELETE ON probe_hours \
                   BEGIN SELECT raise(ABORT, 'not today'); END";
    file.connection.execute_batch(refusal).unwrap();
    // The clock is right, as the newest run says.
    let insert = "INSERT INTO runs VALUES (?, 'burst', 'n', 'ended', '{}', '{}')";
    file.connection.execute(insert, [&run().id]).unwrap();
    drop(file);
    let figures = Arc::<HistoryCounters>::default();
    let settings = Storage {
        directory: None,
        keep: Duration::from_hours(1),
        max_bytes: MOST,
    };
    let mut writer = Writer::new(
        folder.path().to_owned(),
        &settings,
        figures.clone(),
        Arc::default(),
    );
    writer.keep(vec![Write::Ended(Box::new(record(1, 1_000))), Write::Tidy]);
    let now = figures.now();
    assert_eq!((now.written, now.lost, now.tidy_failed), (1, 0, 1));
    let connection = Connection::open(path_in(folder.path())).unwrap();
    let hour: String = value(&connection, "SELECT sums FROM probe_hours");
    let hour: ProbeHour = serde_json::from_str(&hour).unwrap();
    assert_eq!(hour.runs, 1);
}
