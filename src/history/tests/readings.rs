//! Disks that do not answer. A pipe without another end hangs whoever opens it, like a frozen file system,
//! and lets go as soon as somebody opens the other end.

use std::{
    fmt::Debug,
    fs::File,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, Weak},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{advance, sleep},
};
use tokio_util::sync::CancellationToken;

use super::MOST;
use crate::{
    event::{HistoryFigures, Observer, Observers, ServiceEvent},
    history::{
        History, HistoryError, Recorder, RunQuery, Storage, baselines::Named, directory::path_in,
        figures::HistoryCounters,
    },
    runner::tests::Bench,
    testing::TemporaryFolder,
};

/// A wait for a thread, which the paused clock does not bound.
struct Patience(SystemTime);

impl Default for Patience {
    fn default() -> Self {
        Self(SystemTime::now())
    }
}

impl Patience {
    /// Ends the test when it has waited for ten seconds.
    fn check(&self, seen: &impl Debug) {
        let waited = self.0.elapsed().unwrap_or_default();
        assert!(waited < Duration::from_secs(10), "still {seen:?}");
    }
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test(start_paused = true)]
async fn readings_of_a_disk_that_hangs_end_soon_and_there_are_never_more_than_four_threads() {
    let folder = TemporaryFolder::new();
    pipe(&path_in(folder.path()));
    let figures = Arc::<HistoryCounters>::default();
    let (requests, _requested) = mpsc::channel(1);
    let named = Arc::<Named>::default();
    let failures = Arc::default();
    let history = History::in_folder(folder.path(), failures, figures.clone(), named, requests);
    for round in 1..=3 {
        let readings: Vec<_> = (0..10)
            .map(|_| {
                let history = history.clone();
                tokio::spawn(async move { history.runs(RunQuery::default()).await })
            })
            .collect();
        for _ in 0..100 {
            yield_now().await;
        }
        advance(Duration::from_secs(3)).await;
        for reading in readings {
            let read = reading.await.unwrap();
            assert!(matches!(read, Err(HistoryError::Slow(_))), "{read:?}");
        }
        assert_eq!(figures.now().reads_given_up, 10 * round);
        assert_eq!(history.readers_free(), Some(0), "they are not done");
    }
    // The blocked readers go on, find no database and end. Later reads are not blocked.
    let _writer = File::options()
        .write(true)
        .open(path_in(folder.path()))
        .unwrap();
    let patience = Patience::default();
    while history.readers_free() != Some(4) {
        patience.check(&history.readers_free());
        std::thread::yield_now();
        yield_now().await;
    }
}

/// The figures that were emitted last.
#[derive(Default)]
struct Last(Mutex<HistoryFigures>);

impl Observer for Last {
    fn observe_service(&self, event: &ServiceEvent) {
        if let ServiceEvent::HistoryKept(figures) = event {
            *self.0.lock().unwrap() = *figures;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_to_a_disk_that_hangs_is_seen_while_it_does_and_holds_up_no_start() {
    let folder = TemporaryFolder::new();
    pipe(&path_in(folder.path()));
    let settings = Storage {
        max_bytes: MOST,
        ..Storage::default()
    };
    let (mut recorder, _history) = Recorder::start(folder.path(), &settings).unwrap();
    // Five seconds of the paused clock, and no end.
    recorder.opened().await;
    let last = Arc::<Last>::default();
    let end = CancellationToken::new();
    let observers = Observers::default().and(last.clone());
    let recording = tokio::spawn(recorder.record(observers, end.clone()));
    let figures = async |holds: fn(&HistoryFigures) -> bool| {
        let patience = Patience::default();
        loop {
            advance(Duration::from_millis(250)).await;
            yield_now().await;
            let now = *last.0.lock().unwrap();
            if holds(&now) {
                return now;
            }
            patience.check(&now);
        }
    };
    let now = figures(|now| now.slow_writes == 1).await;
    assert!(now.broken && now.write >= Duration::from_secs(3), "{now:?}");
    // It goes on, finds no database, and says so.
    let _reader = File::open(path_in(folder.path())).unwrap();
    let now = figures(|now| now.write.is_zero()).await;
    assert!(now.broken && now.slow_writes == 1, "{now:?}");
    end.cancel();
    recording.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn seconds_that_wait_for_a_disk_that_hangs_keep_no_histograms_of_the_run_alive() {
    let folder = TemporaryFolder::new();
    pipe(&path_in(folder.path()));
    let (mut recorder, _history) = Recorder::start(folder.path(), &Storage::default()).unwrap();
    recorder.opened().await;
    let run = Bench::new().start("steps: [ { think: 10ms } ]", "{ rate: 10/s, for: 20s }");
    recorder.intake().take(&run);
    let last = Arc::<Last>::default();
    let end = CancellationToken::new();
    let observers = Observers::default().and(last.clone());
    let recording = tokio::spawn(recorder.record(observers, end.clone()));
    let mut snapshots = Vec::new();
    for _ in 0..10 {
        sleep(Duration::from_secs(1)).await;
        let at_end = run.whole_seconds(u64::MAX).at_end;
        snapshots.push(Arc::downgrade(&at_end));
    }
    // The run itself has the latest.
    snapshots.pop();
    let alive = snapshots.iter().filter_map(Weak::upgrade);
    assert_eq!(alive.count(), 0);
    // All of them waited.
    let _reader = File::open(path_in(folder.path())).unwrap();
    let patience = Patience::default();
    loop {
        advance(Duration::from_millis(250)).await;
        yield_now().await;
        let now = *last.0.lock().unwrap();
        if now.written + now.lost >= 10 {
            break;
        }
        patience.check(&now);
    }
    end.cancel();
    recording.await.unwrap();
}
