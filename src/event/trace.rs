//! What a failed chat did, as it was: secrets and all, until somebody wants to see it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use minijinja::Value;

use super::{Failure, RunIdentity};
use crate::{config::Target, driver::Phases, scenario::Reason};

/// A chat whose steps are over and one of which failed, or a setup.
#[derive(Debug)]
pub struct FailedChat {
    /// Its run.
    pub run: Arc<RunIdentity>,
    /// The chat's number in its run; zero for the setup of a burst, which is no chat.
    pub chat: u64,
    /// When its steps were over.
    pub failed_at: jiff::Timestamp,
    /// From its start to then.
    pub duration: Duration,
    /// Why.
    pub failure: Failure,
    /// What the target calls this chat: names and values.
    pub correlation: Vec<(Arc<str>, String)>,
    /// What it did.
    pub trace: Trace,
}

/// What a chat did, step by step. It does not print itself: it holds credentials.
pub struct Trace {
    /// Whose secrets may be in it.
    pub target: Arc<Target>,
    /// Captured values that nobody may see either.
    pub masks: Vec<String>,
    /// Whether every step is in it; else it is the last ones.
    pub whole: bool,
    /// In the order in which they were performed.
    pub steps: Vec<Box<TracedStep>>,
}

/// One step that was performed.
pub struct TracedStep {
    /// The step.
    pub step: Arc<str>,
    /// When it began, after the chat did, if that is known.
    pub begun: Option<Duration>,
    /// How long it was performed, a wait for a connection included, if that is known.
    pub took: Option<Duration>,
    /// Why it did not pass. In a box, like all that few steps have: those of every chat in progress are kept.
    pub refused: Option<Box<(Reason, String)>>,
    /// What was sent.
    pub request: Option<TracedRequest>,
    /// How often it was sent once more, after a connection that was closed under it.
    pub resent: u32,
    /// What the time of the request went into.
    pub phases: Phases,
    /// What was answered.
    pub answer: Option<TracedAnswer>,
    /// The events that it looked at, in the order of their arrival.
    pub events: Box<[TracedEvent]>,
}

/// The beginning of a text.
pub struct Beginning {
    /// As much of it as was kept; longer than what is shown, so that what has to be masked in that can
    /// be found whole.
    pub text: Bytes,
    /// The length of the whole, in bytes.
    pub length: usize,
}

/// A request as it was sent.
pub struct TracedRequest {
    /// The method.
    pub method: String,
    /// The address with its query.
    pub url: Beginning,
    /// Names and values.
    pub headers: Box<[(String, Beginning)]>,
    /// The body, if there was one.
    pub body: Option<Beginning>,
}

/// An answer as it came.
pub struct TracedAnswer {
    /// The status code.
    pub status: u16,
    /// From the moment at which there was a connection to the end of the body.
    pub elapsed: Duration,
    /// Names and values.
    pub headers: Box<[(String, Beginning)]>,
    /// The addresses that redirects led to, the last of which gave this answer.
    pub redirects: Box<[Beginning]>,
    /// The body.
    pub body: Beginning,
}

/// An inbound event.
pub struct TracedEvent {
    /// When it arrived, after the chat began; `None` if that is not known.
    pub arrived: Option<Duration>,
    /// Whether the step waited for it.
    pub wanted: bool,
    /// What it says.
    pub event: Value,
    /// The size of its body.
    pub bytes: usize,
}

impl TracedStep {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        /// Of a step, a header or an event besides its text.
        const BESIDES: usize = 100;
        /// A value takes more than its text.
        const VALUE: usize = 4;
        let headers = |headers: &[(String, Beginning)]| -> usize {
            let sizes = headers.iter();
            sizes
                .map(|(name, value)| BESIDES + name.len() + value.text.len())
                .sum()
        };
        let request = self.request.as_ref().map_or(0, |request| {
            let body = request.body.as_ref().map_or(0, |body| body.text.len());
            request.url.text.len() + headers(&request.headers) + body
        });
        let answer = self.answer.as_ref().map_or(0, |answer| {
            let redirects: usize = (answer.redirects.iter())
                .map(|address| BESIDES + address.text.len())
                .sum();
            headers(&answer.headers) + redirects + answer.body.text.len()
        });
        let events: usize = (self.events.iter())
            .map(|event| BESIDES + VALUE * event.bytes)
            .sum();
        4 * BESIDES + request + answer + events
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| &step.step).collect();
        f.debug_struct("Trace")
            .field("steps", &steps)
            .finish_non_exhaustive()
    }
}
