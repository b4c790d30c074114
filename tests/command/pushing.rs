//! Results of a run on their way to a time-series database: lines that arrive, and everything that can go wrong on
//! the way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

use crate::support::{Centre, Finished, Run, Script, answer, free_address};

const PATH: &str = "/write?db=runs&precision=ms";

/// One line: its series, its value and its moment.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    series: String,
    value: f64,
    at_ms: u64,
}

/// All samples of these requests, in the order in which they came.
fn samples(requests: &[String]) -> Vec<Sample> {
    let bodies = requests.iter().map(|request| {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        body
    });
    let lines = bodies.flat_map(str::lines);
    lines
        .map(|line| {
            let [series, value, at] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            Sample {
                series: series.to_owned(),
                value: value.strip_prefix("value=").unwrap().parse().unwrap(),
                at_ms: at.parse().unwrap(),
            }
        })
        .collect()
}

/// The last value of each series with this name and all these tags.
fn last(samples: &[Sample], name: &str, tags: &[&str]) -> Vec<f64> {
    let mut latest = BTreeMap::new();
    for sample in samples {
        let mut parts = sample.series.split(',');
        let has = parts.next() == Some(name) && {
            let own: Vec<_> = parts.collect();
            tags.iter().all(|tag| own.contains(tag))
        };
        if has {
            latest.insert(&sample.series, sample.value);
        }
    }
    latest.into_values().collect()
}

/// How many samples were pushed, by what the command says at its end.
fn pushed(run: &Finished) -> usize {
    let said = told(run);
    let number = said.split(' ').nth(1).unwrap();
    number.replace(',', "").parse().unwrap()
}

fn told(run: &Finished) -> &str {
    let mut lines = run.log.lines();
    lines
        .find(|line| line.starts_with("pushed "))
        .unwrap_or_else(|| panic!("{}", run.log))
}

fn to(receiver: &Script) -> String {
    format!("{}/write?db=runs", receiver.url)
}

/// A run of three seconds whose results go there. Chats take next to no time.
async fn run_pushed_to(url: &str, more: &str) -> Finished {
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ rate: 5/s, for: 2s }");
    let configuration = run.folder.read("chatprobe.yaml");
    run.folder.write(
        "chatprobe.yaml",
        &format!("{configuration}push: {{ url: '{url}'{more} }}\n"),
    );
    let finished = run.done().await.exits(0);
    assert_eq!(
        (finished.chats("started"), finished.chats("passed")),
        (10, 10)
    );
    finished
}

#[tokio::test]
async fn each_second_of_a_run_arrives_and_the_last_one_says_what_the_report_says() {
    let centre = Centre::start("{}").await;
    let receiver = Script::answering(|_| answer(204, "", "")).await;
    let run = Run::of_shipped(&centre.url)
        .load("{ rate: 10/s, for: 3s }")
        .with(&["--name", "evening", "--push", &to(&receiver)])
        .done()
        .await
        .exits(0);
    let requests = receiver.requests(PATH);
    let samples = samples(&requests);
    assert_eq!(pushed(&run), samples.len());
    assert!(!told(&run).contains("lost"), "{}", told(&run));

    let id = format!("run_id={}", run.report["id"].as_str().unwrap());
    let of_run = ["run=evening", &id, "mode=burst", "target=centre"];
    assert!(
        samples
            .iter()
            .all(|sample| of_run.iter().all(|tag| sample.series.contains(tag)))
    );
    assert_eq!(run.report["name"], "evening");
    let value = |name: &str, tags: &[&str]| match last(&samples, name, tags)[..] {
        [value] => value,
        ref others => panic!("{name} {tags:?}: {others:?}"),
    };
    // Counts are printed without a fraction.
    let count = |value: f64| value.to_string().parse::<u64>().unwrap();
    assert_eq!(count(value("chatprobe_run_chats_started_total", &[])), 30);
    assert_eq!(count(value("chatprobe_run_chats_passed_total", &[])), 30);
    assert_eq!(count(value("chatprobe_run_chats_due_total", &[])), 30);
    assert_eq!(count(value("chatprobe_run_chats_active", &[])), 0);
    assert_eq!(
        count(value("chatprobe_run_verdict", &["verdict=passed"])),
        1
    );
    for step in run.report["steps"].as_array().unwrap() {
        let passed = step["passed"].as_u64().unwrap();
        let tag = format!("step={}", step["step"].as_str().unwrap());
        assert_eq!(
            count(value("chatprobe_run_steps_passed_total", &[&tag])),
            passed
        );
        for (name, tags) in [
            ("chatprobe_run_step_duration_seconds_count", vec![&*tag]),
            (
                "chatprobe_run_step_duration_seconds_bucket",
                vec![&*tag, "le=+Inf"],
            ),
        ] {
            assert_eq!(count(value(name, &tags)), passed, "{tag}");
        }
    }
    let events = value("chatprobe_run_events_received_total", &[]);
    assert_eq!(count(events), run.received());

    let started = samples.iter().filter(|sample| {
        sample
            .series
            .starts_with("chatprobe_run_chats_started_total")
    });
    let started: Vec<_> = started.collect();
    assert!(started.len() >= 4, "{started:?}");
    assert_eq!(count(started[0].value), 0);
    assert!(started.is_sorted_by(|one, next| one.at_ms < next.at_ms && one.value <= next.value));
    let began = run.report["started_at"].as_str().unwrap();
    let began: jiff::Timestamp = began.parse().unwrap();
    assert_eq!(
        i128::from(started[0].at_ms),
        i128::from(began.as_millisecond())
    );
    let elapsed = run.report["elapsed_seconds"].as_f64().unwrap();
    let elapsed = Duration::from_secs_f64(elapsed).as_millis();
    let took = u128::from(started.last().unwrap().at_ms - started[0].at_ms);
    assert!(took.abs_diff(elapsed) <= 2, "{took} of {elapsed}");
}

/// Answers the first requests so, and the others as a receiver that is well.
async fn ill_at_first(times: usize, first: Vec<u8>) -> (Script, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let script = Script::answering(move |_| {
        if counter.fetch_add(1, Ordering::SeqCst) < times {
            first.clone()
        } else {
            answer(204, "", "")
        }
    })
    .await;
    (script, asked)
}

#[tokio::test]
async fn a_receiver_that_fails_at_first_gets_everything_in_the_end() {
    for first in [
        answer(500, "", "broken"),
        answer(503, "retry-after: 1\r\n", ""),
        answer(429, "retry-after: 1\r\n", "slow down"),
    ] {
        let (receiver, asked) = ill_at_first(2, first).await;
        let run = run_pushed_to(&to(&receiver), "").await;
        let requests = receiver.requests(PATH);
        assert_eq!(requests.len(), asked.load(Ordering::SeqCst));
        assert_eq!(requests[0], requests[1], "the same is sent again");
        assert_eq!(requests[1], requests[2]);
        let samples = samples(&requests[2..]);
        assert_eq!(pushed(&run), samples.len());
        assert!(!told(&run).contains("lost"), "{}", told(&run));
        let passed = last(&samples, "chatprobe_run_chats_passed_total", &[]);
        assert_eq!(passed, [10.0]);
    }
}

#[tokio::test]
async fn a_receiver_that_wants_to_be_left_alone_is() {
    let moments = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = moments.clone();
    let receiver = Script::answering(move |_| {
        let mut moments = noted.lock().unwrap();
        moments.push(Instant::now());
        if moments.len() == 1 {
            answer(429, "retry-after: 2\r\n", "")
        } else {
            answer(204, "", "")
        }
    })
    .await;
    let run = run_pushed_to(&to(&receiver), "").await;
    assert!(!told(&run).contains("lost"), "{}", told(&run));
    let moments = moments.lock().unwrap();
    assert!(
        moments[1] - moments[0] >= Duration::from_millis(1_990),
        "{moments:?}"
    );
}

#[tokio::test]
async fn a_receiver_that_is_not_there_yet_gets_everything_once_it_is() {
    let address = free_address();
    let late = tokio::spawn(async move {
        sleep(Duration::from_millis(1_500)).await;
        let listener = TcpListener::bind(address).await.unwrap();
        Script::on(listener, |_| answer(204, "", ""))
    });
    let url = format!("http://{address}/write?db=runs");
    let run = run_pushed_to(&url, "").await;
    let samples = samples(&late.await.unwrap().requests(PATH));
    assert_eq!(pushed(&run), samples.len());
    assert!(!told(&run).contains("lost"), "{}", told(&run));
}

#[tokio::test]
async fn what_a_receiver_refuses_is_lost_and_counted_and_its_answer_is_told_without_the_token() {
    let centre = Centre::start("{}").await;
    let refuse = || answer(400, "", "unable to parse s3cret-token");
    let receiver = Script::answering(move |_| refuse()).await;
    let run = Run::of_shipped(&centre.url).load("{ rate: 5/s, for: 2s }");
    let configuration = run.folder.read("chatprobe.yaml");
    run.folder.write("token", "s3cret-token");
    let push = format!(
        "push: {{ url: '{}', token: {{ file: token }} }}\n",
        to(&receiver)
    );
    run.folder.write("chatprobe.yaml", &(configuration + &push));
    let run = run.done().await.exits(0);
    let requests = receiver.requests(PATH);
    let sent = samples(&requests).len();
    let credentials = "authorization: Token s3cret-token";
    assert!(requests.iter().all(|request| request.contains(credentials)));
    assert_eq!(pushed(&run), 0);
    let lost = format!("lost {sent} refused");
    assert!(told(&run).contains(&lost), "{lost} in {}", told(&run));
    assert!(
        told(&run).contains("it answered 400: unable to parse"),
        "{}",
        told(&run)
    );
    assert!(!run.log.contains("s3cret"), "{}", run.log);
    assert!(!run.output.contains("s3cret"), "{}", run.output);
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_the_run_nothing_but_its_results() {
    let receiver =
        Script::start(|mut line| async move { while line.request().await.is_some() {} }).await;
    let begun = Instant::now();
    let run = run_pushed_to(&to(&receiver), ", timeout: 300ms").await;
    assert_eq!(pushed(&run), 0);
    assert!(told(&run).contains("not taken in time"), "{}", told(&run));
    let requests = receiver.requests(PATH);
    assert!(requests.len() > 2, "it is asked again: {}", requests.len());
    assert!(requests.iter().all(|request| *request == requests[0]));
    let elapsed = run.report["elapsed_seconds"].as_f64().unwrap();
    assert!(elapsed < 10.0, "{elapsed}: its chats do not wait");
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn answers_that_are_slow_or_huge_or_lead_elsewhere_are_dealt_with() {
    let slow = Script::start(|mut line| async move {
        while line.request().await.is_some() {
            sleep(Duration::from_millis(700)).await;
            line.write(answer(204, "", "")).await;
        }
    })
    .await;
    let run = run_pushed_to(&to(&slow), "").await;
    assert_eq!(pushed(&run), samples(&slow.requests(PATH)).len());
    assert!(!told(&run).contains("lost"), "{}", told(&run));

    // A body without an end: what the status says counts, and it is not read on.
    let huge = Script::start(|mut line| async move {
        if line.request().await.is_some() {
            line.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            for _ in 0..2_000 {
                line.write(&chunk).await;
            }
        }
    })
    .await;
    let run = run_pushed_to(&to(&huge), "").await;
    assert_eq!(pushed(&run), samples(&huge.requests(PATH)).len());
    assert!(!told(&run).contains("lost"), "{}", told(&run));

    let elsewhere = answer(302, "location: http://127.0.0.1:1/\r\n", "");
    let elsewhere = Script::answering(move |_| elsewhere.clone()).await;
    let run = run_pushed_to(&to(&elsewhere), "").await;
    assert_eq!(pushed(&run), 0);
    assert!(
        told(&run).contains("refused: it answered 302"),
        "{}",
        told(&run)
    );
}

#[tokio::test]
async fn a_run_pushes_nowhere_if_it_is_told_so_or_the_address_is_wrong() {
    let receiver = Script::answering(|_| answer(204, "", "")).await;
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).with(&["--push", "none"]);
    let configuration = run.folder.read("chatprobe.yaml");
    let push = format!("push: {{ url: '{}' }}\n", to(&receiver));
    run.folder.write("chatprobe.yaml", &(configuration + &push));
    let run = run.done().await.exits(0);
    assert!(!run.log.contains("pushed"), "{}", run.log);
    assert_eq!(receiver.requests(PATH).len(), 0);

    let wrong = Run::of_shipped(&centre.url).with(&["--push", "http://127.0.0.1:1/metrics"]);
    let wrong = wrong.done().await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.log.contains("--push"), "{}", wrong.log);
}
