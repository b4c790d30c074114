//! One step: its action, what is expected of it and what is kept from it.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Context,
    time::Duration,
};

use tokio::time::Instant;

use super::Track;
use crate::{
    event::{RunEvent, Sent, StepOutcome},
    inbox::Inbound,
    runner::{chat_state::ChatState, forever::FOREVER},
    scenario::{
        Awaited, EvaluationError, EventView, Expression, Kept, KeptEvents, Match, Observation,
        Performed, Reason, Step, Task, Unperformed, Until, WaitAction, key_text,
    },
};

/// How much of an answer or event a failure quotes, in characters.
const QUOTED: usize = 200;

/// Why one step did not pass.
#[derive(Debug)]
pub(super) enum StepFailure {
    Failed {
        reason: Reason,
        detail: String,
    },
    /// Its run was stopped.
    Stopped,
}

impl StepFailure {
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

impl StepFailure {
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

impl From<EvaluationError> for StepFailure {
    fn from(error: EvaluationError) -> Self {
        Self::new(Reason::Template, error.to_string())
    }
}

impl Track<'_> {
    pub(super) async fn attempt(&mut self, step: &Step) -> Result<Duration, StepFailure> {
        if let Some((group, position)) = self.group()
            && step.action.as_wait().is_none()
        {
            group.begin_request(position, step.id);
        }
        let timeout = step.timeout.evaluate(&self.scope)?;
        let timeout = self.time_for_step(timeout)?;
        let result = self.act(step, timeout).await;
        let latency = result.map_err(|failure| self.by_deadline(failure))?;
        self.check(step)?;
        self.keep(step)?;
        if let Some(room) = step.action.room_entry() {
            room.enter(&mut self.sessions, &self.scope)?;
        }
        Ok(latency)
    }

    async fn act(&mut self, step: &Step, timeout: Duration) -> Result<Duration, StepFailure> {
        let waiting = (step.observe).map(|observation| Waiting::begin(self.chat, observation));
        let Some(wait) = step.action.as_wait() else {
            // In a box of its own: it is short, and a chat that waits for minutes need not have room
            // for it.
            return Box::pin(self.exchange(step, timeout)).await;
        };
        let mut stopped = self.stop.take();
        let result = tokio::select! {
            biased;
            () = &mut stopped => Err(StepFailure::Stopped),
            result = self.wait(step, wait, timeout) => result,
        };
        self.stop = stopped;
        drop(waiting);
        result
    }

    /// Performs an action that has no use for the inbox.
    async fn exchange(&mut self, step: &Step, timeout: Duration) -> Result<Duration, StepFailure> {
        let (chat, context) = (self.chat, self.context());
        let performed = {
            let track = self.group().map(|(group, position)| group.name(position));
            let new_connection = |socket: &Arc<str>| {
                let socket = track.as_ref().map_or_else(
                    || socket.clone(),
                    |track| format!("{track}.{socket}").into(),
                );
                chat.new_connection(socket)
            };
            let give_up = pin!(self.ending().gives_up_answers(self.grace));
            let stopped = Pin::new(&mut self.stop);
            let task = Task {
                scope: &self.scope,
                timeout,
                is_traced: self.tracing.is_some(),
                clients: &context.clients,
                new_connection: &new_connection,
                until: Until { stopped, give_up },
            };
            step.action.perform(&mut self.sessions, task).await?
        };
        self.take_over(step, performed).await
    }

    /// Goes on with what an action came to.
    async fn take_over(
        &mut self,
        step: &Step,
        performed: Performed,
    ) -> Result<Duration, StepFailure> {
        if let Some(opened) = performed.opened {
            self.leftover.note_opened(opened);
        }
        if performed.resent > 0 {
            self.context().emit(&RunEvent::RequestResent {
                step: step.id,
                times: performed.resent,
            });
        }
        if performed.polled > 0 {
            self.context().emit(&RunEvent::StepPolled {
                step: step.id,
                requests: performed.polled,
            });
        }
        self.progress.kept = performed.kept;
        self.progress.sent = performed.sent.map(|sent| {
            Box::new(Sent {
                late: sent.at.saturating_duration_since(self.timing.due),
                waited: sent.waited,
                phases: sent.phases,
                certificate_expires: sent.certificate_expires,
                read_delay: sent.read_delay,
            })
        });
        self.timing.due = performed.known_at.unwrap_or(self.timing.due);
        if let Some(mark) = performed.mark {
            let last_sent = self.timing.last_sent;
            self.timing.last_sent = performed.sent.map_or(last_sent, |sent| sent.at);
            self.mark(step.id, mark);
        }
        let scope = Arc::make_mut(&mut self.scope);
        if let Some(sessions) = performed.sessions {
            scope.set_sessions(sessions);
        }
        if let Some(view) = performed.view {
            scope.look_at(view);
        }
        match performed.result {
            Ok(latency) => Ok(latency),
            Err(Unperformed::Stopped) => Err(StepFailure::Stopped),
            Err(Unperformed::Failed(failed)) => Err(self.blame(*failed).await),
        }
    }

    async fn wait(
        &mut self,
        step: &Step,
        wait: &WaitAction,
        timeout: Duration,
    ) -> Result<Duration, StepFailure> {
        let Some(inbox) = &self.chat.inbox else {
            return Box::pin(self.exchange(step, timeout)).await;
        };
        let sources = match self.sessions.wait_sources(&wait.source) {
            Ok(sources) => sources,
            Err(why) => {
                let performed = Performed::without(why);
                return Box::pin(self.take_over(step, performed)).await;
            }
        };
        let deadline = Instant::now() + timeout.min(FOREVER);
        let since = match wait.since {
            None => self.timing.last_sent,
            Some(marked) if marked.is_elsewhere => {
                // In a box: few chats have several tracks.
                Box::pin(self.await_mark(marked.step, deadline)).await
            }
            Some(marked) => self.marked(marked.step).unwrap_or(self.timing.last_sent),
        };
        let track = self.rare.as_ref().and_then(|rare| rare.waits_as);
        let callbacks = self.context().chats.scenario.callbacks.as_ref();
        let left = callbacks.and_then(|callbacks| callbacks.disconnected.as_ref());
        // It is about events of callbacks.
        let left = left.filter(|_| wait.source == Awaited::Callbacks);
        let scope = &mut self.scope;
        let mut kept: Option<Box<KeptEvents>> = None;
        let judge = |inbound: &Inbound| {
            let found = wait.judge(view_of(wait, inbound, since), left, scope);
            let is_wanted = found == Match::Wanted;
            let kept = kept.get_or_insert_default();
            kept.note(inbound.arrived, &inbound.event, inbound.bytes, is_wanted);
            found
        };
        let result = {
            let feed = self.sessions.feed(&sources);
            let read = |context: &Context<'_>| {
                if let Some(feed) = &feed {
                    feed.poll(context);
                }
            };
            inbox
                .wait_in_track(track, sources, since, deadline, judge, read)
                .await
        };
        self.progress.kept = kept.map(|kept| kept as Box<dyn Kept>);
        self.timing.due = match &result {
            Ok(inbound) => self.timing.due.max(inbound.arrived),
            Err(_) => Instant::now(),
        };
        let inbound = match result {
            Ok(inbound) => inbound,
            Err(error) => return Err(self.waited_in_vain(step, since, timeout, &error).await),
        };
        let since = match wait.since {
            Some(marked) if marked.is_elsewhere => {
                let latest = self.await_later_mark(marked.step, inbound.arrived, deadline);
                let since = Box::pin(latest).await.unwrap_or(since);
                let view = view_of(wait, &inbound, since);
                Arc::make_mut(&mut self.scope).look_at(Arc::new(view));
                since
            }
            _ => since,
        };
        // Expressions see it already: it was judged last.
        self.mark(step.id, inbound.arrived);
        Ok(inbound.arrived.saturating_duration_since(since))
    }

    /// The beginning of a body. Secrets go before the rest is cut off: half of one is one too.
    pub(super) fn quote(&self, text: String) -> String {
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
        let mentions = |name: &str| expression.mentions(name);
        let text = view.map_or_else(String::new, |view| view.describe(&mentions));
        shorten(self.redact_all(text), QUOTED)
    }

    /// Refuses an expression about something that cannot be used.
    fn need_usable(&self, expression: &Expression, reason: Reason) -> Result<(), StepFailure> {
        let view = self.scope.view();
        let mentions = |name: &str| expression.mentions(name);
        let Some(why) = view.and_then(|view| view.why_unusable(&mentions)) else {
            return Ok(());
        };
        let source = expression.source();
        let look = self.describe_look(expression);
        let detail = format!("`{source}` cannot use {why}{look}");
        Err(StepFailure::new(reason, detail))
    }

    fn check(&self, step: &Step) -> Result<(), StepFailure> {
        for expression in &step.expect {
            self.need_usable(expression, Reason::Expectation)?;
            let value = expression
                .evaluate(&self.scope)
                .map_err(|error| StepFailure::of_expression(Reason::Expectation, &error))?;
            if !value.is_true() {
                let reason = step.action.reason_unmet(expression);
                let look = self.describe_look(expression);
                let detail = format!("expected `{}`{look}", expression.source());
                return Err(StepFailure::new(reason, detail));
            }
        }
        Ok(())
    }

    fn keep(&mut self, step: &Step) -> Result<(), StepFailure> {
        for (name, expression) in &step.captures {
            self.need_usable(expression, Reason::Capture)?;
            let value = expression
                .evaluate_captured(&self.scope)
                .map_err(|error| StepFailure::of_expression(Reason::Capture, &error))?;
            if value.is_undefined() || value.is_none() {
                let detail = format!(
                    "`{name}` cannot be captured: `{}` is not there{}",
                    expression.source(),
                    self.describe_look(expression)
                );
                return Err(StepFailure::new(Reason::Capture, detail));
            }
            self.mask(name, &value);
            if let Some((group, position)) = self.group() {
                group.capture(position, name, value.clone());
            }
            Arc::make_mut(&mut self.scope).capture(name, value);
        }
        self.claim(step)?;
        self.emit_name(step);
        Ok(())
    }

    fn claim(&mut self, step: &Step) -> Result<(), StepFailure> {
        let Some(claim) = &step.claim else {
            return Ok(());
        };
        let value = claim.evaluate(&self.scope)?;
        let Some(claimed) = key_text(&value).and_then(|key| self.chat.claim(key)) else {
            let detail = format!("`{}` is no key to claim: it is `{value}`", claim.source());
            return Err(StepFailure::new(Reason::Capture, detail));
        };
        claimed.map_err(|error| StepFailure::new(Reason::Capture, error.to_string()))
    }

    /// Emits what the target calls the chat, if this step found out more about it.
    fn emit_name(&self, step: &Step) {
        let named = &self.context().chats.scenario.correlation;
        let found = if named.is_empty() {
            step.claim.is_some()
        } else {
            let is_named =
                |name: &Arc<str>| named.iter().any(|named| self.is_known_as(named, name));
            step.captures.iter().any(|(name, _)| is_named(name))
        };
        if found && self.chat.number > 0 {
            self.context().emit(&RunEvent::ChatNamed {
                chat: self.chat.number,
                correlation: self.correlation(),
            });
        }
    }
}

/// What expressions see of an event that comes after a request was sent.
fn view_of(wait: &WaitAction, inbound: &Inbound, since: Instant) -> EventView {
    EventView {
        event: inbound.event.clone(),
        name: wait.event_name(),
        elapsed: inbound.arrived.saturating_duration_since(since),
        delivery: inbound.delivery.clone(),
    }
}

/// A wait that is measured on its own; it is over however it is left.
struct Waiting<'a> {
    chat: &'a ChatState,
    observation: Observation,
}

impl<'a> Waiting<'a> {
    fn begin(chat: &'a ChatState, observation: Observation) -> Self {
        chat.context.emit(&RunEvent::WaitStarted {
            chat: chat.number,
            observation,
        });
        Self { chat, observation }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.chat.context.emit(&RunEvent::WaitEnded {
            chat: self.chat.number,
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
