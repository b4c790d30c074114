//! Actions at intervals.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Calls `act` at intervals, with the time and by how much it is late.
pub(super) async fn every(
    interval: Duration,
    until: CancellationToken,
    mut act: impl FnMut(Instant, Duration),
) {
    let mut due = Instant::now() + interval;
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = sleep_until(due) => {
                let now = Instant::now();
                act(now, now.saturating_duration_since(due));
                due = now + interval;
            }
        }
    }
}
