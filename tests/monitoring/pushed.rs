//! Results of runs in the databases that they are pushed to, and the board that shows them.

use serde_json::json;

use crate::{
    dashboards::{check, fail, passes},
    support::{
        Centre, Finished, Influx, Prometheus, QUICK, Run, SCENARIO, Service, free_address, plain,
    },
};

/// A run of which some chats fail.
async fn run_pushed_to(receiver: &str) -> Finished {
    let centre = Centre::start("{}").await;
    let faults =
        json!({ "errors": [{ "probability": 0.5, "status": 503, "only": ["session_create"] }] });
    fail(&centre, &faults).await;
    let run = Run::of_shipped(&centre.url)
        .load("{ rate: 20/s, for: 3s }")
        .with(&["--name", "evening", "--push", receiver])
        .done()
        .await
        .exits(1);
    assert!(
        run.log.contains("pushed ") && !run.log.contains("; lost"),
        "{}",
        run.log
    );
    assert!(
        run.chats("failed") > 0 && run.chats("passed") > 0,
        "{run:#?}"
    );
    run
}

/// What a database has to say of a run: the name of the series, its labels besides those of the run, and its last value.
fn expected(run: &Finished) -> Vec<(&'static str, String, f64)> {
    let number = |value: u64| value.to_string().parse::<f64>().unwrap();
    let mut expected = Vec::new();
    let mut count = |name, labels: String, value| expected.push((name, labels, number(value)));
    for (name, chats) in [
        ("chatprobe_run_chats_started_total", "started"),
        ("chatprobe_run_chats_passed_total", "passed"),
        ("chatprobe_run_chats_stopped_total", "stopped"),
        ("chatprobe_run_arrivals_dropped_total", "dropped"),
    ] {
        count(name, String::new(), run.chats(chats));
    }
    count(
        "chatprobe_run_chats_failed_total",
        "reason=status".to_owned(),
        run.chats("failed"),
    );
    count(
        "chatprobe_run_chat_duration_seconds_count",
        String::new(),
        run.chats("passed"),
    );
    count(
        "chatprobe_run_events_received_total",
        String::new(),
        run.received(),
    );
    count("chatprobe_run_verdict", "verdict=failed".to_owned(), 1);
    for step in run.report["steps"].as_array().unwrap() {
        let label = format!("step={}", step["step"].as_str().unwrap());
        let passed = step["passed"].as_u64().unwrap();
        for name in [
            "chatprobe_run_steps_passed_total",
            "chatprobe_run_step_duration_seconds_count",
        ] {
            count(name, label.clone(), passed);
        }
        let all = format!("{label},le=+Inf");
        count("chatprobe_run_step_duration_seconds_bucket", all, passed);
    }
    expected
}

#[tokio::test]
async fn a_prometheus_has_what_the_report_of_a_pushed_run_says() {
    let prometheus = Prometheus::receiving().await;
    let run = run_pushed_to(&prometheus.receiver()).await;
    let id = run.report["id"].as_str().unwrap();
    for (name, labels, value) in expected(&run) {
        let own = labels.split(',').filter(|label| !label.is_empty());
        let own = own.map(|label| {
            let (name, value) = label.split_once('=').unwrap();
            format!(",{name}=\"{value}\"")
        });
        let own = own.collect::<String>();
        let query = format!("last_over_time({name}{{run=\"evening\",run_id=\"{id}\"{own}}}[1h])");
        let found = prometheus.when(&query, |_| true).await;
        assert!(
            (found - value).abs() < 1e-9,
            "{query}: {found}, not {value}"
        );
    }
    // The first count is an increase, and behind its end the run has no value.
    let increase = format!("increase(chatprobe_run_chats_failed_total{{run_id=\"{id}\"}}[1h])");
    prometheus.when(&increase, |failed| failed > 0.5).await;
    let active = format!("absent(chatprobe_run_chats_active{{run_id=\"{id}\"}})");
    prometheus.when(&active, |_| true).await;
    let quantile = format!(
        "histogram_quantile(0.95, last_over_time(chatprobe_run_chat_duration_seconds_bucket{{run_id=\"{id}\"}}[1h]))"
    );
    let p95 = run.report["chat_duration"]["p95"].as_f64().unwrap();
    // As far as the buckets tell.
    let found = prometheus.when(&quantile, |seconds| seconds > 0.0).await;
    assert!(found < 4.0 * p95 + 0.1, "{found}, {p95} by the report");
}

#[tokio::test]
async fn an_influxdb_has_what_the_report_of_a_pushed_run_says() {
    let influx = Influx::start().await;
    let run = run_pushed_to(&influx.receiver()).await;
    let id = run.report["id"].as_str().unwrap();
    for (name, labels, value) in expected(&run) {
        let own = labels.split(',').filter(|label| !label.is_empty());
        let own = own.map(|label| {
            let (name, value) = label.split_once('=').unwrap();
            format!(" AND \"{name}\" = '{value}'")
        });
        let own = own.collect::<String>();
        let query = format!(
            "SELECT last(value) FROM {name} WHERE run = 'evening' AND run_id = '{id}'{own}"
        );
        let found = influx.number(&query).await.unwrap_or(f64::NAN);
        assert!(
            (found - value).abs() < 1e-9,
            "{query}: {found}, not {value}"
        );
    }
    let started = "SELECT count(value) FROM chatprobe_run_chats_started_total";
    let seconds = influx.number(started).await.unwrap();
    assert!(seconds > 3.5, "{seconds}");
}

#[tokio::test]
async fn every_query_of_the_board_returns_data_where_a_service_pushes_its_bursts() {
    let centre = Centre::start("{}").await;
    let faults =
        json!({ "errors": [{ "probability": 0.5, "status": 503, "only": ["session_create"] }] });
    fail(&centre, &faults).await;
    let web = free_address().to_string();
    let prometheus = Prometheus::shared(&web).await;
    let configuration = plain(
        &centre.url,
        &format!(
            "push: {{ url: '{}', labels: {{ cluster: east, namespace: synthetic }} }}\n\
             bursts: {{ rush: {{ scenario: {SCENARIO}, target: centre, inputs: {QUICK}, \
             load: {{ rate: 10/s, for: 5s, max_active: 50 }} }} }}\n",
            prometheus.receiver()
        ),
    );
    let service =
        Service::start(&configuration.replace("web: 127.0.0.1:0", &format!("web: {web}"))).await;
    // It takes Prometheus some seconds to scrape for the first time.
    let scraped = "sum(chatprobe_build_info)";
    prometheus.when(scraped, |count| count > 0.5).await;
    let burst = service
        .order("POST", "/api/v1/bursts", "{ burst: rush }")
        .await;
    assert_eq!(burst.status, 202, "{burst:?}");
    for query in [
        "sum(last_over_time(chatprobe_run_verdict{run='rush'}[1h]))",
        "sum(max_over_time(chatprobe_burst_active[1h]))",
        "sum(chatprobe_push_samples_written_total)",
    ] {
        prometheus.when(query, |number| number > 0.0).await;
    }
    passes(&check(&[
        "--nothing-empty",
        "--board",
        "pushed",
        &prometheus.url,
    ]));
    let lost = "sum(chatprobe_push_samples_lost_total)";
    prometheus.when(lost, |lost| lost.abs() < 0.5).await;
}
