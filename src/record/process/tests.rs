use std::{fs::File, hint::black_box, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::*;

fn monitor() -> ProcessMonitor {
    ProcessMonitor::new().unwrap()
}

/// Until the CPU time of the process grew by that much, whoever used it.
fn burn(time: Duration) {
    let (user, _) = cpu_times();
    while cpu_times().0 < user + time {
        black_box((0..100_000_u64).map(|n| n.wrapping_mul(n)).sum::<u64>());
    }
}

/// Whoever fills the memory or opens files here does it alone. The tests of other modules run
/// meanwhile, so what is used is far more than they use.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const MIB: u64 = 1 << 20;

#[test]
fn memory_that_is_used_is_seen_and_its_peak_is_kept() {
    let _alone = alone();
    let monitor = monitor();
    let before = monitor.refresh();
    let used = black_box(vec![1_u8; 200 << 20]);
    let during = monitor.refresh();
    drop(used);
    let after = monitor.refresh();
    assert!(before.resident_memory_bytes > MIB);
    assert!(during.resident_memory_bytes > before.resident_memory_bytes + 150 * MIB);
    assert!(during.resident_memory_bytes > after.resident_memory_bytes + 150 * MIB);
    assert!(after.resident_memory_peak_bytes >= during.resident_memory_bytes);
}

#[test]
fn a_peak_between_two_looks_is_seen() {
    let _alone = alone();
    let monitor = monitor();
    let before = monitor.refresh();
    drop(black_box(vec![1_u8; 300 << 20]));
    let after = monitor.refresh();
    let peak = after.resident_memory_peak_bytes;
    assert!(peak > before.resident_memory_bytes + 250 * MIB, "{peak}");
}

#[test]
fn a_peak_is_forgotten_after_one_or_two_windows() {
    let start = Instant::now();
    let second = |count| start + Duration::from_secs(count);
    let mut peak = Peak::new(start);
    let read = |(at, reading)| peak.read(reading, second(at));
    let readings = [
        (1, 7_u64),
        (30, 2),
        (59, 3),
        (60, 1),
        (119, 4),
        (120, 1),
        (179, 1),
        (180, 2),
    ];
    assert_eq!(readings.map(read), [7, 7, 7, 7, 7, 4, 4, 2]);
    let mut peak = Peak::new(start);
    peak.read(9_u64, second(1));
    assert_eq!(
        peak.read(2, second(200)),
        2,
        "nobody looked for two windows"
    );
}

#[test]
fn cpu_time_is_told_by_who_spent_it_and_by_how_much() {
    let monitor = monitor();
    let before = monitor.refresh();
    let began = Instant::now();
    burn(Duration::from_millis(700));
    // A window shorter than that is none.
    std::thread::sleep(SHORTEST_WINDOW.saturating_sub(began.elapsed()));
    let after = monitor.refresh();
    let user = after.cpu_user.checked_sub(before.cpu_user).unwrap();
    assert!(user >= Duration::from_millis(700), "{user:?}");
    assert!(after.cpu_system >= before.cpu_system);
    let cores = f64::from(u32::try_from(after.host_cpus).unwrap());
    assert!(after.cpu_usage > 0.1 && after.cpu_usage <= cores * 1.1);
    assert!(after.cpu_usage_peak >= after.cpu_usage);
    assert!(after.host_cpu_usage > 0.0 && after.host_cpu_usage <= 1.0);
}

#[test]
fn system_time_is_not_user_time() {
    let (_, before) = cpu_times();
    let deadline = Instant::now() + Duration::from_secs(10);
    while cpu_times().1 < before + Duration::from_millis(30) {
        assert!(
            Instant::now() < deadline,
            "reading files costs the kernel time"
        );
        let _ = std::fs::read("/proc/self/status");
    }
}

#[test]
fn files_that_are_open_are_counted() {
    let _alone = alone();
    let monitor = monitor();
    let before = monitor.refresh();
    let files: Vec<File> = (0..2_000)
        .map(|_| File::open("/dev/null").unwrap())
        .collect();
    let during = monitor.refresh();
    drop(files);
    let after = monitor.refresh();
    assert!(during.open_fds.abs_diff(before.open_fds + 2_000) < 500);
    assert!(after.open_fds.abs_diff(before.open_fds) < 500);
    assert!(during.max_fds > during.open_fds);
}

#[test]
fn threads_and_the_start_and_the_host_are_told() {
    let monitor = monitor();
    let before = monitor.refresh();
    let during = std::thread::scope(|scope| {
        let mut stops = Vec::new();
        for _ in 0..60 {
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            stops.push(stop);
            scope.spawn(move || stopped.recv());
        }
        monitor.refresh()
    });
    assert!(during.threads > before.threads + 30);
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 3_600..=now + 1).contains(&during.start_time_seconds));
    assert_eq!(
        usize::try_from(during.host_cpus).unwrap(),
        std::fs::read_to_string("/proc/cpuinfo")
            .unwrap()
            .matches("processor\t")
            .count()
    );
    assert!(during.host_memory_available_bytes < during.host_memory_total_bytes);
    assert!(during.host_memory_available_bytes > 1 << 20);
    assert!(during.memory_limit_bytes <= during.host_memory_total_bytes);
    assert!(during.memory_limit_bytes > during.resident_memory_bytes);
}

#[test]
fn a_look_is_short_enough_for_an_asynchronous_task() {
    let _alone = alone();
    let monitor = monitor();
    let files: Vec<File> = (0..5_000)
        .map_while(|_| File::open("/dev/null").ok())
        .collect();
    let mut looks: Vec<Duration> = (0..50)
        .map(|_| {
            let began = Instant::now();
            monitor.refresh();
            began.elapsed()
        })
        .collect();
    looks.sort_unstable();
    println!(
        "with {} files: median {:?}, longest {:?}",
        files.len(),
        looks[25],
        looks[49]
    );
    // The median, as others use the machine too.
    assert!(looks[25] < Duration::from_millis(5), "{:?}", looks[25]);
}

#[tokio::test]
async fn watching_looks_by_itself_until_it_is_cancelled() {
    let monitor = Arc::new(monitor());
    let cancel = CancellationToken::new();
    let watching = tokio::spawn(monitor.clone().watch(cancel.clone()));
    let before = monitor.latest();
    tokio::task::spawn_blocking(|| burn(Duration::from_millis(200)))
        .await
        .unwrap();
    sleep(INTERVAL + Duration::from_millis(300)).await;
    let after = monitor.latest();
    assert!(after.cpu_user >= before.cpu_user + Duration::from_millis(200));
    assert!(after.cpu_usage_peak > 0.0);
    cancel.cancel();
    watching.await.unwrap();
}
