//! The queue of connections that the kernel keeps until they are accepted.

use std::{fs, io, mem, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    time::Instant,
};

use crate::{arrival, vitals::AcceptQueues};

/// What Linux allows since 5.4, if it does not say.
const USUAL_LENGTH: u32 = 4096;
/// How old a reading may be before the next one; thousands of chats may fail in the same moment.
pub(super) const AGAIN: Duration = Duration::from_millis(10);

/// Binds an address. The accept queue is as long as the system allows: thousands of connections may come
/// before the next is accepted, and one that finds the queue full comes a second late. What arrives on connections is
/// stamped, also before they are accepted.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    arrival::stamp(&socket);
    socket.listen(longest())
}

/// The longest accept queue that the system allows: `net.core.somaxconn`.
pub(super) fn longest() -> u32 {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    let length = text.and_then(|text| text.trim().parse().ok());
    length.filter(|length| *length > 0).unwrap_or(USUAL_LENGTH)
}

/// Reads how many connections found an accept queue of the network namespace full; `None` if the process may
/// open no file to read with.
pub(super) type OverflowReader = fn() -> Option<u64>;

/// The count of the kernel, `ListenOverflows`.
pub(super) fn overflows() -> Option<u64> {
    AcceptQueues::read().map(|queues| queues.overflows)
}

/// Tells overflows of one accept queue from those of other processes. The kernel counts them for the
/// whole network namespace; a queue that was full, though, has since given as many connections as it holds.
#[derive(Debug)]
pub(super) struct Overflows {
    length: u64,
    read: OverflowReader,
    read_at: Instant,
    /// Overflows of the namespace at the last reading; `None` until one succeeds.
    seen: Option<u64>,
    /// Connections that were accepted, at the ends of the last two periods.
    accepted: [u64; 2],
    /// Overflows whose owner is not known: those of the last period, and of the current one.
    unclear: [u64; 2],
}

impl Overflows {
    /// For a queue of this length whose listener has accepted so many connections.
    pub(super) fn new(length: u32, accepted: u64, read: OverflowReader) -> Self {
        Self {
            length: length.into(),
            read,
            read_at: Instant::now(),
            seen: read(),
            accepted: [accepted; 2],
            unclear: [0; 2],
        }
    }

    /// How many overflows were those of this queue and have not been returned before. `accepted` only grows.
    pub(super) fn look(&mut self, accepted: u64) -> u64 {
        self.read_at = Instant::now();
        // A reading that fails is made up for by the next one.
        if let Some(overflows) = (self.read)() {
            let seen = self.seen.replace(overflows).unwrap_or(overflows);
            self.unclear[1] += overflows.saturating_sub(seen);
        }
        let lately = accepted.saturating_sub(self.accepted[0]);
        if lately < self.length {
            return 0;
        }
        mem::take(&mut self.unclear).into_iter().sum()
    }

    /// The same, unless the last reading is too recent for anything to have failed since.
    pub(super) fn look_between(&mut self, accepted: u64) -> u64 {
        if self.read_at.elapsed() < AGAIN {
            return 0;
        }
        self.look(accepted)
    }

    /// Whether there are overflows of which nobody knows yet whether they were those of this queue.
    pub(super) fn are_unclear(&self) -> bool {
        self.unclear != [0; 2]
    }

    /// [`Self::look`], and a period ends: overflows without an owner for two periods are those of other processes.
    pub(super) fn end_period(&mut self, accepted: u64) -> u64 {
        let own = self.look(accepted);
        self.accepted = [self.accepted[1], accepted];
        self.unclear = [self.unclear[1], 0];
        own
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_listener_has_the_longest_queue_that_the_system_allows() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = std::process::Command::new("ss")
            .args(["-Hltn", &format!("sport = :{port}")])
            .output();
        let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        assert_eq!(longest().to_string(), allowed.trim());
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        let length = shown.split_whitespace().nth(2).unwrap();
        assert_eq!(length, allowed.trim(), "{shown}");
    }

    thread_local! {
        /// What the kernel has counted; each test has a thread of its own.
        static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
    }

    fn overflows(counted: impl Into<Option<u64>>, accepted: u64) -> Overflows {
        COUNTED.set(counted.into());
        Overflows::new(128, accepted, || COUNTED.get())
    }

    impl Overflows {
        fn end_period_with(&mut self, counted: impl Into<Option<u64>>, accepted: u64) -> u64 {
            COUNTED.set(counted.into());
            self.end_period(accepted)
        }
    }

    #[test]
    fn overflows_are_those_of_a_queue_that_has_just_given_as_many_as_it_holds() {
        let mut overflows = overflows(1_000, 0);
        assert_eq!(overflows.end_period_with(1_000, 50), 0);
        // Those of another process.
        assert_eq!(overflows.end_period_with(1_007, 90), 0);
        // Full in this second, and emptied in the next.
        assert_eq!(overflows.end_period_with(1_010, 100), 0);
        assert_eq!(overflows.end_period_with(1_012, 240), 5);
        // Told once.
        assert_eq!(overflows.end_period_with(1_012, 300), 0);
        assert_eq!(overflows.end_period_with(1_013, 301), 0);
    }

    #[test]
    fn overflows_before_the_first_reading_that_succeeds_are_not_those_of_the_queue() {
        let mut overflows = overflows(None, 0);
        assert_eq!(overflows.end_period_with(None, 500), 0);
        assert_eq!(overflows.end_period_with(90_000, 1_000), 0);
        // A reading that fails later loses nothing.
        assert_eq!(overflows.end_period_with(None, 1_500), 0);
        assert_eq!(overflows.end_period_with(90_003, 2_000), 3);
    }

    #[test]
    fn a_look_between_two_periods_counts_at_once_and_shortens_none() {
        let mut overflows = overflows(10, 1_000);
        overflows.read_at -= AGAIN;
        COUNTED.set(Some(17));
        assert_eq!(overflows.look_between(1_050), 0);
        for accepted in [1_060, 1_070] {
            overflows.read_at -= AGAIN;
            assert_eq!(overflows.look_between(accepted), 0);
        }
        overflows.read_at -= AGAIN;
        assert_eq!(overflows.look_between(1_128), 7);
        // The last reading was a moment ago, whatever the speed of this test.
        overflows.read_at += Duration::from_mins(1);
        COUNTED.set(Some(18));
        assert_eq!(overflows.look_between(1_129), 0);
        assert_eq!(overflows.end_period(1_130), 1);
    }
}
