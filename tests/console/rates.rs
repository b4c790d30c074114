//! Rates on the page of a run, by numbers.

use serde_json::{Value, json};

use crate::support::{Browser, Centre, QUICK, Service, eventually, plain};

/// What stands in the legend of this line, as soon as it is about the whole run.
async fn legend(browser: &Browser, word: &str) -> String {
    let script = "
        const named = (entry) => entry.firstChild.nextSibling?.data.trim() === arguments[0];
        return [...document.querySelectorAll('.key span')].find(named)?.querySelector('strong').textContent ?? null";
    let what = format!("the whole run in the legend of `{word}`");
    eventually(&what, async || {
        let text = browser.run(script, json!([word])).await;
        let text = text.as_str()?.to_owned();
        text.starts_with("mean ").then_some(text)
    })
    .await
}

/// The figures of such a legend, in their order.
fn figures(legend: &str) -> Vec<f64> {
    let words = legend.split([' ', ',']);
    words
        .filter_map(|word| word.trim_end_matches("/s").parse().ok())
        .collect()
}

/// The lengths of samples with what was counted in each, as the page joins short ones for a rate: each piece is at
/// least half a second long, and what is left belongs to the last one.
fn pieces(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut pieces: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (seconds, count) in samples {
        open = (open.0 + seconds, open.1 + count);
        if open.0 >= 0.5 {
            pieces.push(std::mem::take(&mut open));
        }
    }
    let last = pieces.pop().unwrap_or_default();
    pieces.push((last.0 + open.0, last.1 + open.1));
    pieces
}

/// The page shows three digits.
#[track_caller]
fn assert_shown(shown: f64, expected: f64, what: &str) {
    assert!(
        (shown - expected).abs() <= 0.01 * expected,
        "{what}: {shown}, by the samples {expected}"
    );
}

async fn patch(service: &Service, run: &str, change: &str) {
    let path = format!("/api/v1/runs/{run}");
    let answer = service.order("PATCH", &path, change).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn post(service: &Service, run: &str, order: &str) {
    let path = format!("/api/v1/runs/{run}/{order}");
    let answer = service.order("POST", &path, "").await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// The figure in front of these words.
async fn figure(browser: &Browser, words: &str) -> Option<f64> {
    let text = browser.text("#chats").await?;
    let line = text.lines().find(|line| line.ends_with(words))?;
    let figure = line.split('/').next()?;
    figure.parse().ok()
}

async fn shows_pace(browser: &Browser, asked: f64) {
    eventually(&format!("{asked}/s asked for and started"), async || {
        let found = figure(browser, "asked for").await?;
        let started = figure(browser, "started of late").await?;
        let is_there = (found - asked).abs() < 0.01 && (started - asked).abs() <= 0.15 * asked;
        is_there.then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_page_follows_changes_pauses_and_the_end_and_its_legend_tells_of_the_whole_run() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let run = service.burst("{ rate: 10/s, for: 10m }", QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    shows_pace(&browser, 10.0).await;
    patch(&service, &run, "{ rate: 40/s }").await;
    shows_pace(&browser, 40.0).await;
    post(&service, &run, "pause").await;
    shows_pace(&browser, 0.0).await;
    post(&service, &run, "resume").await;
    shows_pace(&browser, 40.0).await;
    post(&service, &run, "stop").await;
    browser.shows("h1", "stopped").await;

    let record = service
        .read(&format!("/api/v1/runs/{run}/report.json"))
        .await
        .body;
    let report = &record["report"];
    let samples = record["samples"].as_array().unwrap();
    let number = |sample: &Value, at: &str| sample[at].as_f64().unwrap();
    let sum = |at: &str| -> f64 { samples.iter().map(|sample| number(sample, at)).sum() };
    let started = report["chats"]["started"].as_f64().unwrap();
    assert!((sum("started") - started).abs() < 0.5);
    // On a busy machine chats may be due and not started when the rate changes or the run is stopped.
    assert!(sum("due") > started - 0.5, "{} {started}", sum("due"));
    for (word, at) in [("achieved", "started"), ("asked for", "due")] {
        let [mean, max] = figures(&legend(&browser, word).await)[..] else {
            panic!("{word}");
        };
        assert_shown(mean, sum(at) / sum("seconds"), word);
        let counted = samples
            .iter()
            .map(|sample| (number(sample, "seconds"), number(sample, at)));
        let rates = pieces(&counted.collect::<Vec<_>>()).into_iter();
        let most = rates
            .map(|(seconds, count)| count / seconds)
            .reduce(f64::max);
        assert_shown(max, most.unwrap(), word);
    }
    let in_progress = figures(&legend(&browser, "in progress").await);
    let most = report["chats"]["most_in_progress"].as_f64().unwrap();
    assert!(
        (in_progress[1] - most).abs() < 0.5,
        "{in_progress:?} {most}"
    );
    let scheduled = report["scheduled_seconds"].as_f64().unwrap();
    let average = started / scheduled;
    eventually("the average", async || {
        let found = figure(&browser, "started on average").await?;
        ((found - average).abs() < 0.06).then_some(())
    })
    .await;
}

#[tokio::test]
async fn rates_in_the_page_add_up_to_the_counts() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let run = service.burst("{ chats: 1 }", QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.shows("h1", "ad-hoc").await;
    let rates = async |seconds: &[(f64, Option<u32>)]| -> Vec<Option<f64>> {
        let samples: Vec<_> = seconds
            .iter()
            .map(|(seconds, started)| json!({ "seconds": seconds, "started": started }))
            .collect();
        let script = "return rates(arguments[0], (sample) => sample.started)";
        let found = browser.run(script, json!([samples])).await;
        let found = found.as_array().unwrap();
        found.iter().map(Value::as_f64).collect()
    };
    // The rest of a second is no spike, and what is not known is no zero.
    assert_eq!(
        rates(&[(1.0, Some(10)), (0.25, Some(5))]).await,
        [Some(12.0); 2]
    );
    assert_eq!(
        rates(&[(1.0, None), (0.5, Some(3))]).await,
        [None, Some(6.0)]
    );
    assert_eq!(rates(&[(0.25, Some(1))]).await, [Some(4.0)]);
    assert_eq!(rates(&[]).await, []);
    for _ in 0..50 {
        let seconds: Vec<_> = (0..fastrand::usize(1..40))
            .map(|_| (fastrand::f64() + 0.001, Some(fastrand::u32(0..1_000))))
            .collect();
        let rates = rates(&seconds).await;
        let pairs = seconds.iter().zip(&rates);
        let sum: f64 = pairs
            .map(|((length, _), rate)| rate.unwrap() * length)
            .sum();
        let counted: u32 = seconds.iter().filter_map(|(_, count)| *count).sum();
        assert!((sum - f64::from(counted)).abs() < 1e-6, "{sum} {counted}");
    }
}

#[tokio::test]
async fn a_page_that_is_open_for_days_keeps_few_samples_that_add_up() {
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let run = service.burst("{ chats: 1 }", QUICK, "").await;
    let browser = Browser::start(1280, 900).await;
    browser.open(&format!("{}/runs/{run}", service.web)).await;
    browser.shows("h1", "passed").await;
    let script = "
        stop?.abort();
        samples.length = 0;
        for (let at = 1; at <= 26 * 3600; at++) {
            const step = { passed: at % 3, failed: 1, failed_by_reason: { timeout: 1 }, p50: at % 3 ? 0.5 : null, p95: at, max: null };
            take([{ at, seconds: 1, due: null, customers: 3, started: at % 7, in_progress: at, steps: [step],
                machine: at % 2 ? { cpu_user: 1, cpu_wait: null, memory_bytes: at } : null }]);
        }
        const sum = (of) => samples.reduce((all, sample) => all + of(sample), 0);
        const [first, last] = [samples[0], samples.at(-1)];
        return {
            kept: samples.length, seconds: sum((it) => it.seconds), started: sum((it) => it.started),
            passed: sum((it) => it.steps[0].passed), timeouts: sum((it) => it.steps[0].failed_by_reason.timeout),
            first, last: [last.at, last.seconds], same: samples.every((it) => it.in_progress === it.at),
        }";
    let found = browser.run(script, json!([])).await;
    assert!(found["kept"].as_u64().unwrap() <= 14_400, "{found}");
    let seconds: u64 = 26 * 3_600;
    let sum = |part: u64| (1..=seconds).map(|at| at % part).sum::<u64>();
    for (name, expected) in [
        ("seconds", seconds),
        ("started", sum(7)),
        ("passed", sum(3)),
        ("timeouts", seconds),
    ] {
        assert_eq!(found[name], expected, "{name}: {found}");
    }
    assert_eq!(found["same"], true);
    assert_eq!(found["last"], json!([seconds, 1]));
    let first = &found["first"];
    let step = json!({
        "passed": 16, "failed": 16, "failed_by_reason": { "timeout": 16 }, "p50": 0.5, "p95": 16, "max": null,
    });
    assert_eq!((&first["seconds"], &first["steps"][0]), (&json!(16), &step));
    let machine = json!({ "cpu_user": 1, "cpu_wait": null, "memory_bytes": 15 });
    assert_eq!(
        (&first["customers"], &first["machine"]),
        (&json!(3), &machine)
    );
}
