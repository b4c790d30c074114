//! A failed chat as people see it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    event::{FailedChat, FrameTrace, Mode, RunIdentity, TracedStep},
    scenario::{ActionTrace, Nth, Presenter, Reason},
    target::{MASK, Redaction},
};

/// A failed chat in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureSummary {
    /// Where to find all of it: `/api/v1/failures/{id}`.
    pub id: String,
    /// Its run.
    pub run: String,
    /// The name of its probe or burst.
    pub name: String,
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// Probe or burst.
    pub mode: Mode,
    /// The chat's number in its run; zero for the setup of a burst.
    pub chat: u64,
    /// When, RFC 3339.
    pub failed_at: String,
    /// The step that failed.
    pub step: String,
    /// Its reason.
    pub reason: Reason,
    /// What exactly went wrong.
    pub detail: String,
    /// What the target calls this chat.
    pub correlation: BTreeMap<String, String>,
}

/// A failed chat, step by step. Secrets, and what has a name that says token, password, key or the like,
/// are replaced by `***`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureReport {
    /// Where to find it: `/api/v1/failures/{id}`.
    pub id: String,
    /// Its run.
    pub run: String,
    /// The name of its probe or burst.
    pub name: String,
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// Probe or burst.
    pub mode: Mode,
    /// The chat's number in its run; zero for the setup of a burst.
    pub chat: u64,
    /// When, RFC 3339.
    pub failed_at: String,
    /// From the start of the chat to then, in seconds.
    pub seconds: f64,
    /// The step that failed.
    pub step: String,
    /// Its reason.
    pub reason: Reason,
    /// What exactly went wrong.
    pub detail: String,
    /// What the target calls this chat.
    pub correlation: BTreeMap<String, String>,
    /// Whether every step is here; else the budget of traces was used up before the first ones.
    pub whole: bool,
    /// The steps in their order.
    pub steps: Vec<StepTrace>,
    /// The latest frames of the chat and the ends of its connections, in their order, until its steps were over.
    #[serde(default)]
    pub frames: Vec<FrameTrace>,
    /// How many came before these and are not kept.
    #[serde(default)]
    pub frames_dropped: u64,
}

/// One step of a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepTrace {
    /// The step.
    pub step: String,
    /// The branches of choices that led to it, the outermost first.
    #[serde(default)]
    pub branches: Vec<Nth>,
    /// Which attempt at it this was; null for a step that is attempted once only.
    #[serde(default)]
    pub attempt: Option<Nth>,
    /// Its track, if it went on beside others.
    #[serde(default)]
    pub track: Option<String>,
    /// When it began, in seconds after the chat did; null where that is not known.
    pub began: Option<f64>,
    /// How long it took, in seconds; null where that is not known.
    pub seconds: Option<f64>,
    /// Whether it was cut short, because a step of another track failed.
    #[serde(default)]
    pub stopped: bool,
    /// Why it did not pass; null if it did.
    pub reason: Option<Reason>,
    /// What exactly went wrong.
    pub detail: Option<String>,
    /// What was sent and seen.
    #[serde(flatten)]
    pub action: ActionTrace,
}

impl From<&FailureReport> for FailureSummary {
    fn from(report: &FailureReport) -> Self {
        let report = report.clone();
        Self {
            id: report.id,
            run: report.run,
            name: report.name,
            scenario: report.scenario,
            target: report.target,
            mode: report.mode,
            chat: report.chat,
            failed_at: report.failed_at,
            step: report.step,
            reason: report.reason,
            detail: report.detail,
            correlation: report.correlation,
        }
    }
}

/// A failed chat with its run.
#[derive(Debug, Clone)]
pub(super) struct KeptFailure {
    pub(super) run: Arc<RunIdentity>,
    pub(super) chat: Arc<FailedChat>,
}

impl KeptFailure {
    /// About what its trace takes in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        self.chat.trace.bytes()
    }
}

impl FailureReport {
    /// What may be seen of it.
    pub(super) fn of(failure: &KeptFailure) -> Self {
        let KeptFailure { run, chat } = failure;
        let redaction = chat.trace.redaction();
        let subject = &run.subject;
        let correlation = chat.correlation.iter();
        Self {
            id: run.chat_id(chat.chat),
            run: run.id.clone(),
            name: run.name.to_string(),
            scenario: subject.scenario.to_string(),
            target: subject.target.to_string(),
            mode: subject.mode,
            chat: chat.chat,
            failed_at: chat.failed_at.to_string(),
            seconds: chat.duration.as_secs_f64(),
            step: chat.failure.step.to_string(),
            reason: chat.failure.reason,
            detail: redaction.redact(chat.failure.detail.clone()),
            correlation: correlation
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
            whole: chat.trace.whole,
            steps: (chat.trace.steps.iter())
                .map(|step| StepTrace::of(step, &redaction))
                .collect(),
            frames: chat.trace.frames.present(&redaction),
            frames_dropped: chat.trace.frames.dropped,
        }
    }
}

impl StepTrace {
    fn of(step: &TracedStep, redaction: &Redaction) -> Self {
        let refused = step.refused.as_ref();
        let presenter = Presenter {
            excerpt: &|beginning| redaction.excerpt(beginning),
            redact: &|text| redaction.redact(text),
            mask: MASK,
        };
        Self {
            step: step.step.to_string(),
            branches: step
                .branches
                .iter()
                .flat_map(|branches| branches.iter().copied())
                .collect(),
            attempt: step.attempt,
            track: step.track.as_ref().map(ToString::to_string),
            began: step.begun.map(|begun| begun.as_secs_f64()),
            seconds: step.took.map(|took| took.as_secs_f64()),
            stopped: step.stopped,
            reason: refused.map(|refused| refused.0),
            detail: refused.map(|refused| redaction.redact(refused.1.clone())),
            action: (step.action.as_ref())
                .map(|action| action.present(&presenter))
                .unwrap_or_default(),
        }
    }
}
