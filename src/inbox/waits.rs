use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    task::{consume_budget, yield_now},
    time::Instant,
};

use super::{
    EventSender, Inbound, Owner, TrackWait, WaitError,
    alarm::Alarm,
    content::Content,
    cursor::{Candidate, Cursor},
    sender::SharedInbox,
};
use crate::{
    event::Fate,
    scenario::{Match, WaitSources},
};

/// How long a wait judges events before it lets other tasks of its worker run.
const LONGEST_TURN: Duration = Duration::from_millis(1);

/// The inbound events of one chat. Whatever is left when it is dropped is settled as ignored or as a repetition, and
/// what is sent later is late.
#[derive(Debug)]
pub struct Inbox(Arc<SharedInbox>);

impl Inbox {
    /// An empty inbox of the chat with this number, whose events belong to `owner`.
    pub fn new(owner: Arc<Owner>, chat: u64) -> Self {
        Self(SharedInbox::new(owner, chat))
    }

    /// By which a source puts events into it.
    pub fn sender(&self) -> EventSender {
        EventSender::new(self.0.clone())
    }

    /// Waits for the first event or frame of these sources that `judge` wants and that arrived between `since` and
    /// `deadline`, and takes it: each serves one wait. Several waits may go on at a time; an event of a callback serves
    /// one of each track that may wait for it.
    ///
    /// A wait for frames is over when it comes to the end of the last of its connections. No wait takes an end: each one
    /// meets it.
    ///
    /// `read` is called before the wait is left to be woken: it may put in what is there for the inbox.
    ///
    /// `judge` is called once for each event at the most, in their order, and not while the inbox is locked. What
    /// counts is when an event arrived, not when this task looked: one that came in time is taken even if the task
    /// wakes after the deadline. A wait that is dropped takes nothing.
    pub fn wait(
        &self,
        sources: WaitSources,
        since: Instant,
        deadline: Instant,
        judge: impl FnMut(&Inbound) -> Match,
        read: impl FnMut(&Context<'_>),
    ) -> impl Future<Output = Result<Inbound, WaitError>> {
        self.wait_in_track(None, sources, since, deadline, judge, read)
    }

    /// The same for a track of the chat, if several go on side by side.
    pub fn wait_in_track(
        &self,
        track: Option<TrackWait>,
        sources: WaitSources,
        since: Instant,
        deadline: Instant,
        mut judge: impl FnMut(&Inbound) -> Match,
        mut read: impl FnMut(&Context<'_>),
    ) -> impl Future<Output = Result<Inbound, WaitError>> {
        let mut cursor = Cursor::new(sources, since, deadline, track);
        // Not an async function, which would have room for its arguments twice: many chats wait at a time.
        async move {
            let mut waiting = Waiting::begin(&self.0);
            let mut is_in_time = true;
            loop {
                if let Some(decided) = self.look(&mut cursor, &mut judge).await {
                    return decided;
                }
                if !is_in_time {
                    return Err(self.timeout(&mut cursor, &mut judge).await);
                }
                let arrival = |context: &mut Context<'_>| {
                    self.poll_arrival(&cursor, &mut waiting, &mut read, context)
                };
                is_in_time = poll_fn(arrival).await;
            }
        }
    }

    /// Completes when there is an event that a wait has not looked at, and says whether that is in time.
    fn poll_arrival(
        &self,
        cursor: &Cursor,
        waiting: &mut Waiting<'_>,
        read: &mut impl FnMut(&Context<'_>),
        task: &mut Context<'_>,
    ) -> Poll<bool> {
        {
            let mut content = self.0.content();
            if content.has_more(cursor) {
                return Poll::Ready(true);
            }
            // It looks again behind this, and must not wake itself.
            waiting.forget(&mut content);
        }
        read(task);
        {
            let mut content = self.0.content();
            if content.has_more(cursor) {
                return Poll::Ready(true);
            }
            waiting.remember(&mut content, task.waker());
        }
        waiting.poll_until(cursor.deadline(), task).map(|()| false)
    }

    /// Tracks that went on side by side are over: what one of them has taken is for nobody any more.
    pub fn drop_taken(&self) {
        self.0.content().drop_taken();
    }

    /// For how many events it has room without an allocation.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.0.content().capacity()
    }

    /// Judges the events that a wait has not looked at, until one decides it.
    async fn look(
        &self,
        cursor: &mut Cursor,
        judge: &mut impl FnMut(&Inbound) -> Match,
    ) -> Option<Result<Inbound, WaitError>> {
        let mut turn = WorkerTurn::begin();
        loop {
            match self.judge_next(cursor, judge) {
                Judged::Nothing => return None,
                Judged::Decided(decided) => return Some(decided),
                Judged::Passed => turn.pass().await,
            }
        }
    }

    fn judge_next(&self, cursor: &mut Cursor, judge: &mut impl FnMut(&Inbound) -> Match) -> Judged {
        let next = self.0.content().next(cursor);
        let (number, inbound) = match next {
            None => return Judged::Nothing,
            Some(Candidate::End { reason, how }) => {
                let how = how.as_str().unwrap_or_default().into();
                return Judged::Decided(Err(WaitError::Ended { reason, how }));
            }
            Some(Candidate::Event { number, inbound }) => (number, inbound),
        };
        let found = judge(&inbound);
        if !cursor.is_decided_by(&inbound, &found) {
            return Judged::Passed;
        }
        let taken = self.0.content().take(number, cursor.track());
        // Another wait may have taken it meanwhile.
        let Some(taken) = taken else {
            return Judged::Passed;
        };
        let inbound = taken.inbound;
        if !taken.is_settled {
            self.0.owner.settle_entry(inbound.source, Fate::Consumed);
        }
        Judged::Decided(match found {
            Match::Disconnected => Err(WaitError::Disconnected),
            Match::Exceeded(error) => Err(WaitError::Exceeded(error)),
            Match::Wanted | Match::Other => Ok(inbound),
        })
    }

    /// Why a wait ends that no event decided.
    async fn timeout(
        &self,
        cursor: &mut Cursor,
        judge: &mut impl FnMut(&Inbound) -> Match,
    ) -> WaitError {
        let mut turn = WorkerTurn::begin();
        while let Some(number) = cursor.next_not_judged() {
            let inbound = self.0.content().get(number).cloned();
            match inbound.as_ref().map(&mut *judge) {
                Some(Match::Exceeded(error)) => return WaitError::Exceeded(error),
                Some(found) => cursor.note(&found),
                None => {}
            }
            turn.pass().await;
        }
        let passed = cursor.take_passed();
        let content = self.0.content();
        let mut duplicates = content.duplicates();
        duplicates.add(passed.duplicates);
        WaitError::Timeout {
            passed_over: passed.others,
            too_early: passed.too_early,
            duplicates,
            fell_out: content.fell_out(),
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.content().close(&self.0.owner);
    }
}

/// A wait in progress, as the inbox knows it.
struct Waiting<'a> {
    inbox: &'a SharedInbox,
    /// `None` before it is to be woken for the first time.
    number: Option<u32>,
    /// `None` before it needs one.
    alarm: Option<Alarm>,
}

impl<'a> Waiting<'a> {
    fn begin(inbox: &'a SharedInbox) -> Self {
        Self {
            inbox,
            number: None,
            alarm: None,
        }
    }

    /// What comes wakes it, until it is woken.
    fn remember(&mut self, content: &mut Content, task: &Waker) {
        let number = *self.number.get_or_insert_with(|| content.begin_wait());
        if self.alarm.is_none() {
            self.alarm = content.take_alarm();
        }
        content.waiters().add(number, task);
    }

    /// What comes does not wake it.
    fn forget(&self, content: &mut Content) {
        if let Some(number) = self.number {
            content.waiters().remove(number);
        }
    }

    fn poll_until(&mut self, at: Instant, task: &mut Context<'_>) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| Alarm::new(at));
        alarm.poll_at(at, task)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.number.is_none() {
            return;
        }
        let mut content = self.inbox.content();
        self.forget(&mut content);
        if let Some(alarm) = self.alarm.take() {
            content.leave_alarm(alarm);
        }
    }
}

/// What the next event did for a wait.
enum Judged {
    /// There is none.
    Nothing,
    /// It did not decide the wait.
    Passed,
    Decided(Result<Inbound, WaitError>),
}

/// The time for which a wait keeps its worker from other tasks.
struct WorkerTurn(Instant);

impl WorkerTurn {
    fn begin() -> Self {
        Self(Instant::now())
    }

    /// Ends the turn if it has been long.
    async fn pass(&mut self) {
        if self.0.elapsed() < LONGEST_TURN {
            consume_budget().await;
        } else {
            yield_now().await;
            *self = Self::begin();
        }
    }
}
