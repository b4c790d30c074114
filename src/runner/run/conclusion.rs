//! The end of a run.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::RunTask;
use crate::{
    event::{DeliveryFate, RunEvent, RunObservers, Verdict},
    runner::verdict::judge,
    scenario::Reason,
};

/// How long a run that is over waits for its last connections to end. A chat that was cut short leaves them a second.
const LONGEST_CLOSES: Duration = Duration::from_secs(5);

impl RunTask {
    /// Waits in a bound until the connections of the chats have ended: what is told of them belongs to the run.
    pub(super) async fn await_connections(&mut self) {
        let clients = self
            .members
            .iter()
            .map(|member| member.context.clients.clone());
        let clients: Vec<_> = clients.collect();
        let closed = async move {
            let closed = clients
                .iter()
                .map(|clients| clients.all_closed(LONGEST_CLOSES));
            join_all(closed).await.into_iter().sum::<usize>()
        };
        let open = self.attend(closed).await;
        if open > 0 {
            let run = &self.spec.identity.id;
            tracing::warn!(%run, open, "connections of chats are open still; they end with the process");
        }
    }

    /// Everything is over: the path is closed, which settles the last events, then the counts are
    /// checked and the verdict is given.
    pub(super) fn conclude(self) {
        let Self {
            engine,
            spec,
            ending,
            observers,
            members,
            tally,
            mut course,
            ended,
            heard,
            dropped_before,
            ..
        } = self;
        let dropped = engine.exchange.dropped_connections();
        course.dropped_connections = dropped.saturating_sub(dropped_before);
        let (beats, _) = engine.vitals.since(heard);
        tally.note_beats(&beats);
        if course.stopped_late && !course.aborted && !ending.has_cut_short() {
            course.stopped = None;
            tally.withdraw_end();
        }
        let of_members: Vec<_> = members
            .into_iter()
            .map(|member| {
                if let Some(ledger) = &member.context.ledger {
                    ledger.finish(Instant::now());
                }
                // No chat is left, so this was the last owner of the path.
                member.context.observers.clone()
            })
            .collect();
        let standing = tally.look();
        let (verdict, reasons) = judge(&standing, &course, &spec.thresholds, &engine.budget);
        let reason = reasons.first().cloned();
        tally.conclude(verdict, reasons);
        tally.warn_of_open_chats();
        let chats = tally.chats();
        if spec.mix.is_mixed() {
            let ended = |observers: &RunObservers| observers.emit(&RunEvent::MemberEnded);
            of_members.iter().for_each(ended);
        }
        let lost = standing.measured.deliveries.of(DeliveryFate::Lost);
        observers.emit(&RunEvent::Ended {
            verdict,
            reason,
            all_passed: verdict != Verdict::Invalid
                && chats.started > 0
                && chats.passed == chats.started
                && lost == 0,
            failed_for: chats
                .failed_by_reason
                .iter()
                .max_by_key(|(_, count)| **count)
                .map(|(reason, _)| *reason)
                // What was lost did not come in time.
                .or((lost > 0).then_some(Reason::Timeout)),
        });
        ended.send_replace(true);
    }
}
