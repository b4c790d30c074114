//! The setup and the teardown of a run, during which it follows orders.

use std::{sync::Arc, time::Duration};

use super::RunTask;
use crate::{
    event::{EndedBy, Ending, FailedChat, Failure, Mode, RunEvent, Trace},
    runner::{
        between_chats::BetweenChats,
        chat_state::ChatState,
        context::GracePeriod,
        track::{Interrupt, Track},
    },
    scenario::Scope,
};

impl RunTask {
    /// Performs the setup; the variables with which chats begin.
    pub(super) async fn set_up(&mut self) -> Scope {
        let chat = ChatState::outside_chats(self.context.clone());
        let spec = &chat.context.spec;
        let mut track = Track::new(&chat, chat.context.scope(), GracePeriod::None);
        track.begin_trace();
        track.limit_time();
        let result = self.attend(track.perform_all(&spec.scenario.setup)).await;
        if result.is_ok() {
            track.note_passed();
        }
        match result {
            Ok(()) => match BetweenChats::of(spec, track.scope()) {
                Ok(customers) => self.between_chats = customers,
                Err(error) => {
                    let failure = track.failed_outside_steps("loop_delay", &error);
                    self.fail_setup(failure, track.take_trace());
                }
            },
            // What told it to end is noted. No setup ends by itself.
            Err(Interrupt::Stopped | Interrupt::Passed) => {}
            Err(Interrupt::Failed(failure)) => self.fail_setup(failure, track.take_trace()),
        }
        let (scope, correlation) = (track.scope().clone(), track.captures());
        self.set_up = track.leftover();
        if self.set_up.has_opened() && !spec.scenario.teardown.is_empty() {
            self.emit(&RunEvent::ChatNamed {
                chat: 0,
                correlation,
            });
        }
        scope
    }

    /// A probe exists to run its chat, so one that cannot even begin is a failed chat: an outage
    /// must not look like silence. Of a burst it is emitted like one, and not counted.
    fn fail_setup(&mut self, failure: Failure, trace: Trace) {
        let run = &self.context.spec.identity;
        let is_chat = run.subject.mode == Mode::Probe;
        let chat = u64::from(is_chat);
        let duration = Duration::ZERO;
        if is_chat {
            self.emit(&RunEvent::ChatStarted {
                lateness: Duration::ZERO,
            });
        }
        self.emit(&RunEvent::ChatFailed(Arc::new(FailedChat {
            chat,
            failed_at: jiff::Timestamp::now(),
            duration,
            failure: failure.clone(),
            correlation: Vec::new(),
            trace,
        })));
        if is_chat {
            self.emit(&RunEvent::ChatEnded {
                chat,
                ending: Ending::Failed(failure.clone()),
                duration,
                correlation: Vec::new(),
            });
        }
        self.course.setup_failed = Some(failure);
        self.tally.note_failed_end(EndedBy::Setup);
    }

    /// Performs the teardown with the variables of the setup.
    pub(super) async fn tear_down(&mut self, scope: Scope) {
        let chat = ChatState::outside_chats(self.context.clone());
        let spec = &chat.context.spec;
        let mut track = Track::new(&chat, scope, GracePeriod::Teardown);
        track.begin_trace();
        track.limit_time();
        let teardown = track.perform_regardless(&spec.scenario.teardown);
        let result = self.attend(teardown).await;
        let failed = result.is_err();
        if let Err(interrupt) = result {
            self.emit_teardown_failed(interrupt);
        }
        let run = &spec.identity.id;
        let correlation = track.captures();
        let leftover = std::mem::take(&mut self.set_up).after(track.leftover());
        if let Some(why) = leftover.why(false) {
            if !failed {
                tracing::warn!(%run, ?correlation, "something of the setup may be left at the target: {why}");
            }
            self.emit(&RunEvent::LeftOpen {
                chat: 0,
                correlation,
                why,
            });
        }
    }

    fn emit_teardown_failed(&self, interrupt: Interrupt) {
        let run = &self.context.spec.identity;
        let failure = match interrupt {
            Interrupt::Failed(failure) => Some(failure),
            Interrupt::Stopped | Interrupt::Passed => None,
        };
        let why = failure
            .as_ref()
            .map_or_else(|| "it was cut short".to_owned(), ToString::to_string);
        tracing::warn!(run = %run.id, "the teardown failed, something may be left at the target: {why}");
        self.emit(&RunEvent::TeardownFailed { failure });
    }
}
