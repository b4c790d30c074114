use std::{io, thread, time::Duration};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator,
    low_level::exit,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout},
};

use super::Outcome;
use crate::event::EndedBy;

/// How long the process may take to end by itself once it was asked to a second time.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// `timeout` sends a signal to the process and once more to its group, and a service manager may send another
/// one at once. What comes within this time of the first request to end is no second one.
const REPETITION: Duration = Duration::from_millis(50);

/// What the operating system asks of the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM or SIGINT, whichever it was.
    End(EndedBy),
    /// SIGHUP.
    Reload,
}

impl Signals {
    /// Listens from now on. The second request to end is heard whatever becomes of the runtime.
    pub(super) fn new() -> io::Result<Self> {
        end_at_second_request()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End(EndedBy::Sigterm),
            _ = self.interrupt.recv() => Asked::End(EndedBy::Sigint),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    pub(super) async fn end(&mut self) {
        while !matches!(self.next().await, Asked::End(_)) {}
    }

    /// Waits until what comes next is a second request to end, and not the first one repeated.
    pub(super) async fn settle(&mut self) {
        let all = async {
            loop {
                self.next().await;
            }
        };
        // The loop has no end of its own.
        let _ = timeout(REPETITION, all).await;
    }
}

/// Ends the process some time after the second SIGTERM or SIGINT, from a thread of its own: the runtime may
/// be busy with something that does not end.
fn end_at_second_request() -> io::Result<()> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT])?;
    let watch = move || {
        let mut first = None;
        let is_second = |_| first.get_or_insert_with(Instant::now).elapsed() > REPETITION;
        if signals.forever().any(is_second) {
            thread::sleep(LAST_GRACE);
            exit(i32::from(Outcome::Interrupted as u8));
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(watch).map(drop)
}
