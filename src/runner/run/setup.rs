//! The setup and the teardown of a run, during which it follows orders.

use std::{sync::Arc, time::Duration};

use super::RunTask;
use crate::{
    event::{EndedBy, Ending, FailedChat, Failure, Mode, RunEvent, Trace},
    runner::{
        between_chats::BetweenChats,
        chat_state::ChatState,
        context::{GracePeriod, RunContext},
        track::{Interrupt, Track},
    },
    scenario::Scope,
};

impl RunTask {
    /// Performs the setup of each member, one after the other, until one fails.
    pub(super) async fn set_up(&mut self) {
        for member in 0..self.members.len() {
            self.set_up_member(member).await;
            if self.course.setup_failed.is_some() || self.ending.is_over(GracePeriod::None) {
                return;
            }
        }
    }

    async fn set_up_member(&mut self, member: usize) {
        let chat = ChatState::outside_chats(self.members[member].context.clone());
        let scenario = &chat.context.chats.scenario;
        let mut track = Track::new(&chat, chat.context.scope(), GracePeriod::None);
        track.begin_trace();
        track.limit_time();
        let result = self.attend(track.perform_all(&scenario.setup)).await;
        if result.is_ok() {
            track.note_passed();
        }
        match result {
            Ok(()) => match BetweenChats::of(&chat.context, track.scope()) {
                Ok(customers) => self.members[member].between_chats = customers,
                Err(error) => {
                    let failure = track.failed_outside_steps("loop_delay", &error);
                    self.fail_setup(&chat.context, failure, track.take_trace());
                }
            },
            // What told it to end is noted. No setup ends by itself.
            Err(Interrupt::Stopped | Interrupt::Passed) => {}
            Err(Interrupt::Failed(failure)) => {
                self.fail_setup(&chat.context, failure, track.take_trace());
            }
        }
        let (scope, correlation) = (track.scope().clone(), track.captures());
        let left = track.leftover();
        if left.has_opened() && !scenario.teardown.is_empty() {
            chat.context.emit(&RunEvent::ChatNamed {
                chat: 0,
                correlation,
            });
        }
        let member = &mut self.members[member];
        member.set_up = left;
        member.scope = Some(Arc::new(scope));
    }

    /// A probe exists to run its chat, so one that cannot even begin is a failed chat: an outage
    /// must not look like silence. Of a burst it is emitted like one, and not counted.
    fn fail_setup(&mut self, context: &RunContext, failure: Failure, trace: Trace) {
        let is_chat = context.identity.subject.mode == Mode::Probe;
        let chat = u64::from(is_chat);
        let duration = Duration::ZERO;
        if is_chat {
            context.emit(&RunEvent::ChatStarted {
                lateness: Duration::ZERO,
            });
        }
        context.emit(&RunEvent::ChatFailed(Arc::new(FailedChat {
            chat,
            failed_at: jiff::Timestamp::now(),
            duration,
            failure: failure.clone(),
            correlation: Vec::new(),
            trace,
        })));
        if is_chat {
            context.emit(&RunEvent::ChatEnded {
                chat,
                ending: Ending::Failed(failure.clone()),
                duration,
                correlation: Vec::new(),
            });
        }
        self.course.setup_failed = Some(failure);
        self.tally.note_failed_end(EndedBy::Setup);
    }

    /// Performs the teardown of each member for which something was set up, with the variables of its setup.
    pub(super) async fn tear_down(&mut self) {
        for member in 0..self.members.len() {
            if let Some(scope) = self.members[member].scope.take() {
                self.tear_down_member(member, (*scope).clone()).await;
            }
        }
    }

    async fn tear_down_member(&mut self, member: usize, scope: Scope) {
        let chat = ChatState::outside_chats(self.members[member].context.clone());
        let scenario = &chat.context.chats.scenario;
        let mut track = Track::new(&chat, scope, GracePeriod::Teardown);
        track.begin_trace();
        track.limit_time();
        let teardown = track.perform_regardless(&scenario.teardown);
        let result = self.attend(teardown).await;
        let failed = result.is_err();
        if let Err(interrupt) = result {
            self.emit_teardown_failed(interrupt);
        }
        let run = &chat.context.identity.id;
        let correlation = track.captures();
        let set_up = &mut self.members[member].set_up;
        let leftover = std::mem::take(set_up).after(track.leftover());
        if let Some(why) = leftover.why(false) {
            if !failed {
                tracing::warn!(%run, ?correlation, "something of the setup may be left at the target: {why}");
            }
            chat.context.emit(&RunEvent::LeftOpen {
                chat: 0,
                correlation,
                why,
            });
        }
    }

    fn emit_teardown_failed(&self, interrupt: Interrupt) {
        let run = &self.spec.identity;
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
