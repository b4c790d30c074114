use std::sync::Arc;

use tokio::time::Instant;

use super::{
    chat_state::ChatState,
    context::{GracePeriod, RunContext},
    track::{Interrupt, Leftover, Track},
};
use crate::{
    event::{Ending, FailedChat, Failure, RunEvent},
    scenario::{Reason, Scope},
};

/// Runs one chat from its first step to the last of its `always` steps. Probes and bursts alike go
/// through here, and every chat that begins is accounted for, even one whose task breaks.
pub(super) async fn run_chat(context: Arc<RunContext>, run_scope: Arc<Scope>, place: ChatPlace) {
    let ChatPlace {
        number,
        ordinal,
        intended,
    } = place;
    let mut account = Account::open(context.clone(), number, intended);
    // Nothing of it is kept: every byte here is there once for each chat in progress.
    let scope = run_scope.of_mixed_chat(number, ordinal, &context.identity.chat_id(number));
    drop(run_scope);
    let chat = ChatState::of_chat(context, number);
    let mut track = Track::new(&chat, scope, GracePeriod::None);
    track.begin_trace();
    let scenario = &chat.context.chats.scenario;
    let result = match track.set_deadline(account.since) {
        Ok(()) => track.perform_all(&scenario.steps).await,
        Err(interrupt) => Err(interrupt),
    };
    account.steps_are_over(match result {
        Ok(()) | Err(Interrupt::Passed) => {
            track.note_passed();
            Ending::Passed
        }
        Err(Interrupt::Failed(failure)) => Ending::Failed(failure),
        Err(Interrupt::Stopped) => Ending::Stopped,
    });
    account.correlation = track.correlation();
    account.explain(&mut track);
    if !scenario.always.is_empty() {
        track.clean_up(account.ending == Some(Ending::Passed));
        // The outcome of the chat is decided; that of these steps shows in their own metrics.
        let _ = track.perform_regardless(&scenario.always).await;
    }
    track.close_connections().await;
    let leftover = track.leftover();
    // With it, the inbox settles what is left in it before the chat counts as ended.
    drop(chat);
    account.emit_left_open(&leftover);
}

/// Which chat of its run one is.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChatPlace {
    /// Counted from one.
    pub(super) number: u64,
    /// How many chats that do the same come before it.
    pub(super) ordinal: u64,
    /// When it should begin.
    pub(super) intended: Instant,
}

/// The events of a chat without which its run would not count it: the last is emitted when it is dropped, so that
/// nothing can forget it.
struct Account {
    context: Arc<RunContext>,
    number: u64,
    /// Latency counts from here: under an open profile from the intended start.
    since: Instant,
    steps_over: Option<Instant>,
    ending: Option<Ending>,
    correlation: Vec<(Arc<str>, String)>,
}

impl Account {
    fn open(context: Arc<RunContext>, number: u64, intended: Instant) -> Self {
        let now = Instant::now();
        context.emit(&RunEvent::ChatStarted {
            lateness: now.saturating_duration_since(intended),
        });
        let since = if context.spec.load.is_open() {
            intended
        } else {
            now
        };
        Self {
            context,
            number,
            since,
            steps_over: None,
            ending: None,
            correlation: Vec::new(),
        }
    }

    fn steps_are_over(&mut self, ending: Ending) {
        self.leave_barriers();
        self.steps_over = Some(Instant::now());
        self.ending = Some(ending);
    }

    /// Once its steps are over, other chats do not wait for it.
    fn leave_barriers(&self) {
        if self.steps_over.is_none()
            && let Some(barriers) = &self.context.barriers
        {
            barriers.chat_is_over();
        }
    }

    /// Emits if the chat may still be open at the target.
    fn emit_left_open(&self, leftover: &Leftover) {
        // A passed chat has closed what it opened, unless its `always` steps were to do that.
        let passed = self.ending == Some(Ending::Passed);
        let named = !passed && !self.correlation.is_empty();
        if let Some(why) = leftover.why(named) {
            self.context.emit(&RunEvent::LeftOpen {
                chat: self.number,
                correlation: self.correlation.clone(),
                why,
            });
        }
    }

    /// Emits what a failed chat did, before `always` steps that may take long.
    fn explain(&self, track: &mut Track<'_>) {
        let Some(Ending::Failed(failure)) = &self.ending else {
            return track.end_trace();
        };
        self.context
            .emit(&RunEvent::ChatFailed(Arc::new(FailedChat {
                chat: self.number,
                failed_at: jiff::Timestamp::now(),
                duration: self.since.elapsed(),
                failure: failure.clone(),
                correlation: self.correlation.clone(),
                trace: track.take_trace(),
            })));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.leave_barriers();
        let ending = self.ending.take().unwrap_or_else(|| {
            if std::thread::panicking() {
                Ending::Failed(Failure {
                    step: "chat".into(),
                    reason: Reason::Internal,
                    detail: "the chat's task broke; the log has more".to_owned(),
                })
            } else {
                Ending::Stopped
            }
        });
        let over = self.steps_over.unwrap_or_else(Instant::now);
        self.context.emit(&RunEvent::ChatEnded {
            chat: self.number,
            ending,
            duration: over.saturating_duration_since(self.since),
            correlation: std::mem::take(&mut self.correlation),
        });
    }
}
