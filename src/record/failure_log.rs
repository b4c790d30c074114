use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{info, warn};

use crate::{
    event::{
        Ending, Failure, Mode, Observer, RunEvent, RunIdentity, RunObserver, ServiceEvent, Subject,
        Verdict,
    },
    line_budget::LineBudget,
    scenario::Scenario,
};

/// Logs failed chats, bursts, and probes whose outcome changes.
///
/// A target that is down makes thousands of chats fail alike; a few lines say as much as all of
/// them, and those that are left out are counted.
#[derive(Default)]
pub struct FailureLog(Mutex<HashMap<Subject, Logged>>);

/// What the log knows of a subject.
#[derive(Default)]
struct Logged {
    failures: LineBudget,
    /// How the last run of a probe ended.
    success: Option<bool>,
}

impl FailureLog {
    /// Forgets subjects that are not kept.
    fn retain(&self, keep: impl Fn(&Subject) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|subject, _| keep(subject));
    }

    fn change<T>(&self, subject: &Subject, change: impl FnOnce(&mut Logged) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(logged) = all.get_mut(subject) {
            return change(logged);
        }
        change(all.entry(subject.clone()).or_default())
    }

    fn chat_failed(
        &self,
        run: &RunIdentity,
        chat: u64,
        failure: &Failure,
        correlation: &[(Arc<str>, String)],
    ) {
        let Some(left_out) = self.change(&run.subject, |logged| logged.failures.admit()) else {
            return;
        };
        let Failure {
            step,
            reason,
            detail,
        } = failure;
        warn!(
            scenario = %run.subject.scenario,
            target = %run.subject.target,
            mode = run.subject.mode.as_str(),
            run = %run.id,
            chat,
            step = %step,
            reason = %reason,
            detail = %detail,
            correlation = %pairs(correlation),
            failure = %run.chat_id(chat),
            "chat failed{}",
            and_more(left_out),
        );
    }

    fn run_ended(
        &self,
        run: &RunIdentity,
        verdict: Verdict,
        reason: Option<&str>,
        all_passed: bool,
    ) {
        let subject = &run.subject;
        let left_out = self.change(subject, |logged| logged.failures.take_left_out());
        let (scenario, target) = (&*subject.scenario, &*subject.target);
        let (id, name) = (&*run.id, &*run.name);
        if left_out > 0 {
            let mode = subject.mode.as_str();
            let number = grouped(left_out);
            warn!(
                scenario,
                target,
                mode,
                run = id,
                "failed chats left out: {number}"
            );
        }
        match subject.mode {
            Mode::Burst => {
                let verdict = verdict.as_str();
                info!(
                    burst = name,
                    scenario,
                    target,
                    run = id,
                    verdict,
                    reason,
                    "burst ended"
                );
            }
            Mode::Probe => self.probe_ended(run, verdict, all_passed),
        }
    }

    /// Says so where the outcome is another than last time; a run that was stopped or invalid has
    /// none.
    fn probe_ended(&self, run: &RunIdentity, verdict: Verdict, success: bool) {
        if matches!(verdict, Verdict::Stopped | Verdict::Invalid) {
            return;
        }
        let subject = &run.subject;
        let (scenario, target) = (&*subject.scenario, &*subject.target);
        let (run, probe) = (&*run.id, &*run.name);
        match (
            self.change(subject, |logged| logged.success.replace(success)),
            success,
        ) {
            (None, true) => info!(
                probe,
                scenario, target, run, "probe succeeded for the first time"
            ),
            (Some(false), true) => info!(probe, scenario, target, run, "probe recovered"),
            // A failed setup fails no chat, so nothing else may have warned.
            (None | Some(true), false) => warn!(probe, scenario, target, run, "probe is failing"),
            (Some(true), true) | (Some(false), false) => {}
        }
    }
}

impl Observer for FailureLog {
    fn observe_service(&self, event: &ServiceEvent) {
        if let ServiceEvent::ConfigurationAccepted(declarations) = event {
            self.retain(|subject| declarations.may_measure(subject));
        }
    }

    fn of_run(self: Arc<Self>, _: &Arc<RunIdentity>, _: &Scenario) -> Option<Arc<dyn RunObserver>> {
        Some(self)
    }

    fn of_mixed_run(self: Arc<Self>, _: &Arc<RunIdentity>) -> Option<Arc<dyn RunObserver>> {
        Some(self)
    }
}

impl RunObserver for FailureLog {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        match event {
            RunEvent::Started if run.subject.mode == Mode::Burst => {
                let (scenario, target) = (&*run.subject.scenario, &*run.subject.target);
                let (id, burst) = (&*run.id, &*run.name);
                info!(burst, scenario, target, run = id, "burst started");
            }
            RunEvent::ChatEnded {
                chat,
                ending: Ending::Failed(failure),
                correlation,
                ..
            } => self.chat_failed(run, *chat, failure, correlation),
            RunEvent::Ended {
                verdict,
                reason,
                all_passed,
                ..
            } => self.run_ended(run, *verdict, reason.as_deref(), *all_passed),
            _ => {}
        }
    }
}

fn pairs(correlation: &[(Arc<str>, String)]) -> String {
    let mut text = String::new();
    for (name, value) in correlation {
        let gap = if text.is_empty() { "" } else { " " };
        // Values come from the target; quoted, none of them can pass for another pair.
        let written = write!(text, "{gap}{name}={value:?}");
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    text
}

fn and_more(left_out: u64) -> String {
    match left_out {
        0 => String::new(),
        count => format!(", and {} more like it", grouped(count)),
    }
}

/// `4312` as `4,312`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
