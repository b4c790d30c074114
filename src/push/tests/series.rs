//! What a run's seconds come to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    event::{Mode, RunIdentity, Subject, Trigger, Verdict},
    push::{
        address::PushFormat,
        queue::{Point, PushEntry},
        series::{RunSeries, SeriesSettings},
    },
    record::Boundaries,
    runner::{Batch, BatchFigures, Histogram, Sample, StepSample, WholeSecond},
    scenario::Reason,
};

const BEGAN: u64 = 1_000_000;

pub(super) fn series(mode: Mode, format: PushFormat) -> (RunSeries, Arc<RunIdentity>) {
    let subject = Subject {
        scenario: "buy".into(),
        target: "shop".into(),
        mode,
    };
    let run = RunIdentity::new("evening".into(), subject, Trigger::CommandLine);
    let labels = vec![("site".to_owned(), "hamburg".to_owned())];
    let settings = SeriesSettings::new(format, labels, &Boundaries::default());
    let steps = ["greet", "say"].map(str::to_owned).to_vec();
    let series = RunSeries::new(Arc::new(settings), &run, steps, BEGAN);
    (series, Arc::new(run))
}

/// A second in which a chat passed after 40 ms, and so many failed.
pub(super) fn second(at: f64, failed: u64) -> WholeSecond {
    let failed_by_reason: BTreeMap<_, _> = (failed > 0)
        .then_some((Reason::Timeout, failed))
        .into_iter()
        .collect();
    let latency = Histogram::from_iter([(Duration::from_millis(40), 1)]);
    let figures = BatchFigures { latency, failed };
    let step = StepSample {
        passed: 1,
        failed,
        failed_by_reason: failed_by_reason.clone(),
        ..StepSample::default()
    };
    WholeSecond {
        sample: Arc::new(Sample {
            at,
            seconds: 1.0,
            started: 1 + failed,
            passed: 1,
            failed,
            failed_by_reason,
            in_progress: 3,
            steps: vec![StepSample::default(), step],
            ..Sample::default()
        }),
        batch: Some(Arc::new(Batch {
            seconds: 1.0,
            chats: figures.clone(),
            steps: vec![BatchFigures::default(), figures],
            ..Batch::default()
        })),
    }
}

/// The name of a series and its labels, without those that all of them have.
pub(super) fn tags_of(point: &Point) -> (String, Vec<(String, String)>) {
    let head = String::from_utf8(point.head.bytes.clone()).unwrap();
    let (name, tags) = head.split_once(',').unwrap();
    let of_all = ["run", "run_id", "scenario", "target", "mode", "site"];
    let tags = tags.split(',').map(|tag| tag.split_once('=').unwrap());
    let own = tags.filter(|(name, _)| !of_all.contains(name));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (name.to_owned(), own.collect())
}

/// The samples of an entry by their series.
fn read(entry: &PushEntry) -> BTreeMap<String, f64> {
    let points = entry.points.iter().map(|point| {
        let (name, tags) = tags_of(point);
        let tags = tags.iter().map(|(name, value)| format!("{name}={value}"));
        let tags: Vec<_> = tags.collect();
        (format!("{name} {}", tags.join(",")), point.value)
    });
    points.collect()
}

#[test]
fn counts_add_up_from_zero_at_the_beginning_to_what_the_report_says() {
    let (mut series, _) = series(Mode::Burst, PushFormat::Influx);
    let begun = series.begin();
    assert_eq!(begun.at_ms, BEGAN);
    let at_first = read(&begun);
    assert!(at_first.values().all(|value| *value == 0.0), "{at_first:?}");
    assert!(at_first.contains_key("chatprobe_run_chats_passed_total "));
    assert!(at_first.contains_key("chatprobe_run_steps_passed_total step=greet"));

    let first = series.add(&second(1.0, 0));
    assert_eq!(first.len(), 1, "no series begins");
    let next = series.add(&second(2.5, 2));
    let [zeros, stand] = &next[..] else {
        panic!("{next:?}");
    };
    assert_eq!((zeros.at_ms, stand.at_ms), (BEGAN + 1_000, BEGAN + 2_500));
    let failed = "chatprobe_run_steps_failed_total reason=timeout,step=say";
    assert_eq!(
        read(zeros),
        [
            ("chatprobe_run_chats_failed_total reason=timeout", 0.0),
            (failed, 0.0)
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    );
    let stand = read(stand);
    for (name, value) in [
        ("chatprobe_run_chats_started_total ", 4.0),
        ("chatprobe_run_chats_passed_total ", 2.0),
        ("chatprobe_run_chats_failed_total reason=timeout", 2.0),
        ("chatprobe_run_chats_active ", 3.0),
        ("chatprobe_run_steps_passed_total step=greet", 0.0),
        ("chatprobe_run_steps_passed_total step=say", 2.0),
        (failed, 2.0),
        ("chatprobe_run_step_duration_seconds_count step=say", 2.0),
        (
            "chatprobe_run_step_duration_seconds_bucket le=0.025,step=say",
            0.0,
        ),
        (
            "chatprobe_run_step_duration_seconds_bucket le=0.05,step=say",
            2.0,
        ),
        (
            "chatprobe_run_step_duration_seconds_bucket le=+Inf,step=say",
            2.0,
        ),
        ("chatprobe_run_step_duration_seconds_sum step=say", 0.08),
        ("chatprobe_run_chat_duration_seconds_count ", 2.0),
        ("chatprobe_run_chat_duration_seconds_bucket le=0.1", 2.0),
    ] {
        let found = stand.get(name).copied().unwrap_or(f64::NAN);
        assert!(
            (found - value).abs() < 1e-9,
            "{name}: {found} in {stand:#?}"
        );
    }
}

#[test]
fn a_burst_is_told_from_others_of_its_name_by_its_id_and_probes_have_one_series_for_all_runs() {
    let tags = |mode| {
        let (mut series, run) = series(mode, PushFormat::Influx);
        let head = series.begin().points[0].head.bytes.clone();
        (String::from_utf8(head).unwrap(), run.id.clone())
    };
    let (burst, id) = tags(Mode::Burst);
    for tag in [
        "run=evening",
        &format!("run_id={id}"),
        "site=hamburg",
        "mode=burst",
    ] {
        assert!(burst.contains(tag), "{tag} in {burst}");
    }
    let (probe, _) = tags(Mode::Probe);
    assert!(
        probe.contains("scenario=buy") && !probe.contains("run_id"),
        "{probe}"
    );
}

#[test]
fn the_end_says_the_verdict_and_ends_every_series() {
    let (mut series, _) = series(Mode::Burst, PushFormat::RemoteWrite);
    series.begin();
    let stand = series.add(&second(1.0, 1)).pop().unwrap();
    let ended = series.end(Some(Verdict::Passed));
    let [verdict, stale] = &ended[..] else {
        panic!("{ended:?}");
    };
    assert_eq!((verdict.samples(), verdict.at_ms), (1, BEGAN + 1_000));
    assert_eq!(stale.samples(), stand.samples() + 1);
    assert_eq!(stale.at_ms, BEGAN + 1_001);
    let mut bits = stale.points.iter().map(|point| point.value.to_bits());
    assert!(bits.all(|bits| bits == 0x7ff0_0000_0000_0002));

    let (mut series, _) = self::series(Mode::Burst, PushFormat::Influx);
    series.begin();
    assert_eq!(series.end(None).len(), 0, "lines know no end");
}

#[test]
fn a_run_has_a_bounded_number_of_series_and_what_has_no_capacity_is_counted() {
    let subject = Subject {
        scenario: "long".into(),
        target: "shop".into(),
        mode: Mode::Burst,
    };
    let run = RunIdentity::new("long".into(), subject, Trigger::CommandLine);
    let settings = SeriesSettings::new(PushFormat::Influx, Vec::new(), &Boundaries::default());
    let steps = (0..1_000).map(|step| format!("step-{step}")).collect();
    let mut series = RunSeries::new(Arc::new(settings), &run, steps, BEGAN);
    assert_eq!(series.begin().samples(), 10_000);
    assert!(series.take_left_out() > 5_000);
    assert_eq!(series.take_left_out(), 0);
}
