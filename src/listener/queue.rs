//! The queue of connections that the kernel keeps until they are accepted.

use std::{fs, io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// What Linux allows since 5.4, if it does not say.
const USUAL_LENGTH: u32 = 4096;

/// Binds an address. The accept queue is as long as the system allows: thousands of connections may come
/// before the next is accepted, and one that finds the queue full comes a second late.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(longest())
}

/// The longest accept queue that the system allows: `net.core.somaxconn`.
pub(super) fn longest() -> u32 {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    let length = text.and_then(|text| text.trim().parse().ok());
    length.filter(|length| *length > 0).unwrap_or(USUAL_LENGTH)
}

/// Tells overflows of one accept queue from those of other processes. The kernel counts them for the
/// whole network namespace; a queue that was full, though, has since given as many connections as it holds.
#[derive(Debug)]
pub(super) struct Overflows {
    length: u64,
    /// Connections that were accepted, at the last two looks.
    accepted: [u64; 2],
    /// Overflows of the namespace at the last look.
    seen: u64,
    /// Of them those of the look before whose owner is not known.
    unclear: u64,
}

impl Overflows {
    pub(super) fn new(length: u32, overflows: u64) -> Self {
        Self {
            length: length.into(),
            accepted: [0; 2],
            seen: overflows,
            unclear: 0,
        }
    }

    /// How many overflows since the last looks were those of this queue. Both numbers only grow.
    pub(super) fn look(&mut self, overflows: u64, accepted: u64) -> u64 {
        let new = overflows.saturating_sub(self.seen);
        let lately = accepted.saturating_sub(self.accepted[0]);
        self.seen = overflows;
        self.accepted = [self.accepted[1], accepted];
        let known = new + self.unclear;
        if lately >= self.length {
            self.unclear = 0;
            known
        } else {
            self.unclear = new;
            0
        }
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn overflows_are_those_of_a_queue_that_has_just_given_as_many_as_it_holds() {
        let mut overflows = Overflows::new(128, 1_000);
        assert_eq!(overflows.look(1_000, 50), 0);
        // Somebody else's.
        assert_eq!(overflows.look(1_007, 90), 0);
        // Full in this second, and emptied in the next.
        assert_eq!(overflows.look(1_010, 100), 0);
        assert_eq!(overflows.look(1_012, 240), 5);
        // Told once.
        assert_eq!(overflows.look(1_012, 300), 0);
        assert_eq!(overflows.look(1_013, 301), 0);
    }
}
