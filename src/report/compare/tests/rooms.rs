//! Deliveries to rooms, and sockets that the target closed.

use std::time::Duration;

use super::*;
use crate::{
    event::{CloseCode, DeliveryFate},
    report::testing::with_rooms,
    runner::{BatchFigures, EndedSockets, Histogram},
    scenario::SocketEnd,
};

/// What is delivered and ends in each of the 32 batches of a run.
#[derive(Clone, Copy)]
struct RoomsOfBatch {
    millis: u64,
    lost: u64,
    by_target: u64,
}

const WELL: RoomsOfBatch = RoomsOfBatch {
    millis: 15,
    lost: 0,
    by_target: 0,
};

/// A run of 96 seconds in whose batches 100 deliveries come and 10 sockets end.
fn of_rooms(of_batch: impl Fn(usize) -> RoomsOfBatch) -> RunRecord {
    let second = Second {
        passed: vec![0.5; 10],
        failed: 0,
    };
    let mut record = with_rooms(record(&vec![second; 96]));
    let (mut lost, mut by_target) = (0, 0);
    for (at, batch) in record.batches.iter_mut().enumerate() {
        let rooms = of_batch(at);
        let micros = |place: u64| Duration::from_micros(rooms.millis * (950 + place));
        let latencies: Vec<_> = (0..100).map(|place| (micros(place), 1)).collect();
        batch.deliveries.latency = Histogram::from_iter(latencies);
        batch.deliveries.failed = rooms.lost;
        batch.sockets = EndedSockets {
            ended: 10,
            by_target: rooms.by_target,
        };
        lost += rooms.lost;
        by_target += rooms.by_target;
    }
    let latencies: Vec<_> = (record.batches.iter())
        .map(|batch| &batch.deliveries.latency)
        .collect();
    let latency = Histogram::merged(&latencies).quantiles();
    let ended = 10 * record.batches.len() as u64;
    let deliveries = record.report.deliveries.as_mut().unwrap();
    deliveries.latency = latency;
    deliveries.by_fate = [(DeliveryFate::Lost, lost), (DeliveryFate::Excused, 500)].into();
    let sockets = record.report.sockets.as_mut().unwrap();
    sockets.closed = [
        (SocketEnd::Target, [(CloseCode::Restart, by_target)].into()),
        (
            SocketEnd::Us,
            [(CloseCode::Normal, ended - by_target)].into(),
        ),
    ]
    .into();
    record
}

fn changes(comparison: &Comparison, subject: SubjectKind) -> &[Change] {
    let found = comparison.subjects.iter().find(|it| it.subject == subject);
    &found.unwrap().changes
}

fn words(comparison: &Comparison, subject: SubjectKind) -> Vec<(Figure, Word)> {
    let changes = changes(comparison, subject).iter();
    changes.map(|change| (change.figure, change.word)).collect()
}

#[test]
fn nothing_is_found_where_nothing_changed() {
    let run = of_rooms(|_| WELL);
    let comparison = compare(&run, &run);
    let deliveries = Figure::OF_DELIVERIES.map(|figure| (figure, Word::Noise));
    assert_eq!(words(&comparison, SubjectKind::Deliveries), deliveries);
    let sockets = [(Figure::ClosedByTarget, Word::Noise)];
    assert_eq!(words(&comparison, SubjectKind::Sockets), sockets);
    assert_eq!(comparison.overall, Overall::Unchanged);
}

#[test]
fn losses_and_slower_deliveries_are_worse() {
    let (before, after) = (
        of_rooms(|_| WELL),
        of_rooms(|_| RoomsOfBatch {
            millis: 30,
            lost: 2,
            ..WELL
        }),
    );
    let comparison = compare(&before, &after);
    let worse = Figure::OF_DELIVERIES.map(|figure| (figure, Word::Worse));
    assert_eq!(words(&comparison, SubjectKind::Deliveries), worse);
    let [mean, _, _, _, lost] = changes(&comparison, SubjectKind::Deliveries) else {
        panic!("five figures");
    };
    assert!((mean.change.unwrap() - 1.0).abs() < 0.01, "{mean:?}");
    assert_eq!((lost.before, lost.before_count), (Some(0.0), 3_200));
    assert_eq!(lost.after_count, 3_264);
    let share = 64.0 / 3_264.0;
    assert!((lost.after.unwrap() - share).abs() < 1e-9, "{lost:?}");
    assert_eq!(lost.method, Some(Method::Batches));
    let told = BaselineCheck::new(&[&before], &after, Some(0.2)).regressions();
    assert!(
        told.iter()
            .any(|line| line.starts_with("deliveries lost: 0")),
        "{told:?}"
    );
    let back = compare(&after, &before);
    let better = Figure::OF_DELIVERIES.map(|figure| (figure, Word::Better));
    assert_eq!(words(&back, SubjectKind::Deliveries), better);
}

#[test]
fn losses_of_one_moment_are_no_change_of_the_whole_run() {
    let after = of_rooms(|at| RoomsOfBatch {
        lost: if at == 9 { 64 } else { 0 },
        ..WELL
    });
    let comparison = compare(&of_rooms(|_| WELL), &after);
    let found = words(&comparison, SubjectKind::Deliveries);
    assert_eq!(found[4], (Figure::Lost, Word::Unclear));
}

#[test]
fn sockets_that_the_target_closes_are_compared_with_all_that_ended() {
    let after = of_rooms(|_| RoomsOfBatch {
        by_target: 4,
        ..WELL
    });
    let comparison = compare(&of_rooms(|_| WELL), &after);
    let [closed] = changes(&comparison, SubjectKind::Sockets) else {
        panic!("one figure");
    };
    assert_eq!(
        (closed.figure, closed.word),
        (Figure::ClosedByTarget, Word::Worse)
    );
    assert_eq!((closed.before, closed.before_count), (Some(0.0), 320));
    assert_eq!((closed.after, closed.after_count), (Some(0.4), 320));
    assert_eq!(closed.method, Some(Method::Batches));
    assert_eq!(comparison.overall, Overall::Worse);
}

#[test]
fn only_what_both_runs_have_is_compared() {
    let with = of_rooms(|_| WELL);
    let mut without = with.clone();
    without.report.deliveries = None;
    without.report.sockets = None;
    for (before, after) in [(&with, &without), (&without, &with), (&without, &without)] {
        let comparison = compare(before, after);
        let subjects: Vec<_> = comparison.subjects.iter().map(|it| it.subject).collect();
        assert_eq!(subjects, [SubjectKind::Chats, SubjectKind::Step]);
    }
}

#[test]
fn a_baseline_that_is_older_than_its_batches_of_rooms_is_read() {
    let after = of_rooms(|_| RoomsOfBatch { lost: 2, ..WELL });
    let mut older = of_rooms(|_| WELL);
    for batch in &mut older.batches {
        let kept = serde_json::to_value(&*batch).unwrap();
        assert!(kept.get("deliveries").is_some() && kept.get("sockets").is_some());
        batch.deliveries = BatchFigures::default();
        batch.sockets = EndedSockets::default();
        let left = serde_json::to_value(&*batch).unwrap();
        assert_eq!(left.as_object().unwrap().len(), 3, "{left}");
        *batch = serde_json::from_value(left).unwrap();
    }
    let comparison = compare(&older, &after);
    let found = words(&comparison, SubjectKind::Deliveries);
    // What varies is not known of the latencies; of the losses the other run shows it.
    assert_eq!(found[0], (Figure::Mean, Word::TooLittle));
    assert_eq!(found[4], (Figure::Lost, Word::Worse));
}
