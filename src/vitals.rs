//! How this machine treats the process, looked at from outside the runtime: a thread of its own that
//! sleeps and notes how late it woke, and once a second what CPUs, files and sockets there were. A runtime that
//! is stuck cannot tell that it is; this thread can, and it tells a saturated machine from a runtime
//! that is stuck on an idle one.

#![expect(
    clippy::disallowed_types,
    reason = "what is measured here is outside of any runtime, whose clock tests may pause"
)]

mod proc;

use std::{
    collections::VecDeque,
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use self::proc::KernelCounters;
pub use self::proc::{AcceptQueues, cpu_times};

/// How long the thread sleeps.
const BEAT: Duration = Duration::from_millis(50);
/// How often it reads what the kernel counts: a reading of all threads costs some 100 µs.
const LOOK: Duration = Duration::from_secs(1);
/// Beats that are kept for whoever asks for them later; 50 seconds.
const KEPT: usize = 1_000;

/// The thread's notes. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Vitals(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    /// The number of the first beat that is kept.
    first: u64,
    beats: VecDeque<Beat>,
}

/// A place between two beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// One time that the thread woke.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// How much later than it wanted.
    pub late: Duration,
    /// What it read, about once a second. Nothing while the process may open no file.
    pub load: Option<Load>,
}

/// What happened since the last reading, and how things stand at this one. What the kernel does not
/// tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// CPUs that the process kept busy in its own code.
    pub user: f64,
    /// CPUs that the kernel kept busy for it.
    pub system: f64,
    /// Memory of the process in RAM, in bytes.
    pub memory: Option<u64>,
    /// The share of all the host's CPUs that was busy, 0 to 1.
    pub host_busy: Option<f64>,
    /// CPU wait: for how many CPUs its threads waited besides, in CPU seconds a second.
    pub cpu_wait: Option<f64>,
    /// Files that the process has open, sockets among them.
    pub files: Option<u64>,
    /// TCP sockets of the network namespace, whoever has them: those in use, and those in `TIME_WAIT`,
    /// which hold their port. Whose each is could be told by a look at each file only.
    pub sockets: Option<u64>,
    /// Threads of the whole host, whatever the container, that run or wait for a CPU at this moment,
    /// the one that reads among them.
    pub run_queue: Option<u64>,
    /// Connections that found an accept queue of the network namespace full, of any process.
    pub listen_overflows: u64,
    /// Those and the ones that such a listener dropped for another reason.
    pub listen_drops: u64,
}

impl Load {
    /// CPUs that the process kept busy, in its own code and in the kernel.
    pub fn cpus(&self) -> f64 {
        self.user + self.system
    }
}

impl Vitals {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let vitals = Self(Arc::default());
        let notes = Arc::downgrade(&vitals.0);
        thread::Builder::new()
            .name("vitals".to_owned())
            .spawn(move || beat(&notes))?;
        Ok(vitals)
    }

    /// Where the notes end now.
    pub fn mark(&self) -> Mark {
        let notes = lock(&self.0);
        Mark(notes.first + notes.beats.len() as u64)
    }

    /// The beats from a mark on, and where they end. Those that nobody asked for in time are gone.
    pub fn since(&self, mark: Mark) -> (Vec<Beat>, Mark) {
        let notes = lock(&self.0);
        let skip = usize::try_from(mark.0.saturating_sub(notes.first)).unwrap_or(usize::MAX);
        let beats: Vec<_> = notes.beats.iter().skip(skip).copied().collect();
        (beats, Mark(notes.first + notes.beats.len() as u64))
    }
}

fn beat(notes: &Weak<Mutex<Notes>>) {
    let mut before = (Instant::now(), KernelCounters::read().ok());
    loop {
        let slept = Instant::now();
        thread::sleep(BEAT);
        let now = Instant::now();
        let late = now.duration_since(slept).saturating_sub(BEAT);
        let length = now.duration_since(before.0);
        // A reading that cannot be had is tried again with the next beat, and tells of the whole time.
        let counters = (length >= LOOK)
            .then(|| KernelCounters::read().ok())
            .flatten();
        let load = counters.and_then(|counters| {
            let (_, earlier) = mem::replace(&mut before, (now, Some(counters)));
            earlier.map(|earlier| counters.since(&earlier, length))
        });
        let Some(notes) = notes.upgrade() else {
            return;
        };
        lock(&notes).note(Beat { late, load });
    }
}

impl Notes {
    fn note(&mut self, beat: Beat) {
        self.beats.push_back(beat);
        if self.beats.len() > KEPT {
            self.beats.pop_front();
            self.first += 1;
        }
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    // A list of numbers: whole after every statement.
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Vitals {
    /// Notes that nobody takes but the test.
    pub(crate) fn silent() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn note(&self, beat: Beat) {
        lock(&self.0).note(beat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(vitals: &Vitals, mark: Mark, enough: impl Fn(&[Beat]) -> bool) -> Vec<Beat> {
        let began = Instant::now();
        loop {
            let (beats, _) = vitals.since(mark);
            if enough(&beats) {
                return beats;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{beats:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn it_beats_and_reads_the_load_of_this_process() {
        let vitals = Vitals::start().unwrap();
        let mark = vitals.mark();
        // Somebody keeps a CPU busy meanwhile.
        let busy = thread::spawn(|| {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(3) {
                std::hint::spin_loop();
            }
        });
        let loads = |beats: &[Beat]| {
            beats
                .iter()
                .filter_map(|beat| beat.load)
                .collect::<Vec<_>>()
        };
        let beats = until(&vitals, mark, |beats| loads(beats).len() >= 2);
        let loads = loads(&beats);
        assert!(loads.iter().any(|load| load.cpus() > 0.2), "{loads:?}");
        assert!(
            loads
                .iter()
                .all(|load| (0.0..=1.0).contains(&load.host_busy.unwrap()))
        );
        assert!(loads.iter().all(|load| load.cpu_wait.unwrap() >= 0.0));
        // Standard input and output, and whoever reads.
        assert!(
            loads.iter().all(|load| load.files.unwrap() >= 3),
            "{loads:?}"
        );
        assert!(
            loads.iter().all(|load| load.run_queue.unwrap() >= 1),
            "{loads:?}"
        );
        // What this test alone takes.
        assert!(
            loads.iter().all(|load| load.memory.unwrap() > 1 << 20),
            "{loads:?}"
        );
        busy.join().unwrap();
    }

    #[test]
    fn who_asks_again_hears_what_is_new() {
        let vitals = Vitals::start().unwrap();
        let mark = vitals.mark();
        until(&vitals, mark, |beats| beats.len() >= 2);
        let (beats, end) = vitals.since(mark);
        let (more, later) = vitals.since(end);
        assert!(more.len() <= 1, "{more:?}");
        assert_eq!(vitals.since(mark).0.len(), beats.len() + more.len());
        assert!(later.0 >= end.0);
    }
}
