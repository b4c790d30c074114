use std::{fs, io, path::Path, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use super::Load;
use crate::descriptors;

/// What the kernel has counted until now, and what there is now. Where it counts nothing, all is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counters {
    /// Time on a CPU, of all threads together.
    ran: Duration,
    /// Time in which a thread could have run and had no CPU.
    waited: Duration,
    /// Ticks of all CPUs of the host, and those of them in which one was idle.
    ticks: u64,
    idle: u64,
    user: Duration,
    system: Duration,
    /// As [`Load`] has them.
    memory: u64,
    files: u64,
    sockets: u64,
    run_queue: u64,
    accept_queues: AcceptQueues,
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

impl Counters {
    /// `/proc/self/task/*/schedstat` has nanoseconds on a CPU and in a run queue, `/proc/stat` ticks of
    /// the host and the threads that run or could: <https://docs.kernel.org/scheduler/sched-stats.html>,
    /// proc(5). Of sockets the kernel has sums for IPv4 and IPv6. An error if this process may open no
    /// file to read with: sums that lack something would make the next ones look like a leap.
    pub(super) fn read() -> io::Result<Self> {
        let (mut ran, mut waited) = (Duration::ZERO, Duration::ZERO);
        let tasks = unless_exhausted(fs::read_dir("/proc/self/task").map(Vec::from_iter))?;
        for task in tasks.into_iter().flatten() {
            // A thread may have ended since.
            let (r, w) = times(&text(task.path().join("schedstat"))?).unwrap_or_default();
            ran += r;
            waited += w;
        }
        let (user, system) = cpu_times();
        let stat = text("/proc/stat")?;
        let (ticks, idle) = host_ticks(&stat).unwrap_or_default();
        let (v4, v6) = (
            text("/proc/self/net/sockstat")?,
            text("/proc/self/net/sockstat6")?,
        );
        Ok(Self {
            ran,
            waited,
            ticks,
            idle,
            user,
            system,
            memory: number(&text("/proc/self/status")?, "VmRSS:", "VmRSS:").unwrap_or(0) * 1024,
            files: descriptors::open().unwrap_or(0),
            sockets: sockets(&v4, &v6),
            run_queue: number(&stat, "procs_running", "procs_running").unwrap_or(0),
            accept_queues: AcceptQueues::of(&text("/proc/self/net/netstat")?),
        })
    }

    /// Threads that ended take their times along, so sums may shrink.
    pub(super) fn since(&self, before: &Self, length: Duration) -> Load {
        let ran = self.ran.saturating_sub(before.ran).as_secs_f64();
        let waited = self.waited.saturating_sub(before.waited).as_secs_f64();
        let ticks = self.ticks.saturating_sub(before.ticks);
        let idle = self.idle.saturating_sub(before.idle);
        let more = |of: fn(&AcceptQueues) -> u64| {
            of(&self.accept_queues).saturating_sub(of(&before.accept_queues))
        };
        #[expect(clippy::cast_precision_loss, reason = "ticks of a second or so")]
        let host_busy = share(ticks.saturating_sub(idle) as f64, ticks as f64);
        Load {
            cpus: ran / length.as_secs_f64(),
            user: self.user.saturating_sub(before.user).as_secs_f64() / length.as_secs_f64(),
            system: self.system.saturating_sub(before.system).as_secs_f64() / length.as_secs_f64(),
            memory: self.memory,
            host_busy,
            missing: waited / length.as_secs_f64(),
            files: self.files,
            sockets: self.sockets,
            run_queue: self.run_queue,
            listen_overflows: more(|queues| queues.overflows),
            listen_drops: more(|queues| queues.drops),
        }
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

/// Those in use and those that wait out their end, which the sum for IPv4 has for both.
fn sockets(v4: &str, v6: &str) -> u64 {
    let numbers = [
        number(v4, "TCP:", "inuse"),
        number(v4, "TCP:", "tw"),
        number(v6, "TCP6:", "inuse"),
    ];
    numbers.into_iter().flatten().sum()
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
        let (ran, waited) = times("2000000000 500000000 77\n").unwrap();
        assert_eq!(
            (ran, waited),
            (Duration::from_secs(2), Duration::from_millis(500))
        );
        assert_eq!(times(""), None);
        let stat = "cpu  10 1 5 70 4 0 2 8 3 0\ncpu0 1 2 3\n";
        assert_eq!(host_ticks(stat), Some((100, 74)));
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
        assert_eq!(sockets(v4, v6), 19);
        // Without IPv6, and without either.
        assert_eq!((sockets(v4, ""), sockets("", "")), (16, 0));
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
        let before = Counters {
            ticks: 1_000,
            idle: 900,
            ..Counters::default()
        };
        let after = Counters {
            user: Duration::from_secs(1),
            system: Duration::from_millis(500),
            memory: 7,
            ran: Duration::from_millis(1_500),
            waited: Duration::from_millis(500),
            ticks: 1_400,
            idle: 1_000,
            files: 40,
            sockets: 30,
            run_queue: 5,
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
                memory: 7,
                cpus: 0.75,
                host_busy: 0.75,
                missing: 0.25,
                files: 40,
                sockets: 30,
                run_queue: 5,
                listen_overflows: 3,
                listen_drops: 4,
            }
        );
        let nothing = before.since(&after, Duration::from_secs(2));
        assert_eq!(nothing, Load::default());
    }

    #[test]
    fn this_kernel_counts() {
        let counters = Counters::read().unwrap();
        assert!(counters.ran > Duration::ZERO && counters.ticks > counters.idle);
        // Whoever holds on to a socket is counted.
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let counters = Counters::read().unwrap();
        assert!(counters.files > 3 && counters.sockets > 0 && counters.run_queue > 0);
    }
}
