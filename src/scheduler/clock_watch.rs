//! Schedules after the clock of the computer has been set.

use std::{sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;

use super::{handle::Shared, wall_clock::WallClock};

/// How often the clock is looked at for having been set.
const LOOK: Duration = Duration::from_secs(1);

impl Shared {
    /// Plans all starts anew when the clock has been set: jobs wait for a time that the clock shows.
    pub(super) async fn watch_clock(self: Arc<Self>) {
        let mut clock = WallClock::new(Utc::now(), Instant::now());
        let closing = &self.launcher.closing;
        while closing
            .run_until_cancelled(tokio::time::sleep(LOOK))
            .await
            .is_some()
        {
            let Some(leap) = clock.leap(Utc::now(), Instant::now()) else {
                continue;
            };
            let cause = if leap < TimeDelta::zero() {
                "the clock of this computer was set back"
            } else {
                "the clock of this computer was set forward, or the computer was suspended"
            };
            let seconds = leap.num_seconds().abs();
            tracing::warn!(seconds, "{cause}: starts of bursts are planned anew");
            let cron = self.cron.lock().await;
            let plan = self.launcher.plan();
            if let Some(clock) = &*cron
                && let Err(error) = clock.follow(&plan.bursts).await
            {
                tracing::error!("not every burst will start on its schedule: {error}");
            }
        }
    }
}
