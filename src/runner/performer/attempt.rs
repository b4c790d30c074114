//! One step: its action, what is expected of it and what is kept from it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Performer;
use crate::{
    driver::{HttpFailureKind, OnWire},
    event::{Event, Sent, StepOutcome},
    inbox::{Inbound, Match},
    runner::context::{FOREVER, RunContext},
    scenario::{
        Action, Answer, EvaluationError, EventView, Expression, HttpAction, Observation, Reason,
        SessionValues, Step, WaitAction, key_text,
    },
};

/// How much of an answer or event a failure quotes, in characters.
const QUOTED: usize = 200;

/// Why one step did not pass.
#[derive(Debug)]
pub(super) enum Refusal {
    Failed {
        reason: Reason,
        detail: String,
    },
    /// Its run was stopped.
    Stopped,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Failed {
            reason,
            detail: detail.into(),
        }
    }

    pub(super) fn outcome(&self) -> StepOutcome {
        match self {
            Self::Failed { reason, .. } => StepOutcome::Failed(*reason),
            Self::Stopped => StepOutcome::Stopped,
        }
    }
}

impl Refusal {
    /// An expression could not be computed; where that took too much, the reason is the expression.
    fn of_expression(reason: Reason, error: &EvaluationError) -> Self {
        let reason = if error.exceeded {
            Reason::Template
        } else {
            reason
        };
        Self::new(reason, error.to_string())
    }
}

impl From<EvaluationError> for Refusal {
    fn from(error: EvaluationError) -> Self {
        Self::new(Reason::Template, error.to_string())
    }
}

impl Performer {
    pub(super) async fn attempt(&mut self, step: &Step) -> Result<Duration, Refusal> {
        let timeout = step.timeout.evaluate(&self.scope)?;
        let timeout = self.time_for_step(timeout)?;
        let result = self.act(step, timeout).await;
        let latency = result.map_err(|refusal| self.by_deadline(refusal))?;
        self.check(step)?;
        self.keep(step)?;
        Ok(latency)
    }

    async fn act(&mut self, step: &Step, timeout: Duration) -> Result<Duration, Refusal> {
        match &step.action {
            // In a box of its own: it is short, and a chat that waits for minutes need not have room
            // for it.
            Action::Http(action) => Box::pin(self.request(step, action, timeout)).await,
            Action::WaitFor(action) => {
                let waiting = step
                    .observe
                    .map(|observation| Waiting::begin(self, observation));
                let context = self.context.clone();
                let patience = self.patience;
                let result = tokio::select! {
                    biased;
                    () = context.out_of_patience(patience) => Err(Refusal::Stopped),
                    result = self.wait(step, action, timeout) => result,
                };
                drop(waiting);
                result
            }
        }
    }

    async fn request(
        &mut self,
        step: &Step,
        action: &HttpAction,
        timeout: Duration,
    ) -> Result<Duration, Refusal> {
        let request = Box::new(action.render(&self.scope, timeout)?);
        let on_wire = OnWire::default();
        let context = &self.context;
        let result = {
            // Pinned here: it is large, and would be copied into the future that waits for it.
            let sending = std::pin::pin!(self.http.send_watched(&request, &on_wire));
            context
                .until_answered(self.patience, sending, &on_wire)
                .await
        };
        let status = match &result {
            Some(Ok(answer)) => Some(answer.status),
            _ => None,
        };
        if on_wire.is_set() {
            self.leftover.note_request(&request.method, status);
        }
        if let Some(cookies) = self.http.cookies() {
            Arc::make_mut(&mut self.scope).set_sessions(SessionValues {
                cookies: Some(cookies.clone()),
            });
        }
        self.seen.get_or_insert_default().request = Some(request);
        let result = result.ok_or(Refusal::Stopped)?;
        let due = self.due;
        let late = |at: Instant| at.saturating_duration_since(due);
        (self.sent, self.due) = match &result {
            Ok(answer) => {
                let sent = Sent {
                    late: late(answer.sent_at),
                    waited: answer.waited,
                    phases: answer.phases,
                    certificate_expires: answer.certificate_expires,
                };
                (Some(Box::new(sent)), answer.sent_at + answer.elapsed)
            }
            Err(failure) => {
                let could_be_sent = failure.kind != HttpFailureKind::BadRequest;
                let sent = could_be_sent.then(|| Sent {
                    late: late(failure.sent_at),
                    waited: failure.waited,
                    phases: failure.phases,
                    certificate_expires: failure.certificate_expires,
                });
                (sent.map(Box::new), Instant::now())
            }
        };
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => return Err(self.unanswered(failure).await),
        };
        self.last_sent = answer.sent_at;
        self.mark(step, answer.sent_at);
        let elapsed = answer.elapsed;
        let good = action.takes_status(answer.status);
        let wanted = !step.expect.is_empty() || !step.captures.is_empty();
        let mut refusal = None;
        if wanted || self.tracing.is_some() || !good {
            let answer = Answer::new(answer.status, answer.headers, answer.body, elapsed)
                .after_redirects(answer.redirects);
            if !good {
                let quoted = self.quote(answer.text().into_owned());
                let detail = format!("answered {}{quoted}", answer.describe_status());
                refusal = Some(Refusal::new(Reason::Status, detail));
            }
            let answer = Arc::new(answer);
            self.seen.get_or_insert_default().answer = Some(answer.clone());
            Arc::make_mut(&mut self.scope).look_at(answer);
        }
        refusal.map_or(Ok(elapsed), Err)
    }

    async fn wait(
        &mut self,
        step: &Step,
        action: &WaitAction,
        timeout: Duration,
    ) -> Result<Duration, Refusal> {
        let Some(inbox) = &self.inbox else {
            return Err(Refusal::new(Reason::Internal, "a wait outside a chat"));
        };
        let since = action
            .since
            .as_ref()
            .and_then(|step| self.marks.iter().find(|(name, _)| name == step))
            .map_or(self.last_sent, |(_, at)| *at);
        let callbacks = self.context.spec.scenario.callbacks.as_ref();
        let disconnected = callbacks.and_then(|callbacks| callbacks.disconnected.as_ref());
        let (scope, seen) = (&mut self.scope, &mut self.seen);
        let mut exceeded = None;
        let judge = |inbound: &Inbound| {
            let elapsed = inbound.arrived.saturating_duration_since(since);
            Arc::make_mut(scope).look_at(Arc::new(EventView {
                event: inbound.event.clone(),
                elapsed,
                delivery: inbound.delivery.clone(),
            }));
            let left = |scope| disconnected.map_or(Ok(false), |left| left.decide(scope));
            let found = match action.matches.decide(scope) {
                Ok(true) => Match::Wanted,
                Ok(false) if left(scope) == Ok(true) => Match::Disconnected,
                Ok(false) => Match::Other,
                // There is no use in trying the next event.
                Err(error) => {
                    exceeded = Some(Box::new(error));
                    Match::Disconnected
                }
            };
            let seen = seen.get_or_insert_default();
            seen.note(inbound, found == Match::Wanted);
            found
        };
        let deadline = Instant::now() + timeout.min(FOREVER);
        let result = inbox.wait(since, deadline, judge).await;
        self.due = match &result {
            Ok(inbound) => self.due.max(inbound.arrived),
            Err(_) => Instant::now(),
        };
        if let Some(error) = exceeded {
            return Err((*error).into());
        }
        let inbound = match result {
            Ok(inbound) => inbound,
            Err(error) => return Err(self.waited_in_vain(step, since, timeout, &error).await),
        };
        let latency = inbound.arrived.saturating_duration_since(since);
        self.mark(step, inbound.arrived);
        Arc::make_mut(&mut self.scope).look_at(Arc::new(EventView {
            event: inbound.event,
            elapsed: latency,
            delivery: inbound.delivery,
        }));
        Ok(latency)
    }

    fn mark(&mut self, step: &Step, at: Instant) {
        match self.marks.iter_mut().find(|(name, _)| *name == step.name) {
            Some((_, mark)) => *mark = at,
            None => self.marks.push((step.name.clone(), at)),
        }
    }

    /// The beginning of a body. Secrets go before the rest is cut off: half of one is one too.
    fn quote(&self, text: String) -> String {
        let text = self.redact_all(text);
        let shown: String = text.chars().take(QUOTED).collect();
        if shown.is_empty() {
            return String::new();
        }
        // Quotes stay as they are: a body is mostly JSON.
        let as_it_reads = |character: char| match character {
            '"' | '\'' | '\\' => character.to_string(),
            other => other.escape_debug().to_string(),
        };
        format!(": {}", shown.chars().map(as_it_reads).collect::<String>())
    }

    /// The beginning of what the expressions of the step saw, without secrets likewise.
    fn describe_look(&self, expression: &Expression) -> String {
        let view = self.scope.view();
        let text = view.map_or_else(String::new, |view| view.describe(expression));
        shorten(self.redact_all(text), QUOTED)
    }

    /// Refuses an expression about something that cannot be used.
    fn need_usable(&self, expression: &Expression, reason: Reason) -> Result<(), Refusal> {
        let view = self.scope.view();
        let Some(why) = view.and_then(|view| view.why_unusable(expression)) else {
            return Ok(());
        };
        let source = expression.source();
        let look = self.describe_look(expression);
        let detail = format!("`{source}` cannot use {why}{look}");
        Err(Refusal::new(reason, detail))
    }

    fn check(&self, step: &Step) -> Result<(), Refusal> {
        for expression in &step.expect {
            self.need_usable(expression, Reason::Expectation)?;
            let value = expression
                .evaluate(&self.scope)
                .map_err(|error| Refusal::of_expression(Reason::Expectation, &error))?;
            if !value.is_true() {
                let reason = step.action.reason_unmet(expression);
                let look = self.describe_look(expression);
                let detail = format!("expected `{}`{look}", expression.source());
                return Err(Refusal::new(reason, detail));
            }
        }
        Ok(())
    }

    fn keep(&mut self, step: &Step) -> Result<(), Refusal> {
        for (name, expression) in &step.captures {
            self.need_usable(expression, Reason::Capture)?;
            let value = expression
                .evaluate_captured(&self.scope)
                .map_err(|error| Refusal::of_expression(Reason::Capture, &error))?;
            if value.is_undefined() || value.is_none() {
                let detail = format!(
                    "`{name}` cannot be captured: `{}` is not there{}",
                    expression.source(),
                    self.describe_look(expression)
                );
                return Err(Refusal::new(Reason::Capture, detail));
            }
            self.mask(name, &value);
            Arc::make_mut(&mut self.scope).capture(name, value);
        }
        self.claim(step)?;
        self.tell_name(step);
        Ok(())
    }

    fn claim(&mut self, step: &Step) -> Result<(), Refusal> {
        let Some(claim) = &step.claim else {
            return Ok(());
        };
        let value = claim.evaluate(&self.scope)?;
        let (Some(key), Some(claims)) = (key_text(&value), &mut self.claims) else {
            let detail = format!("`{}` is no key to claim: it is `{value}`", claim.source());
            return Err(Refusal::new(Reason::Capture, detail));
        };
        claims
            .claim(key)
            .map_err(|error| Refusal::new(Reason::Capture, error.to_string()))
    }

    /// Tells what the target calls the chat, if this step found out more about it.
    fn tell_name(&self, step: &Step) {
        let named = &self.context.spec.scenario.correlation;
        let found = if named.is_empty() {
            step.claim.is_some()
        } else {
            step.captures.iter().any(|(name, _)| named.contains(name))
        };
        if found && self.chat > 0 {
            self.context.tell(&Event::ChatNamed {
                run: self.context.spec.identity.clone(),
                chat: self.chat,
                correlation: self.correlation(),
            });
        }
    }
}

/// A wait that is measured on its own; it is over however it is left.
struct Waiting {
    context: Arc<RunContext>,
    chat: u64,
    observation: Observation,
}

impl Waiting {
    fn begin(performer: &Performer, observation: Observation) -> Self {
        let waiting = Self {
            context: performer.context.clone(),
            chat: performer.chat,
            observation,
        };
        waiting.context.tell(&Event::WaitStarted {
            run: waiting.context.spec.identity.clone(),
            chat: waiting.chat,
            observation,
        });
        waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.context.tell(&Event::WaitEnded {
            run: self.context.spec.identity.clone(),
            chat: self.chat,
            observation: self.observation,
        });
    }
}

/// The text up to so many characters.
pub(super) fn shorten(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}
