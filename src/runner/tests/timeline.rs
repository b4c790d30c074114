use super::*;
use crate::runner::{Histogram, Sample, WholeSeconds};
use crate::runner::{averages::weight, measurements::Measurements, timeline::Timeline};

fn sum(samples: &[Arc<Sample>], count: impl Fn(&Sample) -> u64) -> u64 {
    samples.iter().map(|sample| count(sample)).sum()
}

#[tokio::test(start_paused = true)]
async fn every_second_of_a_run_is_told_and_nothing_is_told_twice() {
    let bench = Bench::new();
    let scenario = "steps: [ { think: 1500ms }, { think: '{{ 1 if chat.number == 7 else 0 }}' } ]";
    let run = bench.start(scenario, "{ rate: 10/s, for: 3s }");
    tokio::time::sleep(Duration::from_millis(2_250)).await;
    let (early, next) = run.samples(0);
    assert_eq!((early.len(), next), (2, 2));
    let report = over(&run).await;
    let (samples, end) = run.samples(0);
    assert_eq!(samples[..2], early);
    assert_eq!(run.samples(next).0, samples[2..]);
    assert_eq!(run.samples(end).0, Vec::<Arc<Sample>>::new());
    assert_eq!(samples.len(), 5);
    let started: Vec<_> = samples.iter().map(|sample| sample.started).collect();
    assert_eq!(started, [10, 10, 10, 0, 0]);
    let due: Vec<_> = samples.iter().map(|sample| sample.due).collect();
    // What is due at the whole second is due in the one that it ends.
    assert_eq!(due, [11, 10, 9, 0, 0].map(Some));
    let active: Vec<_> = samples.iter().map(|sample| sample.in_progress).collect();
    assert_eq!(active, [10, 14, 14, 4, 0]);
    assert_eq!(sum(&samples, |sample| sample.passed), report.chats.passed);
    assert_eq!(sum(&samples, |sample| sample.failed), report.chats.failed);
    let length: f64 = samples.iter().map(|sample| sample.seconds).sum();
    assert!((length - report.elapsed_seconds).abs() < 1e-6);
    assert!((samples[4].at - report.elapsed_seconds).abs() < 1e-6);
    assert!(samples[0].start_late.unwrap() < 0.002);
    assert_eq!(samples[4].start_late, None);
    let record = run.record();
    let failed: Vec<_> = record
        .batches
        .iter()
        .map(|batch| batch.chats.failed)
        .collect();
    assert_eq!(
        failed,
        samples
            .iter()
            .map(|sample| sample.failed)
            .collect::<Vec<_>>()
    );
    let passed = record.batches.iter().map(|batch| &batch.chats.latency);
    assert_eq!(
        Histogram::merged(&passed.collect::<Vec<_>>()),
        record.chat_duration
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_says_when_the_first_chat_began_and_the_last_one_ended() {
    let bench = Bench::new();
    let scenario =
        "setup: [ { think: 1s } ]\nsteps: [ { think: 700ms } ]\nteardown: [ { think: 3s } ]";
    let run = bench.start(scenario, "{ rate: 2/s, for: 2s }");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let early = run.report();
    assert!(early.first_chat_began_at.is_some());
    assert_eq!(early.last_chat_ended_at, None);
    let report = over(&run).await;
    assert_eq!(report.first_chat_began_at, early.first_chat_began_at);
    let moment = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let after = |text: &Option<String>| {
        let after = moment(text.as_ref().unwrap()).duration_since(moment(&report.started_at));
        after.as_millis()
    };
    // Chats begin every half a second from the end of the setup on.
    assert_eq!(after(&report.first_chat_began_at), 1_000);
    assert_eq!(after(&report.last_chat_ended_at), 3_200);
}

#[tokio::test(start_paused = true)]
async fn the_histograms_of_a_second_are_there_for_half_a_minute() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 10ms } ]", "{ rate: 10/s, for: 40s }");
    let report = over(&run).await;
    let WholeSeconds { seconds, next, .. } = run.whole_seconds(0);
    let (samples, _) = run.samples(0);
    assert_eq!(seconds.len(), samples.len());
    for (number, second) in seconds.iter().enumerate() {
        assert_eq!(second.sample, samples[number]);
        let ended = second.batch.as_ref().map(|batch| {
            let buckets = batch.chats.latency.buckets();
            buckets.map(|(_, count)| count).sum::<u64>()
        });
        let kept = number + 30 >= seconds.len();
        assert_eq!(ended, kept.then_some(second.sample.passed), "{number}");
    }
    assert_eq!(sum(&samples, |sample| sample.passed), report.chats.passed);
    let last = run.whole_seconds(next - 1).seconds;
    assert!(last.len() == 1 && last[0].batch.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_report_that_comes_with_seconds_is_what_they_add_up_to() {
    let mut bench = Bench::new();
    bench.thresholds = "[ { p95: 1s }, { failed: 50% } ]";
    let run = bench.start("steps: [ { think: 730ms } ]", "{ rate: 7/s, for: 10s }");
    let mut moments = std::collections::BTreeSet::new();
    for _ in 0..20 {
        tokio::time::sleep(ms(190)).await;
        let WholeSeconds {
            seconds, at_end, ..
        } = run.whole_seconds(0);
        let report = at_end.without_lists();
        let samples: Vec<_> = seconds.iter().map(|second| second.sample.clone()).collect();
        let chats = &report.chats;
        assert_eq!(sum(&samples, |sample| sample.started), chats.started);
        assert_eq!(sum(&samples, |sample| sample.passed), chats.passed);
        assert_eq!(chats.in_progress, chats.started - chats.passed);
        assert_eq!(report.chat_duration.count, chats.passed);
        let measured = format!("0 of {}", chats.passed);
        let measured = (chats.passed > 0).then_some(measured);
        let says = measured.unwrap_or("nothing".to_owned());
        assert_eq!(report.thresholds[1].measured, says);
        moments.insert(chats.started);
    }
    assert_eq!(moments.len(), 4, "nothing, and three seconds");
}

#[tokio::test(start_paused = true)]
async fn reports_of_seconds_are_made_once_somebody_has_asked_for_one() {
    let bench = Bench::new();
    let run = bench.start("steps: [ { think: 10ms } ]", "{ rate: 10/s, for: 10s }");
    let told_at = || run.whole_seconds(0).at_end.report().elapsed_seconds;
    tokio::time::sleep(ms(2_500)).await;
    // Nobody followed it so far: this is the report of the moment.
    assert!((told_at() - 2.5).abs() < 0.01, "{}", told_at());
    tokio::time::sleep(ms(1_200)).await;
    assert!((told_at() - 3.0).abs() < 0.2, "{}", told_at());
    over(&run).await;
}

#[test]
fn a_second_that_ended_late_takes_the_rest_of_the_next_one_along() {
    let mut timeline = Timeline::default();
    let nothing = Measurements::default();
    for looked in [990, 1_010, 1_100, 2_950, 3_050, 3_400, 3_950, 4_000, 5_010] {
        if timeline.is_over(ms(looked)) {
            timeline.close(ms(looked), &nothing, 0);
        }
    }
    timeline.close(ms(5_020), &nothing, 0);
    let (samples, _) = timeline.since(0, usize::MAX);
    let ends: Vec<_> = samples.iter().map(|sample| sample.at).collect();
    assert_eq!(ends, [1.01, 2.95, 3.95, 5.01, 5.02]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_knows_of_pauses_and_customers() {
    let bench = Bench::new();
    let scenario = "steps: [ { think: 10ms } ]";
    let run = bench.start(scenario, "{ rate: 10/s, for: 2s }");
    tokio::time::sleep(Duration::from_millis(1_450)).await;
    run.order(Order::Pause).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    run.order(Order::Resume).await.unwrap();
    let report = over(&run).await;
    let (samples, _) = run.samples(0);
    let due = samples.iter().map(|sample| sample.due.unwrap_or_default());
    assert_eq!(due.sum::<u64>(), report.chats.started);
    assert_eq!(samples[3].due, Some(0));

    let run = bench.start(scenario, "{ customers: 3, for: 2s }");
    over(&run).await;
    let sample = &run.samples(0).0[0];
    assert_eq!((sample.due, sample.customers), (None, Some(3)));
}

#[tokio::test]
async fn the_steps_of_a_second_are_in_the_order_of_the_report() {
    let (bench, _puppet) = Bench::with_puppet().await;
    let scenario = "
steps:
  - step: quick
    http: { post: '{{ target.url }}', json: {} }
  - step: slow
    http: { post: '{{ target.url }}', json: { wait_ms: 200, status: 500 } }
always:
  - step: last
    http: { post: '{{ target.url }}', json: { wait_ms: 100 } }
";
    let run = bench.start(scenario, "{ chats: 3 }");
    let report = over(&run).await;
    let (samples, _) = run.samples(0);
    let names: Vec<_> = report.steps.iter().map(|step| &*step.step).collect();
    assert_eq!(names, ["quick", "slow", "last"]);
    let total = |at: usize| {
        let steps = samples.iter().map(|sample| &sample.steps[at]);
        steps.fold((0, 0), |(passed, failed), step| {
            (passed + step.passed, failed + step.failed)
        })
    };
    assert_eq!([total(0), total(1), total(2)], [(3, 0), (0, 3), (3, 0)]);
    let slowest = samples.iter().filter_map(|sample| sample.steps[2].max);
    assert!(slowest.fold(0.0, f64::max) >= 0.1);
    assert!(samples.iter().all(|sample| sample.steps[1].p50.is_none()));
}

/// Closes so many seconds, in each of which chats started, and follows them as a page does that is open.
fn long_run(hours: u64) -> (Timeline, u64) {
    let mut timeline = Timeline::default();
    let (mut followed, mut next) = (0, 0);
    for second in 1..=hours * 3_600 {
        let mut measured = Measurements::default();
        measured.started = second % 7;
        timeline.close(Duration::from_secs(second), &measured, second);
        if second % 600 == 0 {
            let (samples, end) = timeline.since(next, usize::MAX);
            followed += sum(&samples, |sample| sample.started);
            assert_eq!((samples.len(), end), (600, second));
            next = end;
        }
    }
    (timeline, followed)
}

#[test]
fn however_long_a_run_is_its_samples_are_few_and_add_up() {
    for (hours, oldest) in [(3, 1.0), (4, 1.0), (5, 2.0), (26, 16.0)] {
        let (timeline, followed) = long_run(hours);
        let (samples, next) = timeline.since(0, usize::MAX);
        assert_eq!(next, hours * 3_600);
        assert!(samples.len() <= 4 * 3_600, "{}", samples.len());
        let started: u64 = (1..=hours * 3_600).map(|second| second % 7).sum();
        assert_eq!(
            (sum(&samples, |sample| sample.started), followed),
            (started, started)
        );
        assert!(
            (samples[0].seconds - oldest).abs() < 1e-9,
            "{hours}: {}",
            samples[0].seconds
        );
        let mut end = 0.0;
        for sample in &samples {
            assert!(
                (sample.at - sample.seconds - end).abs() < 1e-6,
                "{sample:?}"
            );
            end = sample.at;
        }
        // What stood at the end of a piece is that of its last second.
        assert!(
            samples
                .iter()
                .all(|sample| (weight(sample.in_progress) - sample.at).abs() < 1e-6)
        );
        // In pieces, as a page gets them that is opened late.
        let (mut place, mut told) = (0, Vec::new());
        while place < next {
            let (some, behind) = timeline.since(place, 600);
            assert!(some.len() <= 600 && behind > place);
            told.extend(some);
            place = behind;
        }
        assert_eq!(told, samples);
        // The last seconds have their histograms.
        let (whole, _) = timeline.whole_since(next - 40);
        let known = whole.iter().filter(|second| second.batch.is_some());
        assert_eq!((whole.len(), known.count()), (40, 30));
    }
}
