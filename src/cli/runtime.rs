//! The one place that decides how many threads do the work, and on which memory.

use std::{io, num::NonZeroUsize, thread::available_parallelism};

use tokio::runtime::{Builder, Runtime};

/// Half of the CPUs that the process may use, at least one. A chat is a few short requests, and a
/// request that wakes another thread costs more than the work it brings there: with as many threads
/// as CPUs the same chats take a third more of them. The other half is left to the kernel, which does
/// the network's part, and to whatever runs beside: a simulator, other probes. See
/// docs/performance.md.
pub(super) fn workers() -> NonZeroUsize {
    let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cpus / 2).unwrap_or(NonZeroUsize::MIN)
}

/// Chats are many and small, and begin and end all over the memory. In pages of 2 MB a tenth of it lies
/// idle, and whoever touches a new page first waits until the kernel has cleared it, and all chats behind
/// it. mimalloc asks for such pages where the system leaves it to programs. See docs/performance.md.
pub(super) fn avoid_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!("cannot do without huge pages: {error}");
    }
}

/// A runtime with so many threads for tasks; what blocks gets threads of its own.
pub(super) fn build(workers: NonZeroUsize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers.get())
        .enable_all()
        .build()
}
