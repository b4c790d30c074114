//! The end of a run before its time, asked for by a signal.

use std::{fs, io, time::Duration};

use tokio::time::{timeout, timeout_at};

use crate::{
    cli::{
        output::tell,
        signals::{LAST_GRACE, SignalRequest, Signals},
    },
    event::EndedBy,
    runner::{Order, RunHandle, Stop},
    units::duration,
};

/// How long the `always` steps may take once the answers are there, and the teardown once more.
const CLEANUP: Duration = Duration::from_secs(5);
/// How long a run that gives up everything may take to count it, from the second signal on. What is left of
/// [`LAST_GRACE`] is for the report.
const LAST_MOMENT: Duration = Duration::from_millis(700);
const _: () = assert!(LAST_MOMENT.as_millis() < LAST_GRACE.as_millis());

/// The signals that end a run.
pub(super) struct Interruption {
    signals: Signals,
    /// Whether the end of the terminal ends the run. It does not where SIGHUP was ignored from the beginning,
    /// as under `nohup`.
    hangup_ends: bool,
    /// How long answers of requests that are on their way are waited for.
    grace: Duration,
}

impl Interruption {
    pub(super) fn new(grace: Duration) -> io::Result<Self> {
        // Before there is a handler, which would take the place of that.
        let hangup_ends = !ignores_hangup();
        Ok(Self {
            signals: Signals::new()?,
            hangup_ends,
            grace,
        })
    }

    /// Completes with the first signal that ends the run, and says which one it is.
    pub(super) async fn asked(&mut self) -> EndedBy {
        loop {
            match self.signals.next().await {
                SignalRequest::End(signal) => return signal,
                SignalRequest::Reload if self.hangup_ends => return EndedBy::Sighup,
                SignalRequest::Reload => {}
            }
        }
    }

    /// Ends the run: nothing begins any more, answers that are on their way are waited for, then chats are
    /// closed by their `always` steps and the run by its teardown. A second signal gives all of that up. The
    /// end of the terminal, which may follow upon another signal, is no second one. A run that is not over when all
    /// these times are is left as it is.
    pub(super) async fn end(mut self, run: &RunHandle, signal: EndedBy) {
        let grace = duration::exact(self.grace);
        let stop = Stop::End {
            answers: self.grace,
            cleanup: CLEANUP,
        };
        let most = self.grace.saturating_add(CLEANUP * 2 + LAST_MOMENT);
        let ending = timeout(most, async {
            // A run that has just ended needs no order.
            let _ = run.order(Order::Stop(stop, signal)).await;
            run.ended().await;
        });
        let second = async {
            self.signals.settle().await;
            tell(format_args!(
                "{}: nothing new begins, answers on their way are waited for up to {grace}, then the chats in \
                 progress are closed; once more to end at once",
                signal.in_words()
            ));
            self.signals.second().await
        };
        let asked_again = tokio::select! {
            // Whether it was in time shows in the run.
            _ = ending => return,
            moment = second => moment,
        };
        let giving_up = async {
            let _ = run.order(Order::Stop(Stop::AT_ONCE, signal)).await;
            run.ended().await;
        };
        let _ = timeout_at(asked_again + LAST_MOMENT, giving_up).await;
    }
}

/// Whether whoever started the process wants it to outlive the terminal.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is the first of the signals.
    ignored.is_some_and(|mask| mask & 1 == 1)
}
