use std::{io, sync::Arc, thread, time::Duration};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator,
    low_level::exit,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{Instant, timeout},
};

use super::Outcome;
use crate::event::EndedBy;

/// How long the process may take to end by itself once it was asked to a second time.
pub(super) const LAST_GRACE: Duration = Duration::from_secs(1);

/// `timeout` sends a signal to the process and once more to its group, and a service manager may send another
/// one at once. What comes within this time of the first request to end is no second one.
const REPETITION: Duration = Duration::from_millis(50);

/// What the operating system asks of the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    second: SecondRequest,
}

/// When the second request to end was noticed: by the runtime or by the thread that ends the process, whichever was
/// first. What the process may still do is measured from there by both.
#[derive(Debug, Clone, Default)]
struct SecondRequest(Arc<watch::Sender<Option<Instant>>>);

impl SecondRequest {
    /// Notices it, if nobody has; the moment at which it was noticed first.
    fn notice(&self) -> Instant {
        let mut noticed = Instant::now();
        self.0
            .send_modify(|moment| noticed = *moment.get_or_insert(noticed));
        noticed
    }

    /// Waits until it is noticed.
    async fn noticed(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalRequest {
    /// SIGTERM or SIGINT, whichever it was.
    End(EndedBy),
    /// SIGHUP.
    Reload,
}

impl Signals {
    /// Listens from now on. The second request to end is heard whatever becomes of the runtime.
    pub(super) fn new() -> io::Result<Self> {
        let second = SecondRequest::default();
        end_after(second.clone())?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            second,
        })
    }

    pub(super) async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            _ = self.terminate.recv() => SignalRequest::End(EndedBy::Sigterm),
            _ = self.interrupt.recv() => SignalRequest::End(EndedBy::Sigint),
            _ = self.hangup.recv() => SignalRequest::Reload,
        }
    }

    /// Waits for a request to end.
    pub(super) async fn end(&mut self) {
        while !matches!(self.next().await, SignalRequest::End(_)) {}
    }

    /// Waits for the second request to end, once the first one has settled; the moment at which it was noticed, from
    /// which the process has [`LAST_GRACE`].
    pub(super) async fn second(&mut self) -> Instant {
        let second = self.second.clone();
        tokio::select! {
            () = self.end() => {}
            () = second.noticed() => {}
        }
        second.notice()
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
fn end_after(second: SecondRequest) -> io::Result<()> {
    let mut signals = iterator::Signals::new([SIGTERM, SIGINT])?;
    let watch = move || {
        let mut first = None;
        let is_second = |_| first.get_or_insert_with(Instant::now).elapsed() > REPETITION;
        if signals.forever().any(is_second) {
            thread::sleep(LAST_GRACE.saturating_sub(second.notice().elapsed()));
            exit(i32::from(Outcome::Interrupted as u8));
        }
    };
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(watch).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_notices_the_second_request_later_has_the_moment_of_the_first() {
        let second = SecondRequest::default();
        let thread = second.clone();
        let runtime = tokio::spawn(async move {
            second.noticed().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            (second.notice(), Instant::now())
        });
        tokio::task::yield_now().await;
        assert!(!runtime.is_finished());
        let moment = thread.notice();
        let (noticed, now) = runtime.await.unwrap();
        assert_eq!(noticed, moment);
        assert_eq!(now - moment, Duration::from_millis(300));
    }
}
