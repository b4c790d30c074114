//! Fuzz targets: a folder's tests judge random inputs, a few in every run of the tests and as many as fit into a time in
//! `ci/fuzz`.
//!
//! `tests/fixtures/fuzz/TARGET` holds inputs that are judged first, every time: those that once broke something, and
//! those from which random ones are made.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestError, TestRunner},
};
use tokio::time::Instant;

/// Inputs without a time; with one, inputs between two looks at the clock.
const FEW: u32 = 48;
/// No input may take more time of a CPU to judge: a machine that is busy with other things breaks nothing.
const LONGEST: Duration = Duration::from_secs(10);
/// The same for an input that only waits.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How long to try inputs, in seconds.
const SECONDS: &str = "CHATPROBE_FUZZ_SECONDS";
/// A folder for inputs that broke something.
const FOUND: &str = "CHATPROBE_FUZZ_FOUND";

/// Judges the known inputs of a target and random ones, and panics with the smallest that fails.
pub(crate) fn fuzz(
    target: &'static str,
    inputs: impl Strategy<Value = Vec<u8>>,
    judge: impl Fn(&[u8]) -> Result<(), TestCaseError>,
) {
    let watch = Watch::start(target);
    for (name, input) in known(target) {
        let judged = watch.over(&input, &judge);
        judged.unwrap_or_else(|error| panic!("{target}, {name}: {error}"));
    }
    let began = Instant::now();
    let time = std::env::var(SECONDS).map_or(Duration::ZERO, |seconds| {
        Duration::from_secs(seconds.parse().expect(SECONDS))
    });
    let mut tried = 0;
    loop {
        let mut runner = TestRunner::new(Config {
            cases: FEW,
            failure_persistence: None,
            max_shrink_iters: 2_000,
            ..Config::default()
        });
        let judged = runner.run(&inputs, |input| watch.over(&input, &judge));
        if let Err(error) = judged {
            let TestError::Fail(reason, input) = error else {
                panic!("{target}: {error}");
            };
            keep(target, "failed", &input);
            panic!("{target}: {reason}: {}", input.escape_ascii());
        }
        tried += FEW;
        if began.elapsed() >= time {
            println!(
                "{target}: {tried} inputs in {:.1?}, the slowest of which took {:.1?} of a CPU",
                began.elapsed(),
                watch.slowest()
            );
            return;
        }
    }
}

/// Sequences of words, and changed copies of the known inputs of a target.
pub(crate) fn inputs(
    target: &str,
    words: &'static [&'static [u8]],
) -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = known(target).into_iter().map(|(_, input)| input).collect();
    assert!(!known.is_empty(), "nothing in {}", folder(target).display());
    let sequence = vec(select(words), 0..60).prop_map(|words| words.concat());
    let changed = (select(known), vec(change(words), 1..8)).prop_map(|(mut input, changes)| {
        for change in changes {
            change.apply(&mut input);
        }
        input
    });
    prop_oneof![1 => sequence, 3 => changed]
}

/// What happens to a part of an input.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Insert(Index, &'static [u8], usize),
    Replace(Index, Vec<u8>),
    Cut(Index),
}

fn change(words: &'static [&'static [u8]]) -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    // Mostly once; sometimes so often that it nests deeply or fills a limit.
    let times = prop_oneof![8 => Just(1_usize), 2 => 2..20_usize, 1 => 1_000..5_000_usize];
    prop_oneof![
        2 => (at(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        2 => (at(), 1..40_usize, times.clone())
            .prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        6 => (at(), select(words), times)
            .prop_map(|(at, word, times)| Change::Insert(at, word, times)),
        2 => (at(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Change::Replace(at, bytes)),
        1 => at().prop_map(Change::Cut),
    ]
}

impl Change {
    fn apply(self, input: &mut Vec<u8>) {
        let (Self::Remove(at, _)
        | Self::Repeat(at, ..)
        | Self::Insert(at, ..)
        | Self::Replace(at, _)
        | Self::Cut(at)) = self;
        let at = at.index(input.len() + 1);
        let end = |length: usize| input.len().min(at + length);
        match self {
            Self::Remove(_, length) => drop(input.drain(at..end(length))),
            Self::Repeat(_, length, times) => {
                let part = input[at..end(length)].repeat(times);
                input.splice(at..at, part);
            }
            Self::Insert(_, word, times) => drop(input.splice(at..at, word.repeat(times))),
            Self::Replace(_, bytes) => drop(input.splice(at..end(bytes.len()), bytes)),
            Self::Cut(_) => input.truncate(at),
        }
    }
}

fn folder(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fuzz")).join(target)
}

fn known(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder(target)).expect("inputs of the target");
    let mut known: Vec<_> = files
        .map(|file| {
            let path = file.unwrap().path();
            (path.display().to_string(), fs::read(path).unwrap())
        })
        .collect();
    known.sort();
    known
}

fn found(target: &str, what: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(FOUND)?);
    Some(folder.join(format!("{target}-{what}")))
}

fn keep(target: &str, what: &str, input: &[u8]) {
    if let Some(path) = found(target, what) {
        fs::write(&path, input).unwrap();
        eprintln!(
            "the input is in {}; keep it in {}",
            path.display(),
            folder(target).display()
        );
    }
}

/// Ends the process when an input takes too long, and keeps the one that ends the process by itself.
struct Watch {
    target: &'static str,
    current: Arc<Mutex<Current>>,
    clock: CpuClock,
    slowest: Mutex<Duration>,
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// The input that is judged.
struct Current {
    began: Instant,
    /// What the clock of the CPU showed then.
    spent: Duration,
    input: Vec<u8>,
}

/// How long a thread has been on a CPU.
#[derive(Clone)]
struct CpuClock(PathBuf);

impl CpuClock {
    fn of_this_thread() -> Self {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        Self(Path::new("/proc").join(thread).join("schedstat"))
    }

    fn read(&self) -> Duration {
        let times = fs::read_to_string(&self.0).unwrap();
        let spent = times.split_whitespace().next().unwrap();
        Duration::from_nanos(spent.parse().unwrap())
    }
}

impl Watch {
    fn start(target: &'static str) -> Self {
        let clock = CpuClock::of_this_thread();
        let current = Arc::new(Mutex::new(Current {
            began: Instant::now(),
            spent: clock.read(),
            input: Vec::new(),
        }));
        let (over, watching) = mpsc::channel::<()>();
        let (watched, watched_clock) = (current.clone(), clock.clone());
        let thread = std::thread::spawn(move || {
            let look = Duration::from_millis(200);
            while watching.recv_timeout(look) == Err(mpsc::RecvTimeoutError::Timeout) {
                let current = watched.lock().unwrap();
                let on_a_cpu = watched_clock.read().saturating_sub(current.spent);
                if on_a_cpu > LONGEST || current.began.elapsed() > LONGEST_WAIT {
                    keep(target, "hung", &current.input);
                    eprintln!(
                        "{target}: longer than {LONGEST:?} of a CPU or {LONGEST_WAIT:?}: {}",
                        current.input.escape_ascii()
                    );
                    process::abort();
                }
            }
        });
        Self {
            target,
            current,
            clock,
            slowest: Mutex::default(),
            thread: Some((over, thread)),
        }
    }

    /// Judges an input under supervision.
    fn over(
        &self,
        input: &[u8],
        judge: impl Fn(&[u8]) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        if let Some(path) = found(self.target, "current") {
            // It stays if the stack overflows.
            fs::write(path, input).unwrap();
        }
        let spent = self.clock.read();
        *self.current.lock().unwrap() = Current {
            began: Instant::now(),
            spent,
            input: input.to_vec(),
        };
        let judged = judge(input);
        let took = self.clock.read().saturating_sub(spent);
        let mut slowest = self.slowest.lock().unwrap();
        if took > *slowest {
            *slowest = took;
            if let Some(path) = found(self.target, "slowest") {
                fs::write(path, input).unwrap();
            }
        }
        judged
    }

    fn slowest(&self) -> Duration {
        *self.slowest.lock().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(path) = found(self.target, "current") {
            let _ = fs::remove_file(path);
        }
        if let Some((over, thread)) = self.thread.take() {
            drop(over);
            let _ = thread.join();
        }
    }
}
