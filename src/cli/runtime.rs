//! The one place that decides how many threads do the work, and on which memory.

use std::{
    io,
    num::NonZeroUsize,
    thread::{self, available_parallelism},
};

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

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

/// What a future comes to whose tasks run on so many threads; what blocks gets threads of its own. The future itself
/// stays on the calling thread: it may write to a terminal that does not read, and holds up no task.
///
/// # Errors
/// A thread cannot be started.
pub(super) fn run<T>(workers: NonZeroUsize, future: impl Future<Output = T>) -> io::Result<T> {
    if workers == NonZeroUsize::MIN {
        return run_on_one(future);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers.get())
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(future);
    // Not waiting for its threads: a name lookup may hang in one.
    runtime.shutdown_background();
    Ok(outcome)
}

/// One thread for tasks needs no queues that others could steal from; see docs/performance.md.
fn run_on_one<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let over = CancellationToken::new();
    let is_over = over.clone();
    thread::Builder::new()
        .name("worker".to_owned())
        .spawn(move || {
            runtime.block_on(is_over.cancelled());
            runtime.shutdown_background();
        })?;
    let _over = over.drop_guard();
    // The thread is not waited for: whatever a task is at, the process is over.
    Ok(handle.block_on(future))
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use tokio::time::sleep;

    use super::*;

    #[test]
    fn tasks_go_on_while_the_future_blocks_its_thread() {
        for workers in [1, 2].into_iter().filter_map(NonZeroUsize::new) {
            let heard = run(workers, async {
                let (sender, receiver) = mpsc::channel();
                let task = tokio::spawn(async move {
                    sleep(Duration::from_millis(1)).await;
                    sender.send(thread::current().id())
                });
                let worker = receiver.recv_timeout(Duration::from_mins(1));
                task.await.unwrap().unwrap();
                worker
            });
            let worker = heard.unwrap().unwrap();
            assert_ne!(worker, thread::current().id(), "{workers} workers");
        }
    }
}
