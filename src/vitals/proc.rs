use std::{fs, io, path::Path, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use super::Load;
use crate::descriptors;

/// What the kernel has counted until now, and what there is now; `None` where it does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct KernelCounters {
    /// Time in which a thread could have run and had no CPU, of all threads together.
    waited: Option<Duration>,
    host: Option<HostTicks>,
    user: Duration,
    system: Duration,
    /// As [`Load`] has them.
    memory: Option<u64>,
    files: Option<u64>,
    sockets: Option<u64>,
    run_queue: Option<u64>,
    accept_queues: AcceptQueues,
}

/// Ticks of all CPUs of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HostTicks {
    all: u64,
    /// Those of them without work.
    idle: u64,
}

/// What the kernel has counted of the accept queues of this network namespace, for all processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptQueues {
    /// Connections that found one full: `ListenOverflows`.
    pub overflows: u64,
    /// Those and the ones that were dropped for other reasons: `ListenDrops`.
    pub drops: u64,
}

impl AcceptQueues {
    /// As they are now; `None` if this process may open no file to read with.
    pub fn read() -> Option<Self> {
        text("/proc/self/net/netstat")
            .ok()
            .map(|text| Self::of(&text))
    }

    /// A line of names stands before each line of numbers.
    fn of(netstat: &str) -> Self {
        let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
        let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else {
            return Self::default();
        };
        let number = |wanted| {
            let mut both = names.split_whitespace().zip(numbers.split_whitespace());
            both.find_map(|(name, number)| (name == wanted).then(|| number.parse().ok()).flatten())
        };
        Self {
            overflows: number("ListenOverflows").unwrap_or(0),
            drops: number("ListenDrops").unwrap_or(0),
        }
    }
}

impl KernelCounters {
    /// `/proc/self/task/*/schedstat` has nanoseconds in a run queue, `/proc/stat` ticks of the host and the
    /// threads that run or could: <https://docs.kernel.org/scheduler/sched-stats.html>, proc(5). Of sockets the
    /// kernel has sums for IPv4 and IPv6. An error if this process may open no file to read with: sums that lack
    /// something would make the next ones look like a leap.
    pub(super) fn read() -> io::Result<Self> {
        let mut waited = None;
        let tasks = unless_exhausted(fs::read_dir("/proc/self/task").map(Vec::from_iter))?;
        for task in tasks.into_iter().flatten() {
            // A thread may have ended since.
            if let Some(wait) = wait(&text(task.path().join("schedstat"))?) {
                waited = Some(waited.unwrap_or(Duration::ZERO) + wait);
            }
        }
        let (user, system) = cpu_times();
        let stat = text("/proc/stat")?;
        let (v4, v6) = (
            text("/proc/self/net/sockstat")?,
            text("/proc/self/net/sockstat6")?,
        );
        Ok(Self {
            waited,
            host: host_ticks(&stat),
            user,
            system,
            memory: number(&text("/proc/self/status")?, "VmRSS:", "VmRSS:").map(|kib| kib * 1024),
            files: descriptors::open(),
            sockets: sockets(&v4, &v6),
            run_queue: number(&stat, "procs_running", "procs_running"),
            accept_queues: AcceptQueues::of(&text("/proc/self/net/netstat")?),
        })
    }

    /// Threads that ended take their times along, so sums may shrink.
    pub(super) fn since(&self, before: &Self, length: Duration) -> Load {
        let waited = self.waited.zip(before.waited);
        let waited = waited.map(|(now, before)| now.saturating_sub(before).as_secs_f64());
        let host = self.host.zip(before.host);
        let more = |of: fn(&AcceptQueues) -> u64| {
            of(&self.accept_queues).saturating_sub(of(&before.accept_queues))
        };
        Load {
            user: self.user.saturating_sub(before.user).as_secs_f64() / length.as_secs_f64(),
            system: self.system.saturating_sub(before.system).as_secs_f64() / length.as_secs_f64(),
            memory: self.memory,
            host_busy: host.map(|(now, before)| now.busy_since(before)),
            cpu_wait: waited.map(|waited| waited / length.as_secs_f64()),
            files: self.files,
            sockets: self.sockets,
            run_queue: self.run_queue,
            listen_overflows: more(|queues| queues.overflows),
            listen_drops: more(|queues| queues.drops),
        }
    }
}

impl HostTicks {
    /// The share of the ticks since then in which a CPU had work.
    #[expect(clippy::cast_precision_loss, reason = "ticks of a second or so")]
    fn busy_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        let idle = self.idle.saturating_sub(before.idle);
        share(all.saturating_sub(idle) as f64, all as f64)
    }
}

/// CPU time of the process, in its own code and in the kernel; to the microsecond, where `/proc` has ticks of 10 ms.
pub fn cpu_times() -> (Duration, Duration) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (Duration::ZERO, Duration::ZERO);
    };
    (duration(usage.user_time()), duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The second field: how long the thread has waited for a CPU.
fn wait(schedstat: &str) -> Option<Duration> {
    let waited = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(waited))
}

/// Without work are `idle` and `iowait`.
fn host_ticks(stat: &str) -> Option<HostTicks> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    // Guests are counted among the first two already.
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .take(8)
        .map_while(|field| field.parse().ok())
        .collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some(HostTicks {
        all: ticks.iter().sum(),
        idle,
    })
}

/// Those in use and those that wait out their end, which the sum for IPv4 has for both; `None` if the kernel has
/// neither sum.
fn sockets(v4: &str, v6: &str) -> Option<u64> {
    let numbers = [
        number(v4, "TCP:", "inuse"),
        number(v4, "TCP:", "tw"),
        number(v6, "TCP6:", "inuse"),
    ];
    let known = numbers.iter().any(Option::is_some);
    known.then(|| numbers.into_iter().flatten().sum())
}

/// A file of the kernel's, empty where there is none.
fn text(path: impl AsRef<Path>) -> io::Result<String> {
    unless_exhausted(fs::read_to_string(path))
}

/// Whatever else fails, there is nothing to read.
fn unless_exhausted<T: Default>(result: io::Result<T>) -> io::Result<T> {
    result.or_else(|error| {
        if descriptors::are_exhausted(&error) {
            Err(error)
        } else {
            Ok(T::default())
        }
    })
}

/// The number behind a name, in the line that begins so.
fn number(text: &str, line: &str, name: &str) -> Option<u64> {
    let mut words = text
        .lines()
        .map(str::split_whitespace)
        .find(|words| words.clone().next() == Some(line))?;
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn the_kernels_texts_are_read_as_their_documents_say() {
        let waited = wait("2000000000 500000000 77\n");
        assert_eq!(waited, Some(Duration::from_millis(500)));
        assert_eq!(wait(""), None);
        let stat = "cpu  10 1 5 70 4 0 2 8 3 0\ncpu0 1 2 3\n";
        assert_eq!(host_ticks(stat), Some(HostTicks { all: 100, idle: 74 }));
        assert_eq!(host_ticks("intr 1"), None);
        let stat = "cpu  1 2\nprocesses 99\nprocs_running 7\nprocs_blocked 3\n";
        let running = |stat| number(stat, "procs_running", "procs_running");
        assert_eq!((running(stat), running("cpu 1")), (Some(7), None));
    }

    #[test]
    fn sockets_are_those_in_use_and_those_that_wait_out_their_end() {
        let v4 =
            "sockets: used 290\nTCP: inuse 11 orphan 0 tw 5 alloc 12 mem 1\nUDP: inuse 2 mem 1\n";
        let v6 = "TCP6: inuse 3\nUDP6: inuse 1\n";
        assert_eq!(sockets(v4, v6), Some(19));
        // Without IPv6, and without either.
        assert_eq!((sockets(v4, ""), sockets("", "")), (Some(16), None));
    }

    #[test]
    fn accept_queues_are_read_by_the_names_of_the_line_before() {
        let netstat = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n\
                       TcpExt: 1 22 333 4444\n\
                       IpExt: InNoRoutes ListenDrops\nIpExt: 5 6\n";
        let read = AcceptQueues {
            overflows: 22,
            drops: 333,
        };
        assert_eq!(AcceptQueues::of(netstat), read);
        // An older kernel, and none that tells.
        let old = AcceptQueues::of("TcpExt: SyncookiesSent\nTcpExt: 1\n");
        assert_eq!(old, AcceptQueues::default());
        assert_eq!(AcceptQueues::of(""), AcceptQueues::default());
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_one_that_may_not_be_opened_is_no_reading() {
        assert_eq!(text("/proc/self/gone").unwrap(), "");
        let read = |errno: Errno| unless_exhausted::<String>(Err(errno.into()));
        // A thread that ended between two looks.
        assert_eq!(read(Errno::ESRCH).unwrap(), "");
        assert!(read(Errno::EMFILE).is_err());
    }

    #[test]
    fn what_happened_between_two_readings_is_told_as_shares() {
        let before = KernelCounters {
            waited: Some(Duration::ZERO),
            host: Some(HostTicks {
                all: 1_000,
                idle: 900,
            }),
            ..KernelCounters::default()
        };
        let after = KernelCounters {
            user: Duration::from_secs(1),
            system: Duration::from_millis(500),
            memory: Some(7),
            waited: Some(Duration::from_millis(500)),
            host: Some(HostTicks {
                all: 1_400,
                idle: 1_000,
            }),
            files: Some(40),
            sockets: Some(30),
            run_queue: Some(5),
            accept_queues: AcceptQueues {
                overflows: 3,
                drops: 4,
            },
        };
        let load = after.since(&before, Duration::from_secs(2));
        assert_eq!(
            load,
            Load {
                user: 0.5,
                system: 0.25,
                memory: Some(7),
                host_busy: Some(0.75),
                cpu_wait: Some(0.25),
                files: Some(40),
                sockets: Some(30),
                run_queue: Some(5),
                listen_overflows: 3,
                listen_drops: 4,
            }
        );
        assert!((load.cpus() - 0.75).abs() < 1e-9);
        let nothing = before.since(&after, Duration::from_secs(2));
        assert_eq!(
            nothing,
            Load {
                host_busy: Some(0.0),
                cpu_wait: Some(0.0),
                ..Load::default()
            }
        );
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_no_zero() {
        let silent = KernelCounters::default();
        let load = silent.since(&silent, Duration::from_secs(1));
        assert_eq!(load, Load::default());
        assert_eq!((load.memory, load.cpu_wait), (None, None));
    }

    #[test]
    fn this_kernel_counts() {
        let counters = KernelCounters::read().unwrap();
        let host = counters.host.unwrap();
        assert!(counters.waited.is_some() && host.all > host.idle);
        assert!(counters.user + counters.system > Duration::ZERO);
        assert!(counters.memory.unwrap() > 1 << 20);
        // Whoever holds on to a socket is counted.
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let counters = KernelCounters::read().unwrap();
        let counts = [counters.files, counters.sockets, counters.run_queue];
        assert!(counts.map(Option::unwrap).iter().all(|count| *count > 0));
    }
}
