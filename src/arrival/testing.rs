//! For tests that need the stamps of the kernel, and for those that hold stamps against what the sender knows.

use std::{
    io::Write as _,
    net,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use super::{Arrival, StampedStream, stamp};

/// The kernel begins to stamp a moment after the first socket of the machine asked for it.
const STAMPED_WITHIN: Duration = Duration::from_secs(20);
/// What the conversion between two clocks may add.
const CLOCKS: Duration = Duration::from_micros(20);
/// How long the only thread of a runtime stays busy after something was written.
pub(crate) const BUSY: Duration = Duration::from_millis(30);
/// Threads that want a CPU at the same time.
const HOGS: usize = 8;

/// Only the hogs of one test have the machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Both ends of a connection that is stamped here. As long as it is open, the kernel stamps all that arrives.
pub(crate) async fn stamped_connection() -> (StampedStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).await;
    let here = here.unwrap();
    stamp(&here);
    let (mut far, _) = listener.accept().unwrap();
    far.set_nodelay(true).unwrap();
    let mut here = StampedStream::new(here);
    let arrivals = here.arrivals();
    let begun = Instant::now();
    loop {
        far.write_all(b"?").unwrap();
        here.read_u8().await.unwrap();
        if arrivals.latest().read_delay.is_some() {
            return (here, far);
        }
        assert!(
            begun.elapsed() < STAMPED_WITHIN,
            "the kernel gives no stamp"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Between which moments something was written. On one machine it arrived in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    before: Instant,
    pub(crate) after: Instant,
}

impl Written {
    pub(crate) fn by(write: impl FnOnce()) -> Self {
        let before = Instant::now();
        write();
        Self {
            before,
            after: Instant::now(),
        }
    }

    /// How far a moment is from it.
    fn error(self, moment: Instant) -> Duration {
        let early = self.before.saturating_duration_since(moment);
        early.max(moment.saturating_duration_since(self.after))
    }

    #[track_caller]
    pub(crate) fn assert_arrived(self, at: Instant) {
        let error = self.error(at);
        assert!(
            error <= CLOCKS,
            "arrived {error:?} away from the {:?} in which it was written",
            self.after - self.before
        );
    }
}

/// What a peer on a thread of its own and the only thread of a runtime agree on.
pub(crate) struct Meetings {
    /// What the peer has to do, and has said so.
    ready: AtomicUsize,
    /// From each first meeting to the second, the runtime does nothing.
    meeting: Barrier,
}

impl Meetings {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: AtomicUsize::new(0),
            meeting: Barrier::new(2),
        })
    }

    /// Does this while the runtime does nothing.
    pub(crate) fn while_busy<T>(&self, act: impl FnOnce() -> T) -> T {
        self.ready.fetch_add(1, Ordering::Release);
        self.meeting.wait();
        let done = act();
        self.meeting.wait();
        done
    }

    /// Keeps the thread of the runtime while the peer acts for the `count`th time, and [`BUSY`] longer.
    pub(crate) async fn be_busy(&self, count: usize) {
        while self.ready.load(Ordering::Acquire) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.block();
    }

    /// The same on the thread on which something else is called.
    pub(crate) fn block(&self) {
        self.meeting.wait();
        self.meeting.wait();
        thread::sleep(BUSY);
    }
}

/// Threads that want a CPU all the time, until they are dropped.
pub(crate) struct Hogs {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _alone: MutexGuard<'static, ()>,
}

impl Hogs {
    pub(crate) async fn start() -> Self {
        let alone = ALONE.lock().await;
        let over = Arc::<AtomicBool>::default();
        let hog = |_| {
            let over = over.clone();
            thread::spawn(move || while !over.load(Ordering::Relaxed) {})
        };
        Self {
            threads: (0..HOGS).map(hog).collect(),
            over,
            _alone: alone,
        }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for hog in self.threads.drain(..) {
            hog.join().ok();
        }
    }
}

fn p99(mut values: Vec<Duration>) -> Duration {
    values.sort();
    values[values.len() * 99 / 100]
}

/// Holds what arrived beside [`Hogs`] against when it was written: the true moment lies in that bracket, and at the
/// 99th percentile the error is within the precision of a run, which is the largest of several values. The delay of
/// reads is one of them.
#[track_caller]
pub(crate) fn assert_within_precision(arrivals: &[Arrival], written: &[Written]) {
    assert_eq!(arrivals.len(), written.len());
    let of_each = |value: fn(&Arrival, &Written) -> Duration| {
        p99((arrivals.iter().zip(written))
            .map(|(arrival, written)| value(arrival, written))
            .collect())
    };
    let error = of_each(|arrival, written| written.error(arrival.at));
    let precision = of_each(|arrival, _| arrival.read_delay.unwrap());
    let without_stamps =
        of_each(|arrival, written| written.error(arrival.at + arrival.read_delay.unwrap()));
    println!("error {error:?}, precision {precision:?}, without stamps {without_stamps:?}");
    assert!(
        error <= precision.min(CLOCKS),
        "{error:?} with a precision of {precision:?}"
    );
    assert!(
        error < without_stamps,
        "{error:?}, without stamps {without_stamps:?}"
    );
}
