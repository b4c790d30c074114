use std::thread;

use super::*;
use crate::listener::Listeners;

/// One thread reads for a connection while another closes it.
#[test]
fn the_sum_of_bytes_never_falls_below_zero() {
    // So many that the threads meet, if they have one CPU between them as well; some 100 ms.
    const READS: usize = 2_000_000;
    let listeners = Listeners::default();
    let counters = listeners.of(Name::Callbacks);
    let shared = Shared {
        peer: "192.0.2.7:4711".parse().unwrap(),
        bytes: AtomicU64::new(0),
        counted: AtomicBool::new(true),
        end: CancellationToken::new(),
    };
    let reading = AtomicBool::new(true);
    let most = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let sums = (0..READS).map(|_| shared.count_bytes(counters, 7));
            let most = sums.max();
            reading.store(false, Ordering::Release);
            most
        });
        let mut most = Some(0);
        while reading.load(Ordering::Acquire) {
            shared.forget_bytes(counters);
            most = most.max(Some(counters.bytes.load(Ordering::Relaxed)));
        }
        most.max(reader.join().unwrap())
    });
    shared.forget_bytes(counters);
    assert_eq!(counters.bytes.load(Ordering::Relaxed), 0);
    assert!(most <= Some(READS as u64 * 7), "{most:?}");
}
