use std::time::Duration;

use super::Tally;
use crate::{
    config::HealthBudget,
    event::{Failure, Verdict},
    load::{Judgement, Threshold},
    scenario::Reason,
    units::duration,
};

/// What happened to a run besides its chats.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) setup_failed: Option<Failure>,
    pub(super) stopped: bool,
    pub(super) aborted: bool,
    /// Chats whose task broke: a bug, and their books may be off.
    pub(super) broken_chats: u64,
}

/// The verdict of a run that is over, and why.
pub(super) fn judge(
    tally: &Tally,
    course: &Course,
    thresholds: &[Threshold],
    budget: &HealthBudget,
) -> (Verdict, Vec<String>) {
    let mut invalid = tally.differences();
    for difference in &invalid {
        tracing::error!(run = %tally.identity().id, "the books do not balance, which is a bug: {difference}");
    }
    let (lateness, lag) = tally.health();
    for (what, measured, limit) in [
        ("chats started", lateness, budget.start_lateness_p99),
        ("the run's heartbeat came", lag, budget.scheduler_lag_p99),
    ] {
        if measured > limit {
            invalid.push(format!(
                "the generator was starved: {what} up to {} late (99th percentile; the budget is {})",
                duration::format(Duration::from_millis(millis(measured))),
                duration::format(limit)
            ));
        }
    }
    if course.broken_chats > 0 {
        invalid.push(format!(
            "{} chats broke inside chatprobe",
            course.broken_chats
        ));
    }
    let chats = tally.chats();
    let internal = chats.failed_by_reason.get(&Reason::Internal).unwrap_or(&0);
    let own = internal.saturating_sub(course.broken_chats);
    if own > 0 {
        invalid.push(format!(
            "{own} chats failed because chatprobe could not go on (reason `internal`); the target is not to blame"
        ));
    }
    if !invalid.is_empty() {
        return (Verdict::Invalid, invalid);
    }
    if let Some(failure) = &course.setup_failed {
        return (
            Verdict::Failed,
            vec![format!("the setup failed: {failure}")],
        );
    }
    let mut broken = broken_thresholds(tally, thresholds);
    if course.aborted {
        broken.insert(
            0,
            "ended early: a threshold with `abort` was broken".to_owned(),
        );
        return (Verdict::Failed, broken);
    }
    if course.stopped {
        return (Verdict::Stopped, vec!["somebody stopped it".to_owned()]);
    }
    if thresholds.is_empty() && chats.failed > 0 {
        broken.push(format!(
            "{} of {} chats failed",
            chats.failed, chats.started
        ));
    }
    if chats.started == 0 {
        broken.push("no chat was started".to_owned());
    }
    if broken.is_empty() {
        (Verdict::Passed, broken)
    } else {
        (Verdict::Failed, broken)
    }
}

fn broken_thresholds(tally: &Tally, thresholds: &[Threshold]) -> Vec<String> {
    thresholds
        .iter()
        .filter_map(
            |threshold| match threshold.judge(tally.measure(threshold)) {
                Judgement::Held => None,
                Judgement::Broken => Some(format!("broken: {threshold}")),
                // A latency of nothing is no success: a failure is never fast.
                Judgement::NoData => Some(format!("nothing measured for: {threshold}")),
            },
        )
        .collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
