use std::time::Duration;

use super::{HealthBudget, SearchOutcome, Snapshot, measurements::Measurements};
use crate::{
    event::{DeliveryFate, EndedBy, Failure, Verdict},
    load::{Judgement, Threshold},
    units::{counted, duration},
};

/// Requests that waited longer than this for a connection may be why thresholds broke.
const WORTH_A_WORD: Duration = Duration::from_millis(100);

/// What happened to a run besides its chats.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) setup_failed: Option<Failure>,
    /// What stopped it, if something did.
    pub(super) stopped: Option<EndedBy>,
    /// Whether its load was through by then: what stopped it counts only if a chat was cut short.
    pub(super) stopped_late: bool,
    pub(super) aborted: bool,
    /// Chats whose task broke: a bug, and their counts may be wrong.
    pub(super) broken_chats: u64,
    /// What is said if a chat was due for which there was no row.
    pub(super) rows_ran_out: Option<String>,
    /// Connections to this process that the kernel dropped meanwhile because an accept queue was full.
    pub(super) dropped_connections: u64,
    /// What its search came to, in words too, if it is one.
    pub(super) search: Option<(Option<SearchOutcome>, String)>,
}

/// The verdict of a run that is over and stands like this, and why.
pub(super) fn judge(
    run: &Snapshot,
    course: &Course,
    thresholds: &[Threshold],
    budget: &HealthBudget,
) -> (Verdict, Vec<String>) {
    let invalid = why_invalid(run, course, budget);
    if !invalid.is_empty() {
        return (Verdict::Invalid, invalid);
    }
    if let Some(failure) = &course.setup_failed {
        let why = format!("{}: {failure}", EndedBy::Setup.in_words());
        return (Verdict::Failed, vec![why]);
    }
    if let (Some((outcome, summary)), None) = (&course.search, course.stopped) {
        return match outcome {
            Some(SearchOutcome::Limit | SearchOutcome::HeldToTheEnd) => {
                (Verdict::Passed, Vec::new())
            }
            Some(SearchOutcome::NotEvenTheFirst | SearchOutcome::Generator) | None => {
                (Verdict::Failed, vec![summary.clone()])
            }
        };
    }
    let mut broken = broken_thresholds(run, thresholds);
    if course.aborted {
        broken.insert(0, EndedBy::Threshold.in_words().to_owned());
        return (Verdict::Failed, broken);
    }
    if let Some(by) = course.stopped {
        return (Verdict::Stopped, vec![by.in_words().to_owned()]);
    }
    let measured = &run.measured;
    let (started, failed) = (measured.started, measured.chats.failed());
    if thresholds.is_empty() && failed > 0 {
        broken.push(format!("{failed} of {started} chats failed"));
    }
    let lost = measured.deliveries.of(DeliveryFate::Lost);
    if thresholds.is_empty() && lost > 0 {
        let expected = measured.deliveries.expected;
        broken.push(format!(
            "{lost} of {expected} expected deliveries were lost"
        ));
    }
    if started == 0 {
        broken.push("no chat was started".to_owned());
    }
    let waited = measured.connection_wait.at(0.99);
    if !broken.is_empty() && waited > WORTH_A_WORD {
        broken.push(format!(
            "requests waited for a connection up to {} (99th percentile): the target is slow, or its `connections` \
             allow too few",
            duration::rounded(waited)
        ));
    }
    if broken.is_empty() {
        (Verdict::Passed, broken)
    } else {
        (Verdict::Failed, broken)
    }
}

/// Why the figures say nothing about the target.
fn why_invalid(run: &Snapshot, course: &Course, budget: &HealthBudget) -> Vec<String> {
    let measured = &run.measured;
    let mut reasons = measured.differences();
    for difference in &reasons {
        tracing::error!(run = %run.id(), "counts do not agree, which is a bug: {difference}");
    }
    reasons.extend(Delays::of(measured).beyond(budget));
    reasons.extend(measured.health.beyond(budget));
    reasons.extend(course.rows_ran_out.clone());
    if let Some((Some(SearchOutcome::Generator), summary)) = &course.search {
        reasons.push(summary.clone());
    }
    if course.dropped_connections > 0 {
        reasons.push(format!(
            "the accept queue of chatprobe itself was full: {} connections were dropped, and came a second late or \
             not at all; a larger `sysctl net.core.somaxconn` and a restart make it longer",
            course.dropped_connections
        ));
    }
    if course.broken_chats > 0 {
        reasons.push(format!(
            "{} broke inside chatprobe",
            counted(course.broken_chats, "chat")
        ));
    }
    let own = measured.internal().saturating_sub(course.broken_chats);
    if own > 0 {
        reasons.push(format!(
            "{} failed because chatprobe could not go on (reason `internal`); the target is not to blame",
            counted(own, "chat")
        ));
    }
    reasons
}

/// How late the generator was itself: 99th percentiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    start: Duration,
    send: Duration,
    lag: Duration,
    read: Duration,
}

impl Delays {
    pub(super) fn of(measured: &Measurements) -> Self {
        Self {
            start: measured.start_lateness.at(0.99),
            send: measured.send_lateness.at(0.99),
            lag: measured.scheduler_lag.at(0.99),
            read: (measured.read_delay.at(0.99)).max(measured.sockets.read_delay.at(0.99)),
        }
    }

    /// Those beyond the budget.
    pub(super) fn beyond(&self, budget: &HealthBudget) -> Vec<String> {
        let delays = [
            ("chats started", self.start, budget.start_lateness_p99),
            ("requests were sent", self.send, budget.send_lateness_p99),
            (
                "the run's heartbeat came",
                self.lag,
                budget.scheduler_lag_p99,
            ),
            (
                "answers, events or frames that had arrived were read",
                self.read,
                budget.read_delay_p99,
            ),
        ];
        let beyond = delays
            .iter()
            .filter(|(_, measured, limit)| measured > limit);
        let told = beyond.map(|(what, measured, limit)| {
            format!(
                "the load generator was saturated: {what} up to {} late (99th percentile; the budget is {})",
                duration::rounded(*measured),
                duration::exact(*limit)
            )
        });
        told.collect()
    }
}

fn broken_thresholds(run: &Snapshot, thresholds: &[Threshold]) -> Vec<String> {
    thresholds
        .iter()
        .filter_map(|threshold| match threshold.judge(run.measure(threshold)) {
            Judgement::Held => None,
            Judgement::Broken => Some(format!("broken: {threshold}")),
            // A latency of nothing is no success: a failure is never fast.
            Judgement::NoData => Some(format!("nothing measured for: {threshold}")),
        })
        .collect()
}
