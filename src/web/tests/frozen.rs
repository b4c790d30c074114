//! A disk that does not answer: what is in memory is shown all the same.

use std::{fs::File, path::PathBuf, process::Command, time::Duration};

use tokio::{task::yield_now, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Answer, App, PATIENCE, Service, Web, until};
use crate::{history::Recorder, history::Storage};

/// A pipe in the place of the file, which hangs whoever opens it until somebody opens its other end.
struct Frozen {
    service: Service,
    pipe: PathBuf,
    recorder: Option<Recorder>,
}

impl Frozen {
    async fn start() -> Self {
        let service = Service::start().await;
        let data = service.folder.path().join("data");
        let (mut recorder, history) = Recorder::start(&data, &Storage::default()).unwrap();
        recorder.opened().await;
        let pipe = data.join("history.sqlite");
        std::fs::remove_file(&pipe).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let web = Web {
            history,
            ..service.web.clone()
        };
        let app = App::new(&web, CancellationToken::new());
        let router = app.clone().router();
        Self {
            service: Service {
                web,
                app,
                router,
                ..service
            },
            pipe,
            recorder: Some(recorder),
        }
    }

    /// The answer of whoever waits for the disk as long as anybody does.
    async fn get(&self, path: &str) -> Answer {
        tokio::time::pause();
        let answering = self.service.get(path);
        // Time passes by itself only while no thread hangs. Those that do not hang get some of it.
        let passing = async {
            loop {
                yield_now().await;
                std::thread::sleep(Duration::from_millis(1));
                tokio::time::advance(Duration::from_millis(20)).await;
            }
        };
        let answer = tokio::select! {
            answer = answering => answer,
            _ = passing => unreachable!("it has no end"),
        };
        tokio::time::resume();
        answer
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // Those that hang go on, and end before the folder is deleted.
        let pipe = File::options().read(true).write(true).open(&self.pipe);
        let history = &self.service.web.history;
        // Not by the clock of the runtime, which may be paused.
        let mut rounds = 0..PATIENCE.as_millis();
        while history.readers_free() != Some(4) && rounds.next().is_some() {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(pipe);
        if let Some(recorder) = self.recorder.take() {
            recorder.end();
        }
    }
}

#[tokio::test]
async fn a_run_in_progress_is_shown_and_stopped_without_the_disk() {
    let frozen = Frozen::start().await;
    let service = &frozen.service;
    let run = service.burst("{ burst: lunch-rush }").await;
    let began = Instant::now();
    for path in [
        format!("/runs/{}", run.id()),
        format!("/api/v1/runs/{}", run.id()),
        format!("/api/v1/runs/{}/report.json", run.id()),
        "/".to_owned(),
        "/readyz".to_owned(),
        "/metrics".to_owned(),
        "/api/v1/runs?state=running".to_owned(),
    ] {
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let page = service.get(&format!("/runs/{}", run.id())).await;
    assert!(page.text.contains("Stop now"), "{}", page.text);
    let stop = format!("/api/v1/runs/{}/stop", run.id());
    assert_eq!(
        service.order("POST", &stop, "{ now: true }").await.status,
        202
    );
    service.ended(&run).await;
    // None of them waited for the disk, for which readings wait three seconds.
    assert!(
        began.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        began.elapsed()
    );

    let page = frozen.get(&format!("/runs/{}", run.id())).await;
    assert_eq!(page.status, 200);
    let told = "Runs before this one are not known here";
    assert!(page.text.contains(told), "{}", page.text);
}

#[tokio::test]
async fn lists_have_what_is_in_memory_and_say_what_is_missing() {
    let frozen = Frozen::start().await;
    let service = &frozen.service;
    let run = service.burst("{ burst: lunch-rush }").await;
    let list = frozen.get("/api/v1/runs?mode=burst").await;
    assert_eq!(list.status, 200, "{}", list.text);
    assert_eq!(list.json()["runs"][0]["id"], run.id());
    let warning = list.json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("did not answer within 3 s"), "{warning}");
    for page in ["/runs", "/probes/morning-check"] {
        let page = frozen.get(page).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text.contains("did not answer within 3 s"),
            "{}",
            page.text
        );
    }
    until(|| service.web.scheduler.probes()[0].latest_run.is_some()).await;
}

#[tokio::test]
async fn what_is_on_the_disk_alone_is_refused_for_now() {
    let frozen = Frozen::start().await;
    // The fifth and later ones wait for a place in vain.
    for path in [
        "/api/v1/runs/unknown",
        "/api/v1/probes/morning-check/hours",
        "/api/v1/failures",
        "/api/v1/failures/unknown",
        "/api/v1/baselines",
        "/api/v1/runs?before=0",
    ] {
        let answer = frozen.get(path).await;
        let (status, error) = answer.error();
        assert_eq!(status, 503, "{path}: {error}");
        assert!(error.contains("did not answer within 3 s"), "{error}");
        assert_eq!(answer.header("retry-after"), "10");
    }
}
