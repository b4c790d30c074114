mod open_part;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use self::open_part::{InProgress, OpenPart};
use super::{
    ChatCounts, RunRecord, RunReport, RunSpec, RunState, SearchReport, Snapshot, ThresholdReport,
    failed_frames::FailedFrames,
    measurements::Measurements,
    pace::{Asked, RecentStarts},
    pacing::Wanted,
    sample::Sample,
    snapshot::{RunNotes, RunOrigin},
    timeline::{Timeline, WholeSecond},
    window::Window,
};
use crate::{
    event::{EndedBy, Ending, RunEvent, RunIdentity, RunObserver, Verdict},
    load::{Measured, Threshold},
    vitals::Beat,
};

/// The counters of one run, kept from its events alone.
///
/// An event is recorded once, into the part of the run that is open. Whoever looks, and the run itself once a second,
/// puts an empty part in its place, which takes chats nothing but the exchange of two values, and adds what was
/// measured to the second in progress. What is over stays as it is, so that a look takes a reference to it.
#[derive(Debug)]
pub struct Tally {
    origin: Arc<RunOrigin>,
    began: Instant,
    /// What every event of a chat needs. Held for the recording of one, and for an exchange.
    open: Mutex<OpenPart>,
    /// What whoever looks needs, and no chat. Taken before `open` where both are.
    past: Mutex<Past>,
    /// What passed over the connections of the latest failed chats. Held for as long as it takes to note one.
    failed_frames: Mutex<FailedFrames>,
}

/// What was measured before.
#[derive(Debug)]
struct Past {
    notes: RunNotes,
    recent: RecentStarts,
    /// Of the seconds that are over.
    seconds: Arc<Measurements>,
    /// Of the second in progress, so far as it was taken from the open part.
    second: Measurements,
    /// Empty, to be exchanged for the open part.
    spare: Measurements,
    /// The step of a search in progress.
    window: Option<Window>,
    timeline: Timeline,
    /// Whether somebody takes its seconds with how it stood at their end.
    followed: bool,
    /// How it stood at the end of the last second, or at the beginning; `None` if nobody followed the run then.
    last_second: Option<Arc<Snapshot>>,
}

/// Seconds of a run that are over, and how the run stood behind the last of all its seconds so far.
#[derive(Debug, Clone)]
pub struct WholeSeconds {
    /// The seconds from the one that was asked for on.
    pub seconds: Vec<WholeSecond>,
    /// The number of the next one.
    pub next: u64,
    /// How the run stood when the second before `next` ended, to which all seconds add up.
    pub at_end: Arc<Snapshot>,
}

impl Tally {
    /// The counters of a run in which nothing has happened yet.
    pub fn new(spec: &Arc<RunSpec>) -> Self {
        let nothing = || Measurements::of(&spec.mix);
        let tally = Self {
            began: Instant::now(),
            origin: Arc::new(RunOrigin {
                spec: spec.clone(),
                started_at: jiff::Timestamp::now(),
            }),
            open: Mutex::new(OpenPart::new(nothing())),
            past: Mutex::new(Past {
                notes: RunNotes::default(),
                recent: RecentStarts::default(),
                seconds: Arc::new(nothing()),
                second: nothing(),
                spare: nothing(),
                window: None,
                timeline: Timeline::default(),
                followed: false,
                last_second: None,
            }),
            failed_frames: Mutex::default(),
        };
        let begun = Arc::new(tally.look());
        tally.past().last_second = Some(begun);
        tally
    }

    /// The run's name, subject and trigger.
    pub fn identity(&self) -> &Arc<RunIdentity> {
        &self.origin.spec.identity
    }

    pub(super) fn enter(&self, state: RunState) {
        self.open().state = state;
    }

    pub(super) fn conclude(&self, verdict: Verdict, reasons: Vec<String>) {
        let mut past = self.past();
        let elapsed = self.elapsed(&past);
        let notes = &mut past.notes;
        notes.ended_by.get_or_insert(EndedBy::Load);
        notes.ended = Some(elapsed);
        notes.verdict = Some(verdict);
        notes.verdict_reasons = reasons;
        self.enter(RunState::Ended);
        self.close_second(&mut past, elapsed);
    }

    /// Logs one of the chats that may still be open at the target, if there is one.
    pub(super) fn warn_of_open_chats(&self) {
        let measured = self.look().measured;
        if let Some(first) = measured.orphans().find(|orphan| orphan.chat > 0) {
            tracing::warn!(
                run = %self.identity().id,
                total = measured.orphans_total,
                chat = first.chat,
                correlation = ?first.correlation,
                why = first.why,
                "chats, and what the setup made, may still be open at the target; `orphans` in the report of the run lists them"
            );
        }
    }

    /// Something ends the run, unless something did so before.
    pub(super) fn note_end(&self, by: EndedBy) {
        self.past().notes.ended_by.get_or_insert(by);
    }

    /// Something fails the run and ends it, whatever stopped it before: the verdict names this.
    pub(super) fn note_failed_end(&self, by: EndedBy) {
        self.past().notes.ended_by = Some(by);
    }

    /// What was noted did not end the run: its load was through, and nothing was cut short.
    pub(super) fn withdraw_end(&self) {
        self.past().notes.ended_by = None;
    }

    /// The graceful stop has passed with chats in flight.
    pub(super) fn note_graceful_stop(&self) {
        self.past().notes.graceful_stop_exceeded = true;
    }

    /// An order tells the chats in progress to end.
    pub(super) fn note_end_of_chats(&self) {
        self.past().notes.ends_chats = true;
    }

    pub(super) fn ends_chats(&self) -> bool {
        self.past().notes.ends_chats
    }

    pub(super) fn note_change(&self, change: String) {
        self.past().notes.load_changed_to = Some(change);
    }

    pub(super) fn note_lag(&self, lag: Duration) {
        self.open().measured.scheduler_lag.record(lag);
    }

    pub(super) fn note_beats(&self, beats: &[Beat]) {
        let health = &mut self.open().measured.health;
        for beat in beats {
            health.note(beat);
        }
    }

    /// What the load profile wants by now and asks for from now on, and how long chats were to start so far.
    pub(super) fn ask(&self, wanted: Wanted, asked: Asked, scheduled: Duration) {
        let past = &mut *self.past();
        past.timeline.ask(wanted);
        past.notes.scheduled = scheduled;
        let started = self.open().chats.started;
        past.recent.note(asked, self.elapsed(past), started);
    }

    /// The load is another one from now on.
    pub(super) fn forget_pace(&self) {
        self.past().recent.forget();
    }

    /// Another moment of the run has passed.
    pub(super) fn tick(&self) {
        let mut past = self.past();
        let elapsed = self.elapsed(&past);
        if past.timeline.is_over(elapsed) {
            self.close_second(&mut past, elapsed);
        }
    }

    /// What happened second by second from this one on, in so many samples at most, and the number of the second behind
    /// them. Of a run that is over, the last sample is the rest of a second; beyond four hours old ones are of several seconds.
    pub fn samples(&self, from: u64, most: usize) -> (Vec<Arc<Sample>>, u64) {
        self.past().timeline.since(from, most)
    }

    /// The same with the histograms of each second, as long as they are there.
    pub fn seconds(&self, from: u64) -> (Vec<WholeSecond>, u64) {
        self.past().timeline.whole_since(from)
    }

    /// The same with how the run stood at the end of
    /// the last one. Of a run that nobody followed so, the first is how it stands at the moment.
    pub fn whole_seconds(&self, from: u64) -> WholeSeconds {
        let mut past = self.past();
        past.followed = true;
        let (seconds, next) = past.timeline.whole_since(from);
        let at_end = past.last_second.clone();
        let at_end = at_end.unwrap_or_else(|| Arc::new(self.look_at(&mut past).whole()));
        WholeSeconds {
            seconds,
            next,
            at_end,
        }
    }

    pub(super) fn note_search(&self, search: SearchReport) {
        self.past().notes.search = Some(search);
    }

    /// How far the search is, if there is one.
    pub(super) fn search(&self) -> Option<String> {
        let past = self.past();
        let search = past.notes.search.as_ref();
        search.map(|search| search.summary.clone())
    }

    /// Begins to keep what is measured from now on for itself besides.
    pub(super) fn open_window(&self) {
        let mut past = self.past();
        self.take_open(&mut past);
        past.window = Some(Window::default());
    }

    /// Looks at what is kept so, if it is.
    pub(super) fn in_window<T>(&self, look: impl FnOnce(&mut Window) -> T) -> Option<T> {
        let mut past = self.past();
        self.take_open(&mut past);
        past.window.as_mut().map(look)
    }

    /// Ends it.
    pub(super) fn close_window(&self) -> Option<Window> {
        let mut past = self.past();
        self.take_open(&mut past);
        past.window.take()
    }

    pub(super) fn state(&self) -> RunState {
        self.open().state
    }

    /// The chats as they stand at this moment.
    pub(super) fn chats(&self) -> ChatCounts {
        let mut past = self.past();
        let chats = self.take_open(&mut past).1;
        let mut sum = past.seconds.chats(chats.most);
        sum.add(&past.second.chats(chats.most));
        sum.in_progress = chats.now;
        sum
    }

    /// What a threshold is about, as measured so far.
    pub(super) fn measure(&self, threshold: &Threshold) -> Measured {
        let mix = &self.origin.spec.mix;
        let mut past = self.past();
        self.take_open(&mut past);
        let of = |part: &Measurements| part.measure(threshold, mix);
        let parts = (
            past.seconds.about(threshold, mix),
            past.second.about(threshold, mix),
        );
        match parts {
            (Some(sum), Some(rest)) => sum.measured_with(rest, threshold.measure()),
            _ => of(&past.seconds),
        }
    }

    /// A chat of one member of a mixed run has ended, which is counted besides with all chats.
    pub(super) fn chat_of_member_ended(&self, member: usize, ending: &Ending, took: Duration) {
        let mut open = self.open();
        open.measured.chat_of_member_ended(member, ending, took);
    }

    /// How the run stands.
    pub(super) fn look(&self) -> Snapshot {
        let taken = self.look_at(&mut self.past());
        // What takes time is done without a lock.
        taken.whole()
    }

    /// The figures as they stand.
    pub fn report(&self) -> RunReport {
        self.look().report()
    }

    /// Everything that is worth keeping.
    pub fn record(&self) -> RunRecord {
        let (taken, samples, batches) = {
            let mut past = self.past();
            let taken = self.look_at(&mut past);
            (
                taken,
                past.timeline.since(0, usize::MAX).0,
                past.timeline.batches(),
            )
        };
        taken.whole().record(samples, &batches)
    }

    /// The thresholds as they stand, for whoever does not need the whole report.
    pub(super) fn thresholds(&self) -> Vec<ThresholdReport> {
        self.look().thresholds()
    }

    /// Takes what was measured since the last time out of the way of chats, and adds it to the second in progress.
    fn take_open(&self, past: &mut Past) -> (RunState, InProgress) {
        let at_the_moment = {
            let mut open = self.open();
            std::mem::swap(&mut open.measured, &mut past.spare);
            (open.state, open.chats)
        };
        if !past.spare.is_empty() {
            if let Some(window) = &mut past.window {
                window.add(&past.spare);
            }
            past.second.merge(&past.spare);
            past.spare.clear();
        }
        at_the_moment
    }

    fn look_at(&self, past: &mut Past) -> Taken {
        let (state, chats) = self.take_open(past);
        let elapsed = self.elapsed(past);
        let seconds = Snapshot {
            origin: self.origin.clone(),
            state,
            notes: past.notes.clone(),
            elapsed,
            pace: past.recent.pace(elapsed, chats.started),
            most_in_progress: chats.most,
            measured: past.seconds.clone(),
            failed_frames: self.failed_frames().clone(),
        };
        let rest = (!past.second.is_empty()).then(|| past.second.clone());
        Taken { seconds, rest }
    }

    fn close_second(&self, past: &mut Past, elapsed: Duration) {
        let (_, chats) = self.take_open(past);
        past.timeline.close(elapsed, &past.second, chats.now);
        // The snapshot of the last second shares these sums: as long as it exists, `make_mut` copies them.
        past.last_second = None;
        Arc::make_mut(&mut past.seconds).merge(&past.second);
        past.second.clear();
        let at_end = past.followed.then(|| self.look_at(past).seconds);
        past.last_second = at_end.map(Arc::new);
    }

    fn elapsed(&self, past: &Past) -> Duration {
        past.notes.ended.unwrap_or_else(|| self.began.elapsed())
    }

    fn open(&self) -> MutexGuard<'_, OpenPart> {
        // Counters are whole after every statement, so a panic elsewhere does not spoil them.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed_frames(&self) -> MutexGuard<'_, FailedFrames> {
        let failed = self.failed_frames.lock();
        failed.unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a run stood when its last second was over, and what was measured since.
struct Taken {
    seconds: Snapshot,
    rest: Option<Measurements>,
}

impl Taken {
    fn whole(self) -> Snapshot {
        let mut snapshot = self.seconds;
        if let Some(rest) = &self.rest {
            Arc::make_mut(&mut snapshot.measured).merge(rest);
        }
        snapshot
    }
}

impl RunObserver for Tally {
    fn observe(&self, run: &Arc<RunIdentity>, event: &RunEvent) {
        if let RunEvent::TeardownFailed { failure } = event {
            self.past().notes.teardown_failed = Some(failure.as_ref().into());
            return;
        }
        if let RunEvent::ChatFailed(chat) = event
            && !chat.trace.frames.latest.is_empty()
        {
            self.failed_frames().note(chat);
        }
        self.open().record(run, event, || self.began.elapsed());
    }
}
