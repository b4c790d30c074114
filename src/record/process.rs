use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{cgroup, descriptors, vitals::cpu_times};

/// How often the process is looked at between scrapes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Over less than this a use of CPU is noise, and the host's counters may not have moved.
const SHORTEST_WINDOW: Duration = Duration::from_millis(500);

/// Peaks are those of the last one or two of these, so that one of a scrape every minute misses none.
const PEAK_WINDOW: Duration = Duration::from_mins(1);

/// What the process and its host use. A reading that the platform does not give is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Resources {
    /// Memory in RAM.
    pub resident_memory_bytes: u64,
    /// The most memory in RAM within the last minute or two.
    pub resident_memory_peak_bytes: u64,
    /// CPU time in the process' own code.
    pub cpu_user: Duration,
    /// CPU time in the kernel.
    pub cpu_system: Duration,
    /// Cores kept busy over the last second or so.
    pub cpu_usage: f64,
    /// The most cores kept busy over a second, within the last minute or two.
    pub cpu_usage_peak: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// How many may be open.
    pub max_fds: u64,
    /// Threads.
    pub threads: u64,
    /// Unix time at which the process began.
    pub start_time_seconds: u64,
    /// What the process may have: the limit of its control group, else the memory of the host.
    pub memory_limit_bytes: u64,
    /// Logical CPUs of the host.
    pub host_cpus: u64,
    /// Share of the host's CPUs that was busy over the last second or so, 0 to 1.
    pub host_cpu_usage: f64,
    /// Memory of the host.
    pub host_memory_total_bytes: u64,
    /// Memory of the host that could be had without swapping.
    pub host_memory_available_bytes: u64,
}

/// Watches the process and its host.
pub struct ProcessMonitor(Mutex<State>);

struct State {
    system: System,
    latest: Resources,
    /// Where the window of the use of CPU began: when, and the CPU time until then.
    window: (Instant, Duration),
    memory_peak: Peak<u64>,
    cpu_peak: Peak<f64>,
    /// The kernel's mark of the most memory since the process began, when it was last looked at.
    memory_mark: u64,
}

/// The highest reading of the last one or two windows. It belongs to no scrape, so that any number of
/// Prometheus servers see the same.
struct Peak<T> {
    began: Instant,
    current: T,
    previous: T,
}

impl<T: Copy + Default + PartialOrd> Peak<T> {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            current: T::default(),
            previous: T::default(),
        }
    }

    /// The peak with this reading.
    fn read(&mut self, reading: T, now: Instant) -> T {
        let age = now.saturating_duration_since(self.began);
        if age >= PEAK_WINDOW {
            let nothing_since = age >= 2 * PEAK_WINDOW;
            self.previous = if nothing_since {
                T::default()
            } else {
                self.current
            };
            self.current = T::default();
            self.began = now;
        }
        if reading > self.current {
            self.current = reading;
        }
        if self.previous > self.current {
            self.previous
        } else {
            self.current
        }
    }
}

impl ProcessMonitor {
    /// Takes a first look.
    pub fn new() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        // The host's use of CPU is the difference of two looks.
        system.refresh_cpu_usage();
        let (user, kernel) = cpu_times();
        let monitor = Self(Mutex::new(State {
            latest: Resources {
                host_cpus: u64::try_from(system.cpus().len()).unwrap_or(u64::MAX),
                ..Resources::default()
            },
            system,
            window: (Instant::now(), user + kernel),
            memory_peak: Peak::new(Instant::now()),
            cpu_peak: Peak::new(Instant::now()),
            memory_mark: 0,
        }));
        monitor.refresh();
        Ok(monitor)
    }

    /// Looks once a second until `cancel`, so that peaks between scrapes are seen.
    pub async fn watch(self: Arc<Self>, cancel: CancellationToken) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watched = cancel.run_until_cancelled(async {
            loop {
                ticks.tick().await;
                self.refresh();
            }
        });
        watched.await;
    }

    /// Looks now.
    pub fn refresh(&self) -> Resources {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.refresh();
        state.latest
    }

    /// What was seen last.
    pub fn latest(&self) -> Resources {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).latest
    }
}

impl State {
    fn refresh(&mut self) {
        self.refresh_memory();
        self.refresh_cpu();
        self.latest.open_fds = descriptors::open().unwrap_or(0);
        self.latest.max_fds = descriptors::allowed();
    }

    fn refresh_memory(&mut self) {
        let pid = Pid::from_u32(std::process::id());
        let kind = ProcessRefreshKind::nothing().with_memory();
        let only_this = ProcessesToUpdate::Some(&[pid]);
        self.system
            .refresh_processes_specifics(only_this, false, kind);
        self.system.refresh_memory();
        let latest = &mut self.latest;
        latest.host_memory_total_bytes = self.system.total_memory();
        latest.memory_limit_bytes = latest.host_memory_total_bytes;
        if let Some(process) = self.system.process(pid) {
            latest.resident_memory_bytes = process.memory();
            latest.start_time_seconds = process.start_time();
        }
        let limit = cgroup::GroupLimits::read().and_then(|limits| limits.memory_bytes());
        if let Some(limit) = limit {
            latest.memory_limit_bytes = limit.min(latest.host_memory_total_bytes);
        }
        latest.host_memory_available_bytes = self.system.available_memory();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        latest.threads = status_field(&status, "Threads:").unwrap_or(0);
        // The kernel's own mark does not miss what comes and goes between two looks. It never falls, so it
        // is a reading only where it has risen.
        let mark = status_field(&status, "VmHWM:").unwrap_or(0) * 1024;
        let risen = if mark > self.memory_mark { mark } else { 0 };
        self.memory_mark = mark;
        let seen = risen.max(latest.resident_memory_bytes);
        latest.resident_memory_peak_bytes = self.memory_peak.read(seen, Instant::now());
    }

    fn refresh_cpu(&mut self) {
        let latest = &mut self.latest;
        (latest.cpu_user, latest.cpu_system) = cpu_times();
        let (began, spent_before) = self.window;
        let length = began.elapsed();
        if length < SHORTEST_WINDOW {
            return;
        }
        let spent = latest.cpu_user + latest.cpu_system;
        self.window = (began + length, spent);
        let spent = spent.saturating_sub(spent_before);
        latest.cpu_usage = spent.as_secs_f64() / length.as_secs_f64();
        latest.cpu_usage_peak = self.cpu_peak.read(latest.cpu_usage, began + length);
        self.system.refresh_cpu_usage();
        latest.host_cpu_usage = f64::from(self.system.global_cpu_usage()) / 100.0;
    }
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
