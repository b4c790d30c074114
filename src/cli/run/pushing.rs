//! The results of a run, on their way to a time-series database.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::output::tell,
    event::{Observers, PushLoss},
    load::{Measure, Threshold},
    push::{PushIntake, PushSettings, Pushed, Pusher},
    record::Boundaries,
    runner::RunHandle,
    scenario::Drivers,
    units::counted,
};

/// How long the rest may take once the run has ended.
const REST: Duration = Duration::from_secs(10);

/// A run that is pushed.
pub(super) struct Pushing {
    receiver: String,
    intake: PushIntake,
    run_is_over: CancellationToken,
    task: JoinHandle<Pushed>,
}

impl Pushing {
    /// Begins; limits of thresholds are boundaries of histograms besides the usual ones.
    pub(super) fn start(
        settings: PushSettings,
        thresholds: &[Threshold],
        drivers: &Drivers,
    ) -> Self {
        let receiver = settings.shown();
        let pusher = Pusher::new(settings, &boundaries(thresholds), drivers);
        let run_is_over = CancellationToken::new();
        Self {
            receiver,
            intake: pusher.intake(),
            task: tokio::spawn(pusher.push(Observers::default(), run_is_over.clone(), REST)),
            run_is_over,
        }
    }

    /// The run that is pushed.
    pub(super) fn take(&self, run: &RunHandle) {
        self.intake.take(run);
    }

    /// Pushes what is left of a run that has ended, and says what became of all of it.
    pub(super) async fn finish(self) {
        self.run_is_over.cancel();
        match self.task.await {
            Ok(pushed) => tell(in_words(&pushed, &self.receiver)),
            Err(error) => tell(format_args!("what pushes results broke: {error}")),
        }
    }
}

fn boundaries(thresholds: &[Threshold]) -> Boundaries {
    let limits: Vec<_> = thresholds
        .iter()
        .filter_map(|threshold| match threshold.measure() {
            Measure::Latency { limit, .. } => Some(limit),
            Measure::Failed(_) => None,
        })
        .collect();
    Boundaries {
        step: limits.clone(),
        chat: limits,
        ..Boundaries::default()
    }
}

fn in_words(pushed: &Pushed, receiver: &str) -> String {
    let figures = &pushed.figures;
    let written = format!(
        "pushed {} to {receiver}",
        counted(figures.written, "sample")
    );
    let lost: Vec<_> = figures
        .losses()
        .filter(|(_, samples)| *samples > 0)
        .map(|(reason, samples)| format!("{samples} {}", reason_in_words(reason)))
        .collect();
    match (&lost[..], &pushed.trouble) {
        ([], _) => written,
        (lost, None) => format!("{written}; lost {}", lost.join(", ")),
        (lost, Some(trouble)) => format!("{written}; lost {}: {trouble}", lost.join(", ")),
    }
}

fn reason_in_words(reason: PushLoss) -> &'static str {
    match reason {
        PushLoss::QueueFull => "that fell out of the full queue",
        PushLoss::Refused => "refused",
        PushLoss::Unsent => "not taken in time",
        PushLoss::TooManySeries => "of too many series",
        PushLoss::Overload => "asked for too late",
    }
}
