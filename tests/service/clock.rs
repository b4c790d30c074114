//! Schedules while the clock of the computer is set, by a library that fakes it (Debian's `libfaketime`).

use std::{fs, path::PathBuf};

use super::support::{Centre, Folder, QUICK, SCENARIO, Service, eventually, plain};

/// The clock of one process.
struct FakeClock {
    library: String,
    file: String,
    process: Option<u32>,
}

impl FakeClock {
    /// A clock that shows this time of UTC when its process starts.
    fn set(folder: &Folder, time: &str) -> Self {
        let architectures = fs::read_dir("/usr/lib").unwrap();
        let library = architectures
            .map(|folder| folder.unwrap().path().join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.exists());
        Self {
            library: library
                .unwrap_or_else(|| panic!("apt-get install libfaketime"))
                .display()
                .to_string(),
            file: folder.write("clock", &format!("@{time}")),
            process: None,
        }
    }

    fn environment(&self) -> [(&str, &str); 5] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file),
            ("FAKETIME_NO_CACHE", "1"),
            // Nobody can set this one on a real computer.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TZ", "UTC"),
        ]
    }
}

impl Drop for FakeClock {
    fn drop(&mut self) {
        // What the library leaves of a process that was killed.
        for name in ["sem.faketime_sem", "faketime_shm"] {
            let Some(process) = self.process else { return };
            let _ = fs::remove_file(PathBuf::from(format!("/dev/shm/{name}_{process}")));
        }
    }
}

/// The start that the admin API shows for the burst `nightly`.
async fn next_start(service: &Service) -> String {
    let bursts = service.read("/api/v1/bursts").await.body;
    let mut bursts = bursts.as_array().unwrap().iter();
    let nightly = bursts.find(|burst| burst["name"] == "nightly").unwrap();
    nightly["schedule"]["next_start"]
        .as_str()
        .unwrap()
        .to_owned()
}

// It takes some seconds: schedules and the look at the clock have a grain of a second.
#[tokio::test]
async fn a_start_in_the_repeated_hour_is_not_made_up_for_and_a_clock_that_is_set_plans_anew() {
    let folder = Folder::new();
    let centre = Centre::start("{}").await;
    let burst = |name: &str, cron: &str| {
        format!(
            "{name}: {{ scenario: {SCENARIO}, target: centre, load: {{ chats: 1 }}, inputs: {QUICK}, \
             schedule: {{ cron: '{cron}', time_zone: Europe/Berlin }} }}"
        )
    };
    // Each second of the hour that comes twice, and once a night in it.
    let bursts = [
        burst("often", "* * 2 * * *"),
        burst("nightly", "30 2 * * *"),
    ]
    .join(", ");
    let configuration = plain(&centre.url, &format!("bursts: {{ {bursts} }}"));
    let count =
        |metrics: &super::support::Metrics, name, burst| metrics.sum(name, &[("burst", burst)]);

    // In Berlin it is 02:10 for the second time; the start at 02:30 was in the first pass.
    let mut clock = FakeClock::set(&folder, "2026-10-25 01:10:00");
    let mut service =
        Service::start_in(Folder::new(), &configuration, &[], &clock.environment()).await;
    clock.process = Some(service.process.id());
    assert_eq!(next_start(&service).await, "2026-10-26T01:30:00Z");
    service
        .when("a start in the second pass", |metrics| {
            count(metrics, "chatprobe_bursts_total", "often") > 0.5
        })
        .await;
    service.reload(&configuration);
    service.process.line("the configuration was reloaded").await;
    assert_eq!(next_start(&service).await, "2026-10-26T01:30:00Z");

    folder.write("clock", "@2026-10-24 00:10:00");
    let before = service.metrics().await;
    service
        .process
        .line("the clock of this computer was set back")
        .await;
    eventually("another next start", async || {
        (next_start(&service).await == "2026-10-24T00:30:00Z").then_some(())
    })
    .await;
    let before = count(&before, "chatprobe_bursts_total", "often");
    let metrics = service
        .when("a start on the day before", |metrics| {
            count(metrics, "chatprobe_bursts_total", "often") > before + 0.5
        })
        .await;
    for name in ["chatprobe_bursts_total", "chatprobe_burst_skipped_total"] {
        assert!(count(&metrics, name, "nightly") < 0.5, "{name}");
    }

    // A day forward: the start of that day is too late, and the one of this day is still to come.
    folder.write("clock", "@2026-10-25 00:10:00");
    service
        .process
        .line("the clock of this computer was set forward")
        .await;
    eventually("the start to come", async || {
        (next_start(&service).await == "2026-10-25T00:30:00Z").then_some(())
    })
    .await;
    let metrics = service.metrics().await;
    let skipped = count(&metrics, "chatprobe_burst_skipped_total", "nightly");
    assert!((skipped - 1.0).abs() < 0.5, "{skipped}");
    folder.write("clock", "@2026-10-25 00:40:00");
    service
        .when("a start that is made up for", |metrics| {
            count(metrics, "chatprobe_bursts_total", "nightly") > 0.5
        })
        .await;
    service.process.finish().await;
}
