use std::{fs, time::Duration};

use super::Load;

/// What the kernel has counted until now. Where it counts nothing, all is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counters {
    /// Time on a CPU, of all threads together.
    ran: Duration,
    /// Time in which a thread could have run and had no CPU.
    waited: Duration,
    /// Ticks of all CPUs of the host, and those of them in which one was idle.
    ticks: u64,
    idle: u64,
}

impl Counters {
    /// `/proc/self/task/*/schedstat` has nanoseconds on a CPU and in a run queue, `/proc/stat` ticks of
    /// the host: <https://docs.kernel.org/scheduler/sched-stats.html>, proc(5).
    pub(super) fn read() -> Self {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        let stats = tasks.filter_map(|task| {
            let path = task.ok()?.path().join("schedstat");
            // A thread may have ended since.
            times(&fs::read_to_string(path).ok()?)
        });
        let (ran, waited) = stats.fold(Default::default(), |(ran, waited), (r, w)| {
            (ran + r, waited + w)
        });
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let (ticks, idle) = host_ticks(&stat).unwrap_or_default();
        Self {
            ran,
            waited,
            ticks,
            idle,
        }
    }

    /// Threads that ended take their times along, so sums may shrink.
    pub(super) fn since(&self, before: &Self, length: Duration) -> Load {
        let ran = self.ran.saturating_sub(before.ran).as_secs_f64();
        let waited = self.waited.saturating_sub(before.waited).as_secs_f64();
        let ticks = self.ticks.saturating_sub(before.ticks);
        let idle = self.idle.saturating_sub(before.idle);
        #[expect(clippy::cast_precision_loss, reason = "ticks of a second or so")]
        let host_busy = share(ticks.saturating_sub(idle) as f64, ticks as f64);
        Load {
            cpus: ran / length.as_secs_f64(),
            host_busy,
            missing: waited / length.as_secs_f64(),
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn times(schedstat: &str) -> Option<(Duration, Duration)> {
    let mut fields = schedstat.split_whitespace().map(str::parse);
    let (ran, waited) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((Duration::from_nanos(ran), Duration::from_nanos(waited)))
}

/// All ticks, and those without work: `idle` and `iowait`.
fn host_ticks(stat: &str) -> Option<(u64, u64)> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    // Guests are counted among the first two already.
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((ticks.iter().sum(), idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read_as_their_documents_say() {
        let (ran, waited) = times("2000000000 500000000 77\n").unwrap();
        assert_eq!(
            (ran, waited),
            (Duration::from_secs(2), Duration::from_millis(500))
        );
        assert_eq!(times(""), None);
        let stat = "cpu  10 1 5 70 4 0 2 8 3 0\ncpu0 1 2 3\n";
        assert_eq!(host_ticks(stat), Some((100, 74)));
        assert_eq!(host_ticks("intr 1"), None);
    }

    #[test]
    fn what_happened_between_two_readings_is_told_as_shares() {
        let before = Counters {
            ticks: 1_000,
            idle: 900,
            ..Counters::default()
        };
        let after = Counters {
            ran: Duration::from_millis(1_500),
            waited: Duration::from_millis(500),
            ticks: 1_400,
            idle: 1_000,
        };
        let load = after.since(&before, Duration::from_secs(2));
        assert_eq!(
            load,
            Load {
                cpus: 0.75,
                host_busy: 0.75,
                missing: 0.25
            }
        );
        let nothing = before.since(&after, Duration::from_secs(2));
        assert_eq!(
            nothing,
            Load {
                cpus: 0.0,
                host_busy: 0.0,
                missing: 0.0
            }
        );
    }

    #[test]
    fn this_kernel_counts() {
        let counters = Counters::read();
        assert!(counters.ran > Duration::ZERO && counters.ticks > counters.idle);
    }
}
