use std::{sync::Arc, time::Duration};

use minijinja::Value;
use reqwest::header::HeaderMap;
use tokio::time::{Instant, sleep, sleep_until};

use super::run::RunContext;
use crate::{
    callbacks::{Inbound, Mailbox, Match, WaitError},
    driver::HttpAnswer,
    event::{Event, Failure},
    scenario::{
        Action, EvaluationError, Expression, HttpAction, Item, Observation, Pause, Reason, Repeat,
        Scope, Step, WaitAction, key_text,
    },
};

/// How much of an answer a failure quotes, in characters.
const QUOTED: usize = 200;

/// Performs steps, one after the other, for one chat or for the setup or teardown of a run.
#[derive(Debug)]
pub(super) struct Performer {
    context: Arc<RunContext>,
    scope: Arc<Scope>,
    mailbox: Option<Mailbox>,
    /// The chat's number; zero outside chats, where nothing is measured by chat.
    chat: u64,
    random: fastrand::Rng,
    /// When the latest pass of each step sent its request, or when its event arrived.
    marks: Vec<(Arc<str>, Instant)>,
    last_sent: Instant,
    patience: Patience,
}

/// How long a performer goes on once its run is to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all: setup, and the steps of a chat.
    None,
    /// One cleanup time: `always`.
    Cleanup,
    /// Two: the teardown, which comes behind the last `always`.
    Teardown,
}

/// Why a list of steps was not performed to its end.
#[derive(Debug)]
pub(super) enum Interrupt {
    Failed(Failure),
    Stopped,
}

/// Why one step did not pass.
#[derive(Debug)]
struct Refusal {
    reason: Reason,
    detail: String,
}

impl Refusal {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl From<EvaluationError> for Refusal {
    fn from(error: EvaluationError) -> Self {
        Self::new(Reason::Template, error.to_string())
    }
}

impl Performer {
    pub(super) fn new(
        context: Arc<RunContext>,
        scope: Scope,
        mailbox: Option<Mailbox>,
        chat: u64,
        patience: Patience,
    ) -> Self {
        // Neighbouring chats must not draw neighbouring sequences.
        let seed = context.spec.seed ^ chat.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            context,
            scope: Arc::new(scope),
            mailbox,
            chat,
            random: fastrand::Rng::with_seed(seed),
            marks: Vec::new(),
            last_sent: Instant::now(),
            patience,
        }
    }

    /// The variables as they stand.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The keys that the chat claimed.
    pub(super) fn keys(&self) -> &[String] {
        self.mailbox.as_ref().map_or(&[], Mailbox::keys)
    }

    /// From here on `always` steps follow.
    pub(super) fn clean_up(&mut self, passed: bool) {
        self.patience = Patience::Cleanup;
        Arc::make_mut(&mut self.scope).set_passed(passed);
    }

    /// Performs until something fails.
    pub(super) async fn perform_all(&mut self, items: &[Item]) -> Result<(), Interrupt> {
        for item in items {
            self.perform(item).await?;
        }
        Ok(())
    }

    /// Performs everything, whatever fails; the first failure is returned.
    pub(super) async fn perform_regardless(&mut self, items: &[Item]) -> Result<(), Interrupt> {
        let mut first = Ok(());
        for item in items {
            let result = self.perform(item).await;
            if first.is_ok() {
                first = result;
            }
        }
        first
    }

    async fn perform(&mut self, item: &Item) -> Result<(), Interrupt> {
        match item {
            Item::Step(step) => self.perform_step(step).await,
            Item::Think(pause) => self.think(pause).await,
            Item::Repeat(repeat) => Box::pin(self.repeat(repeat)).await,
        }
    }

    fn applies(&self, when: Option<&Expression>) -> bool {
        when.is_none_or(|when| when.holds(&self.scope))
    }

    async fn think(&mut self, pause: &Pause) -> Result<(), Interrupt> {
        if !self.applies(pause.when.as_ref()) {
            return Ok(());
        }
        let pause = pause
            .sample(&self.scope, &mut self.random)
            .map_err(|error| self.failed_outside_steps("think", &error))?;
        tokio::select! {
            biased;
            () = self.context.out_of_patience(self.patience) => Err(Interrupt::Stopped),
            () = sleep(pause) => Ok(()),
        }
    }

    async fn repeat(&mut self, repeat: &Repeat) -> Result<(), Interrupt> {
        if !self.applies(repeat.when.as_ref()) {
            return Ok(());
        }
        let count = repeat
            .count
            .evaluate(&self.scope)
            .map_err(|error| self.failed_outside_steps("repeat", &error))?;
        for index in 1..=count {
            let around = Arc::make_mut(&mut self.scope).set_round(Some(index));
            let result = self.perform_all(&repeat.items).await;
            Arc::make_mut(&mut self.scope).set_round(around);
            result?;
        }
        Ok(())
    }

    fn failed_outside_steps(&self, place: &str, error: &EvaluationError) -> Interrupt {
        Interrupt::Failed(Failure {
            step: place.into(),
            reason: Reason::Template,
            detail: self.context.spec.target.redact(error.to_string()),
        })
    }

    /// One way in, one outcome, one event.
    async fn perform_step(&mut self, step: &Step) -> Result<(), Interrupt> {
        if !self.applies(step.when.as_ref()) {
            return Ok(());
        }
        let outcome = self.attempt(step).await;
        Arc::make_mut(&mut self.scope).look_away();
        self.context.tell(&Event::StepEnded {
            run: self.context.spec.identity.clone(),
            step: step.name.clone(),
            observation: step.observe,
            outcome: outcome.as_ref().map_err(|refusal| refusal.reason).copied(),
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.reason == Reason::Stopped => Err(Interrupt::Stopped),
            Err(refusal) => Err(Interrupt::Failed(Failure {
                step: step.name.clone(),
                reason: refusal.reason,
                detail: self.context.spec.target.redact(refusal.detail),
            })),
        }
    }

    async fn attempt(&mut self, step: &Step) -> Result<Duration, Refusal> {
        let timeout = step.timeout.evaluate(&self.scope)?;
        let context = self.context.clone();
        let patience = self.patience;
        let latency = tokio::select! {
            biased;
            () = context.out_of_patience(patience) => {
                Err(Refusal::new(Reason::Stopped, "the run was stopped"))
            }
            result = self.act(step, timeout) => result,
        }?;
        self.check(step)?;
        self.keep(step)?;
        Ok(latency)
    }

    async fn act(&mut self, step: &Step, timeout: Duration) -> Result<Duration, Refusal> {
        match &step.action {
            Action::Http(action) => self.request(step, action, timeout).await,
            Action::WaitFor(action) => {
                let waiting = step
                    .observe
                    .map(|observation| Waiting::begin(self, observation));
                let result = self.wait(step, action, timeout).await;
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
        let request = action.render(&self.scope, timeout)?;
        let answer = self
            .context
            .engine
            .http
            .send(request)
            .await
            .map_err(|failure| Refusal::new(failure.kind.into(), failure.detail))?;
        self.last_sent = answer.sent_at;
        self.mark(step, answer.sent_at);
        if !step.expects_status && !(200..300).contains(&answer.status) {
            let detail = format!("answered {}{}", answer.status, quote(&answer.body));
            return Err(Refusal::new(Reason::Status, detail));
        }
        let elapsed = answer.elapsed;
        if !step.expect.is_empty() || !step.captures.is_empty() {
            let scope = Arc::make_mut(&mut self.scope);
            let HttpAnswer {
                status,
                headers,
                body,
                ..
            } = answer;
            scope.look_at_answer(status, header_values(&headers), body_value(&body), elapsed);
        }
        Ok(elapsed)
    }

    async fn wait(
        &mut self,
        step: &Step,
        action: &WaitAction,
        timeout: Duration,
    ) -> Result<Duration, Refusal> {
        let Some(mailbox) = &self.mailbox else {
            return Err(Refusal::new(Reason::Internal, "a wait outside a chat"));
        };
        let since = action
            .since
            .as_ref()
            .and_then(|step| self.marks.iter().find(|(name, _)| name == step))
            .map_or(self.last_sent, |(_, at)| *at);
        let disconnected = self
            .context
            .spec
            .scenario
            .callbacks
            .as_ref()
            .and_then(|callbacks| callbacks.disconnected.as_ref());
        let judge = |inbound: &Inbound| {
            let mut scope = (*self.scope).clone();
            let elapsed = inbound.arrived.saturating_duration_since(since);
            scope.look_at_event(inbound.event.clone(), elapsed);
            let scope = Arc::new(scope);
            if action.matches.holds(&scope) {
                Match::Wanted
            } else if disconnected.is_some_and(|left| left.holds(&scope)) {
                Match::Disconnected
            } else {
                Match::Other
            }
        };
        let deadline = Instant::now() + timeout;
        let inbound = mailbox
            .wait(since, deadline, judge)
            .await
            .map_err(|error| {
                let reason = match (&error, step.observe) {
                    (WaitError::Disconnected, _) => Reason::Disconnected,
                    (WaitError::Timeout { .. }, Some(Observation::AgentJoin)) => {
                        Reason::AgentJoinTimeout
                    }
                    (WaitError::Timeout { .. }, None) => Reason::ReplyTimeout,
                };
                Refusal::new(reason, format!("{error} (waited {timeout:?})"))
            })?;
        let latency = inbound.arrived.saturating_duration_since(since);
        self.mark(step, inbound.arrived);
        Arc::make_mut(&mut self.scope).look_at_event(inbound.event, latency);
        Ok(latency)
    }

    fn mark(&mut self, step: &Step, at: Instant) {
        match self.marks.iter_mut().find(|(name, _)| *name == step.name) {
            Some((_, mark)) => *mark = at,
            None => self.marks.push((step.name.clone(), at)),
        }
    }

    fn check(&self, step: &Step) -> Result<(), Refusal> {
        for expression in &step.expect {
            let value = expression
                .evaluate(&self.scope)
                .map_err(|error| Refusal::new(Reason::Expectation, error.to_string()))?;
            if !value.is_true() {
                let reason = if expression.mentions("status") {
                    Reason::Status
                } else {
                    Reason::Expectation
                };
                let detail = format!(
                    "expected `{}`{}",
                    expression.source(),
                    self.scope.describe_look(QUOTED)
                );
                return Err(Refusal::new(reason, detail));
            }
        }
        Ok(())
    }

    fn keep(&mut self, step: &Step) -> Result<(), Refusal> {
        for (name, expression) in &step.captures {
            let value = expression
                .evaluate(&self.scope)
                .map_err(|error| Refusal::new(Reason::Capture, error.to_string()))?;
            if value.is_undefined() || value.is_none() {
                let detail = format!(
                    "`{name}` cannot be captured: `{}` is not there{}",
                    expression.source(),
                    self.scope.describe_look(QUOTED)
                );
                return Err(Refusal::new(Reason::Capture, detail));
            }
            Arc::make_mut(&mut self.scope).capture(name, value);
        }
        let Some(claim) = &step.claim else {
            return Ok(());
        };
        let value = claim.evaluate(&self.scope)?;
        let (Some(key), Some(mailbox)) = (key_text(&value), &mut self.mailbox) else {
            let detail = format!("`{}` is no key to claim: it is `{value}`", claim.source());
            return Err(Refusal::new(Reason::Capture, detail));
        };
        mailbox
            .claim(key)
            .map_err(|error| Refusal::new(Reason::Capture, error.to_string()))
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

impl RunContext {
    /// Completes when a performer with this patience has to stop.
    async fn out_of_patience(&self, patience: Patience) {
        let cleanups = match patience {
            Patience::None => 0,
            Patience::Cleanup => 1,
            Patience::Teardown => 2,
        };
        let ending = self.ending.begun().await;
        sleep_until(ending.at + ending.cleanup * cleanups).await;
    }
}

fn header_values(headers: &HeaderMap) -> Value {
    let values: std::collections::BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    values.into()
}

/// JSON as its value, anything else as text.
fn body_value(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()))
}

fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.chars().take(QUOTED).collect();
    if text.is_empty() {
        return String::new();
    }
    format!(": {}", text.escape_debug())
}
