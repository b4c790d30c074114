//! A failed chat as people see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::excerpt::Excerpt;
use crate::{
    config::{MASK, Redaction},
    driver::Phases,
    event::{Beginning, FailedChat, Mode, TracedAnswer, TracedEvent, TracedRequest, TracedStep},
    scenario::{Reason, is_confidential, note_confidential},
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
    /// Whether every step is here; else there was no room for the first ones.
    pub whole: bool,
    /// The steps in their order.
    pub steps: Vec<StepTrace>,
}

/// One step of a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepTrace {
    /// The step.
    pub step: String,
    /// When it began, in seconds after the chat did; null where that is not known.
    pub began: Option<f64>,
    /// How long it took, in seconds; null where that is not known.
    pub seconds: Option<f64>,
    /// Why it did not pass; null if it did.
    pub reason: Option<Reason>,
    /// What exactly went wrong.
    pub detail: Option<String>,
    /// What was sent.
    pub request: Option<RequestTrace>,
    /// How often it was sent once more, because the target closed the connection under it.
    #[serde(default)]
    pub resent: u32,
    /// What the time of the request went into; without lookup, connect and TLS if its connection was open
    /// already.
    #[serde(default)]
    pub phases: Vec<PhaseTrace>,
    /// What was answered.
    pub answer: Option<AnswerTrace>,
    /// Events that it looked at.
    pub events: Vec<EventTrace>,
}

/// A request of a failed chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestTrace {
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body; null without one.
    pub body: Option<Excerpt>,
}

/// A phase of a request of a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PhaseTrace {
    /// `lookup`, `connect`, `tls` or `first_byte`.
    pub phase: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it was finished; the request failed in the other one.
    pub finished: bool,
}

/// An answer to a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerTrace {
    /// The status code.
    pub status: u16,
    /// How long it took, in seconds, from when it was asked for.
    pub seconds: f64,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The addresses that redirects led to, the last of which gave this answer.
    #[serde(default)]
    pub redirects: Vec<String>,
    /// The body.
    pub body: Excerpt,
}

/// An event for a failed chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventTrace {
    /// When it arrived, in seconds after the chat began; null where that is not known.
    pub arrived: Option<f64>,
    /// Whether it is what the step waited for.
    pub wanted: bool,
    /// What it says, as JSON.
    pub event: Excerpt,
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

impl FailureReport {
    /// What may be seen of it.
    pub(super) fn of(chat: &FailedChat) -> Self {
        let mut values = chat.trace.masks.clone();
        for step in &chat.trace.steps {
            note_step(step, &mut values);
        }
        let redaction = chat.trace.target.redaction_besides(&values);
        let subject = &chat.run.subject;
        let correlation = chat.correlation.iter();
        Self {
            id: chat.run.chat_id(chat.chat),
            run: chat.run.id.clone(),
            name: chat.run.name.to_string(),
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
        }
    }
}

impl StepTrace {
    fn of(step: &TracedStep, redaction: &Redaction) -> Self {
        let refused = step.refused.as_ref();
        Self {
            step: step.step.to_string(),
            began: step.begun.map(|begun| begun.as_secs_f64()),
            seconds: step.took.map(|took| took.as_secs_f64()),
            reason: refused.map(|refused| refused.0),
            detail: refused.map(|refused| redaction.redact(refused.1.clone())),
            request: (step.request.as_ref()).map(|request| RequestTrace::of(request, redaction)),
            resent: step.resent,
            phases: PhaseTrace::of(&step.phases),
            answer: (step.answer.as_ref()).map(|answer| AnswerTrace::of(answer, redaction)),
            events: (step.events.iter())
                .map(|event| EventTrace::of(event, redaction))
                .collect(),
        }
    }
}

impl RequestTrace {
    fn of(request: &TracedRequest, redaction: &Redaction) -> Self {
        Self {
            method: request.method.clone(),
            url: without_password(Excerpt::of(&request.url, redaction).text),
            headers: headers(&request.headers, redaction),
            body: request
                .body
                .as_ref()
                .map(|body| Excerpt::of(body, redaction)),
        }
    }
}

impl PhaseTrace {
    fn of(phases: &Phases) -> Vec<Self> {
        let finished = phases.finished().map(|phase| (phase, true));
        let unfinished = phases.unfinished().map(|phase| (phase, false));
        let all = finished.chain(unfinished);
        all.map(|((phase, took), finished)| Self {
            phase: phase.as_str().to_owned(),
            seconds: took.as_secs_f64(),
            finished,
        })
        .collect()
    }
}

impl AnswerTrace {
    fn of(answer: &TracedAnswer, redaction: &Redaction) -> Self {
        Self {
            status: answer.status,
            seconds: answer.elapsed.as_secs_f64(),
            headers: headers(&answer.headers, redaction),
            redirects: (answer.redirects.iter())
                .map(|address| without_password(Excerpt::of(address, redaction).text))
                .collect(),
            body: Excerpt::of(&answer.body, redaction),
        }
    }
}

impl EventTrace {
    fn of(event: &TracedEvent, redaction: &Redaction) -> Self {
        let text = serde_json::to_vec(&event.event).unwrap_or_default();
        let whole = Beginning {
            length: text.len(),
            text: text.into(),
        };
        Self {
            arrived: event.arrived.map(|arrived| arrived.as_secs_f64()),
            wanted: event.wanted,
            event: Excerpt::of(&whole, redaction),
        }
    }
}

fn headers(headers: &[(String, Beginning)], redaction: &Redaction) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| {
            let shown = if is_confidential(name) {
                MASK.to_owned()
            } else {
                Excerpt::of(value, redaction).text
            };
            (redaction.redact(name.clone()), shown)
        })
        .collect()
}

/// A user and a password in an address are sent as credentials.
fn without_password(text: String) -> String {
    match url::Url::parse(&text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            let mut url = url;
            let masked = url.set_username(MASK).and_then(|()| url.set_password(None));
            masked.map_or_else(|()| MASK.to_owned(), |()| url.to_string())
        }
        _ => text,
    }
}

/// What a step has under a confidential name in addresses, headers, bodies and events.
fn note_step(step: &TracedStep, values: &mut Vec<String>) {
    let mut note = |bytes: &[u8]| note_confidential(&String::from_utf8_lossy(bytes), values);
    let nothing: &[(String, Beginning)] = &[];
    let request = step.request.as_ref();
    let answer = step.answer.as_ref();
    let headers = [
        request.map_or(nothing, |request| &request.headers),
        answer.map_or(nothing, |answer| &answer.headers),
    ];
    let texts = [
        request.map(|request| &request.url),
        request.and_then(|request| request.body.as_ref()),
        answer.map(|answer| &answer.body),
    ];
    for (_, header) in headers.into_iter().flatten() {
        note(&header.text);
    }
    let redirects = answer.map_or(&[][..], |answer| &answer.redirects);
    for text in texts.into_iter().flatten().chain(redirects) {
        note(&text.text);
    }
    for event in &step.events {
        note(&serde_json::to_vec(&event.event).unwrap_or_default());
    }
}
