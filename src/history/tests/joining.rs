//! Seconds of runs that go on for hours.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{begun, open, value};
use crate::{
    history::{
        directory::size,
        figures::HistoryCounters,
        file::HistoryFile,
        rows::{Rest, apply},
        write::Write,
    },
    runner::{
        Batch, BatchFigures, Histogram, MOST_BATCHES, RunReport, Sample, StepSample, WholeSecond,
    },
    testing::TemporaryFolder,
};

const LARGE: u64 = 1_000_000_000;
const HOUR: u64 = 3_600;
/// Chats of a second, of which each has two steps.
const CHATS: u64 = 200;

/// Some seconds of 200 chats a second, which repeat.
fn batches() -> Vec<Arc<Batch>> {
    let mut random = fastrand::Rng::with_seed(3);
    let mut figures = |failed| {
        let latencies = (0..CHATS - failed).map(|_| {
            let micros = 2_000.0 * (2.0 * random.f64()).exp2() * (1.0 + random.f64());
            (Duration::from_secs_f64((micros / 8.0).round() * 8e-6), 1)
        });
        BatchFigures {
            latency: latencies.collect(),
            failed,
        }
    };
    let mut batch = |number: u64| {
        let failed = number % 3;
        Arc::new(Batch {
            seconds: 1.0,
            chats: figures(failed),
            steps: vec![figures(failed), figures(0)],
            ..Batch::default()
        })
    };
    (0..20).map(&mut batch).collect()
}

/// The seconds of these numbers. Of every hundredth the histograms are not known.
fn seconds(batches: &[Arc<Batch>], numbers: std::ops::Range<u64>) -> Vec<WholeSecond> {
    let second = |number: u64| {
        let place = usize::try_from(number).unwrap() % batches.len();
        let batch = &batches[place];
        let step = |figures: &BatchFigures| StepSample {
            passed: CHATS - figures.failed,
            failed: figures.failed,
            p50: Some(0.003_214),
            p95: Some(0.012_345),
            max: Some(0.031_415),
            ..StepSample::default()
        };
        #[expect(clippy::cast_precision_loss, reason = "a few days of seconds")]
        let at = (number + 1) as f64;
        let failed = batch.chats.failed;
        WholeSecond {
            sample: Arc::new(Sample {
                at,
                seconds: 1.0,
                due: Some(CHATS),
                started: CHATS,
                passed: CHATS - failed,
                failed,
                in_progress: 7,
                steps: batch.steps.iter().map(step).collect(),
                ..Sample::default()
            }),
            batch: (number % 100 != 99).then(|| batch.clone()),
        }
    };
    numbers.map(second).collect()
}

/// Writes hours of a run in progress, a quarter of an hour at a time.
struct Writing {
    file: HistoryFile,
    batches: Vec<Arc<Batch>>,
    report: RunReport,
}

impl Writing {
    fn begin(folder: &TemporaryFolder) -> Self {
        let mut report = begun();
        report.steps.push(report.steps[0].clone());
        report.steps[1].step = "ask".to_owned();
        let mut writing = Self {
            file: open(folder.path(), LARGE).unwrap(),
            batches: batches(),
            report,
        };
        writing.write(&Write::Begun(Arc::new(writing.report.clone())));
        writing
    }

    fn write(&mut self, write: &Write) {
        let change = self.file.connection.transaction().unwrap();
        apply(&change, write, &HistoryCounters::default()).unwrap();
        change.commit().unwrap();
    }

    fn go_on(&mut self, hours: std::ops::Range<u64>) {
        for quarter in hours.start * 4..hours.end * 4 {
            let first = quarter * HOUR / 4;
            let next = first + HOUR / 4;
            #[expect(clippy::cast_precision_loss, reason = "a few days of seconds")]
            let elapsed = next as f64;
            self.report.elapsed_seconds = elapsed;
            self.write(&Write::Seconds {
                first,
                seconds: seconds(&self.batches, first..next),
                at_end: Arc::new(self.report.clone()),
                _memory: None,
            });
        }
    }
}

/// How often the second step of so many seconds took how long, of which the histograms are known.
fn latencies(batches: &[Arc<Batch>], count: u64) -> Histogram {
    let mut sums = BTreeMap::<Duration, u64>::new();
    for (place, batch) in (0..).zip(batches) {
        let known = (0..count).filter(|number| number % 20 == place && number % 100 != 99);
        let known = known.count() as u64;
        for (bound, count) in batch.steps[1].latency.buckets() {
            *sums.entry(bound).or_default() += count * known;
        }
    }
    sums.into_iter().collect()
}

#[test]
fn seconds_of_three_hours_take_few_bytes_and_those_of_five_are_fewer_and_lose_no_sum() {
    let folder = TemporaryFolder::new();
    let mut writing = Writing::begin(&folder);
    writing.go_on(0..3);
    let count = "SELECT count(*) FROM samples";
    assert_eq!(value::<u64>(&writing.file.connection, count), 3 * HOUR);
    let bytes = size(folder.path());
    assert!((10_000_000..60_000_000).contains(&bytes), "{bytes}");
    writing.go_on(3..5);
    let rows: u64 = value(&writing.file.connection, count);
    // Four hours by twos, and the last one.
    assert!((3 * HOUR..3 * HOUR + 10).contains(&rows), "{rows}");
    let last: u64 = value(&writing.file.connection, "SELECT max(number) FROM samples");
    assert_eq!(last, 5 * HOUR - 1);
    let first = "SELECT json_extract(sample, '$.seconds') FROM samples ORDER BY number LIMIT 1";
    let first: f64 = value(&writing.file.connection, first);
    assert!((first - 2.0).abs() < 1e-9, "{first}");
    let Writing { file, batches, .. } = writing;
    drop(file);

    // The next start makes a record of it.
    let file = open(folder.path(), LARGE).unwrap();
    let rest: String = value(&file.connection, "SELECT rest FROM runs");
    let rest: Rest = serde_json::from_str(&rest).unwrap();
    let all = seconds(&batches, 0..5 * HOUR);
    let sum = |of: fn(&Sample) -> u64| {
        let kept = rest.samples.iter().map(|sample| of(sample)).sum::<u64>();
        let there_were = all.iter().map(|second| of(&second.sample)).sum::<u64>();
        (kept, there_were)
    };
    for (kept, there_were) in [
        sum(|sample| sample.started),
        sum(|sample| sample.passed),
        sum(|sample| sample.failed),
        sum(|sample| sample.due.unwrap()),
        sum(|sample| sample.steps[0].failed),
        sum(|sample| sample.steps[1].passed),
    ] {
        assert_eq!(kept, there_were);
    }
    assert_eq!(rest.steps["ask"], latencies(&batches, 5 * HOUR));
    assert!(rest.batches.len() <= MOST_BATCHES && rest.batches.len() > MOST_BATCHES / 2);
    let lengths = rest.batches.iter().map(|batch| batch.seconds);
    let longest = lengths.clone().fold(0.0, f64::max);
    let alike = lengths.filter(|length| *length > 0.9 * longest).count();
    assert!(alike + 1 >= rest.batches.len(), "{alike}");
}
