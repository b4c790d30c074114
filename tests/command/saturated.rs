//! A load generator that is saturated on purpose says so, whatever it lacks.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{Centre, Finished, Metrics, Run, Service, plain, requests};

/// What one test does to the machine is nothing for another.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Busy all the time on the first CPU, until the end of the test.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start(count: usize) -> Self {
        let hog = || {
            Command::new("taskset")
                .args(["-c", "0", "sh", "-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("cannot start taskset: {error}; apt-get install -y util-linux")
                })
        };
        Self((0..count).map(|_| hog()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            // It runs until it is killed.
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// With this budget and no other.
fn with_budget(run: Run, budget: &str, default: &str) -> Run {
    let file = run.folder.read("chatprobe.yaml");
    let changed = file.replace(budget, default);
    assert_ne!(file, changed, "{budget}");
    run.folder.write("chatprobe.yaml", &changed);
    run
}

fn reasons(run: &Finished) -> String {
    run.report["verdict_reasons"].to_string()
}

#[tokio::test]
async fn a_process_that_was_paused_says_so_even_if_no_chat_was_due() {
    let _alone = ALONE.lock().await;
    let centre = Centre::start("{}").await;
    let run = Run::of_shipped(&centre.url).load("{ customers: 2, for: 4s }");
    let run = with_budget(run, "stall: 1m", "stall: 1s");
    let process = run.start();
    centre
        .stats_when("chats", |stats| {
            requests(stats, "session_create", "201") > 5
        })
        .await;
    process.pause(Duration::from_millis(1_500)).await;
    let run = run.finish(process).await.exits(3);
    assert!(
        reasons(&run).contains("the generator stood still for "),
        "{run:#?}"
    );
    let longest = run.report["machine"]["thread_lag"]["max"].as_f64().unwrap();
    assert!((1.3..30.0).contains(&longest), "{longest}");
}

#[tokio::test]
async fn a_service_that_was_paused_shows_it_in_its_metrics() {
    let _alone = ALONE.lock().await;
    let centre = Centre::start("{}").await;
    let service = Service::start(&plain(&centre.url, "")).await;
    let lag = "chatprobe_generator_thread_lag_seconds";
    let at_most_a_second = format!("{lag}_bucket");
    let longer = |metrics: &Metrics| {
        let all = metrics.count(&format!("{lag}_count"), &[]);
        all - metrics.count(&at_most_a_second, &[("le", "1")])
    };
    let before = service
        .when("a beat", |metrics| {
            metrics.count(&format!("{lag}_count"), &[]) > 0
        })
        .await;
    service.process.pause(Duration::from_millis(1_500)).await;
    service
        .when("a beat that came late", |metrics| {
            longer(metrics) > longer(&before)
        })
        .await;
    // Once a second the host is looked at, by a thread that runs.
    service
        .when("a reading", |metrics| {
            metrics.sum("chatprobe_host_runnable_threads", &[]) > 0.5
        })
        .await;
}

#[tokio::test]
async fn a_process_that_shares_its_only_cpu_with_hogs_says_how_much_it_did_not_get() {
    let _alone = ALONE.lock().await;
    let centre = Centre::start("{}").await;
    let _hogs = Hogs::start(6);
    // As many chats as it can, on the same CPU.
    let run = Run::of_shipped(&centre.url).load("{ customers: 100, for: 5s }");
    let run = with_budget(run, "cpu_wait: 100%", "cpu_wait: 60%");
    let process = run.start_pinned("0");
    let run = run.finish(process).await.exits(3);
    assert!(
        reasons(&run).contains("the load generator was saturated: it wanted"),
        "{run:#?}"
    );
    let machine = &run.report["machine"];
    let (got, cpu_wait) = (&machine["cpus"]["mean"], &machine["cpu_wait"]["mean"]);
    assert!(cpu_wait.as_f64() > got.as_f64(), "{machine}");
    // Every hog runs or waits at each reading.
    let queue = machine["run_queue"]["mean"].as_f64().unwrap();
    assert!(queue >= 6.0, "{machine}");
}

#[tokio::test]
async fn a_process_that_has_little_to_do_is_not_saturated_by_hogs() {
    let _alone = ALONE.lock().await;
    let centre = Centre::start("{}").await;
    let _hogs = Hogs::start(2);
    let run = Run::of_shipped(&centre.url).load("{ rate: 2/s, for: 4s }");
    let run = with_budget(run, "cpu_wait: 100%", "cpu_wait: 60%");
    let process = run.start_pinned("0");
    let run = run.finish(process).await.exits(0);
    assert_eq!(run.chats("passed"), 8);
    let most = |what: &str| run.report["machine"][what]["most"].as_f64().unwrap();
    // Its listener, the standard ones, and the runtime's own.
    assert!(most("files") > 4.0 && most("sockets") >= 1.0, "{run:#?}");
    let says = format!(
        "files {}, sockets {}, run queue {}\n",
        most("files"),
        most("sockets"),
        most("run_queue")
    );
    assert!(run.output.contains(&says), "`{says}` in:\n{}", run.output);
}
