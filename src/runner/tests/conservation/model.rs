//! What a case comes to, worked out from its script alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    chat::{Chat, failure},
    script::{Act, Address, Answer, Case, GRID, Letter},
};
use crate::{
    event::{Fate, Verdict},
    runner::ChatCounts,
    scenario::Reason,
};

/// How long an event waits for its key.
pub(super) const EARLY_FOR: u64 = 1_000;
/// Between two looks at what has waited too long, and when the first one is.
pub(super) const SWEEP: (u64, u64) = (5 * GRID, 643);
/// How often a run looks at its thresholds, and how long chats have then.
const HEARTBEAT: u64 = 100;
const ANSWERS_AFTER_ABORT: u64 = 10_000;
const CLEANUP_AFTER_ABORT: u64 = 10_000;

pub(super) type Fates = BTreeMap<Fate, u64>;
/// How often each step came to what.
pub(super) type Outcomes = BTreeMap<(String, End), u64>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) chats: ChatCounts,
    /// Of the stopped ones.
    pub(super) gracefully_stopped: u64,
    /// By number: how it ended, and after how many milliseconds its steps were over.
    pub(super) endings: BTreeMap<u64, (End, u64)>,
    pub(super) steps: Outcomes,
    /// Events that came while the run was in progress.
    pub(super) fates: Fates,
    /// Events that came at any time, but for those that came to nowhere.
    pub(super) all_fates: Fates,
    pub(super) nowhere: u64,
    /// Events of the run that came on the path of another.
    pub(super) through_other_callbacks: u64,
    pub(super) verdict: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Passed,
    Stopped,
    Failed(Reason),
}

/// When the run is told to end: no more starts; no more steps; no more `always`.
#[derive(Debug, Clone, Copy)]
struct Cuts {
    starts: u64,
    steps: u64,
    /// Whether that is the graceful stop, which no order has given.
    gracefully: bool,
    cleanup: u64,
    teardown: u64,
}

const NEVER: Cuts = Cuts {
    starts: u64::MAX,
    steps: u64::MAX,
    gracefully: false,
    cleanup: u64::MAX,
    teardown: u64::MAX,
};

pub(super) fn predict(case: &Case) -> Outlook {
    let (due, ordered) = schedule(case);
    let last_start = due.last().copied().unwrap_or_default();
    let over = last_start.min(ordered.starts);
    let graceful = (case.graceful_stop).map_or(u64::MAX, |time| over.saturating_add(time));
    let cuts = Cuts {
        steps: ordered.steps.min(graceful),
        gracefully: graceful < ordered.steps,
        ..ordered
    };
    let whole = Run::perform(case, &due, cuts);
    let Some(abort) = case.most_failed.and_then(|most| whole.abort_at(case, most)) else {
        return whole
            .outlook(cuts, false)
            .stopped_by(graceful, ordered.steps);
    };
    let cuts = Cuts {
        starts: abort,
        steps: abort.min(graceful),
        gracefully: graceful < abort,
        cleanup: abort + ANSWERS_AFTER_ABORT + CLEANUP_AFTER_ABORT,
        teardown: abort + ANSWERS_AFTER_ABORT + 2 * CLEANUP_AFTER_ABORT,
    };
    let outlook = Run::perform(case, &due, cuts).outlook(cuts, true);
    outlook.stopped_by(graceful, abort)
}

/// When arrivals are due, pauses taken into account, and when all is cut short.
fn schedule(case: &Case) -> (Vec<u64>, Cuts) {
    let chats = u64::try_from(case.answers.len()).unwrap();
    let mut due: Vec<u64> = (0..chats).map(|chat| chat * case.load.gap).collect();
    let mut paused = None;
    for &(at, act) in &case.orders {
        let cuts = match act {
            Act::Pause => {
                paused = Some(at);
                continue;
            }
            Act::Resume => {
                let since = paused.take().unwrap_or(at);
                for due in due.iter_mut().filter(|due| **due > since) {
                    *due += at - since;
                }
                continue;
            }
            Act::Finish => NEVER,
            Act::End { cleanup } => Cuts {
                steps: at,
                cleanup: at + cleanup,
                teardown: at + 2 * cleanup,
                ..NEVER
            },
        };
        if let Some(since) = paused {
            // They wait for a resumption that does not come.
            due.iter_mut()
                .filter(|due| **due > since)
                .for_each(|due| *due = u64::MAX);
        }
        return (due, Cuts { starts: at, ..cuts });
    }
    (due, NEVER)
}

/// One performance of the case.
struct Run<'a> {
    case: &'a Case,
    chats: Vec<Chat<'a>>,
    dropped: u64,
    /// When no more chats were to come.
    over: u64,
    fates: Vec<Option<Fate>>,
}

impl<'a> Run<'a> {
    fn perform(case: &'a Case, due: &[u64], cuts: Cuts) -> Self {
        let mut run = Self {
            case,
            chats: Vec::new(),
            dropped: 0,
            over: due.last().copied().unwrap_or_default().min(cuts.starts),
            fates: vec![None; case.letters.len()],
        };
        for (number, &start) in (1..).zip(due).filter(|(_, start)| **start < cuts.starts) {
            let active = run.chats.iter().filter(|chat| chat.now > start).count();
            let capacity = case.load.capacity;
            if capacity.is_some_and(|capacity| active as u64 >= capacity) {
                run.dropped += 1;
            } else {
                let chat = run.chat(number, start, cuts);
                run.chats.push(chat);
            }
        }
        run.settle_the_rest();
        run
    }

    fn chat(&mut self, number: u64, start: u64, cuts: Cuts) -> Chat<'a> {
        let answer = &self.case.answers[usize::try_from(number).unwrap() - 1];
        let mut chat = Chat::new(self.case, number, start);
        let mut ending = self.open(answer, &mut chat);
        if let Some(key) = chat.key {
            chat.mail = self.mail(key, start);
        }
        chat.record("open", ending);
        chat.patience = cuts.steps;
        ending = ending.and_then(|()| chat.perform_steps());
        chat.ending = ending.err().unwrap_or(End::Passed);
        chat.steps_over = chat.now;
        chat.is_cut_short &= !cuts.gracefully;
        chat.patience = cuts.cleanup;
        chat.clean_up();
        self.settle(&chat);
        chat
    }

    fn open(&self, answer: &Answer, chat: &mut Chat<'_>) -> Result<(), End> {
        failure(answer.trouble)?;
        let held = |other: &Chat<'_>| other.key == Some(answer.key) && other.now > chat.start;
        if self.chats.iter().any(held) {
            return Err(End::Failed(Reason::Capture));
        }
        chat.key = Some(answer.key);
        Ok(())
    }

    /// The letters that reach a chat which claims its key now, as long as it has it.
    fn mail(&self, key: usize, start: u64) -> Vec<usize> {
        let is_first = !self.chats.iter().any(|chat| chat.key == Some(key));
        let letters = self.case.letters.iter().enumerate();
        let reaches = |at: usize, sent: u64| {
            self.fates[at].is_none() && (sent > start || is_first && !self.expires(sent, start))
        };
        let mine = letters.filter(|(_, letter)| letter.to == Address::Key(key));
        mine.filter(|(at, letter)| reaches(*at, letter.at))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether an early event is given up between its arrival and this moment: there are looks at
    /// what has waited too long at all times, and when another one comes early.
    fn expires(&self, arrived: u64, until: u64) -> bool {
        let (period, first) = SWEEP;
        let sweeps = (0..).map(|number| first + number * period);
        let sweep = sweeps.take_while(|at| *at < until).last();
        let is_early = |letter: &Letter| match letter.to {
            Address::Key(key) => {
                let claims = self.chats.iter().filter(|chat| chat.key == Some(key));
                claims
                    .map(|chat| chat.start)
                    .min()
                    .is_none_or(|claim| letter.at < claim)
            }
            Address::Nobody | Address::Garbage | Address::Nowhere => false,
        };
        let others = self.case.letters.iter().filter(|letter| is_early(letter));
        let other = others.map(|letter| letter.at).rfind(|at| *at < until);
        sweep
            .max(other)
            .is_some_and(|last| last >= arrived + EARLY_FOR)
    }

    fn settle(&mut self, chat: &Chat<'_>) {
        // The paths on which each event came, this run's and the other one's.
        let mut ids = HashMap::<_, HashSet<bool>>::new();
        for &at in &chat.mail {
            let letter = &self.case.letters[at];
            if letter.at > chat.now {
                continue;
            }
            let mut paths = letter.identity().map(|id| ids.entry(id).or_default());
            let is_new = paths.as_ref().is_none_or(|paths| paths.is_empty());
            let on_new_path = (paths.as_mut()).is_none_or(|paths| paths.insert(letter.elsewhere));
            self.fates[at] = Some(match (is_new, on_new_path) {
                (true, _) if chat.consumed.contains(&at) => Fate::Consumed,
                (true, _) => Fate::Ignored,
                (false, true) => Fate::OtherCallback,
                (false, false) => Fate::Duplicate,
            });
        }
    }

    fn settle_the_rest(&mut self) {
        for (letter, fate) in self.case.letters.iter().zip(&mut self.fates) {
            let claimed = |key| {
                let mut chats = self.chats.iter();
                chats.any(|chat| chat.key == Some(key) && chat.start < letter.at)
            };
            fate.get_or_insert_with(|| match letter.to {
                Address::Key(key) if claimed(key) => Fate::Late,
                Address::Key(_) => Fate::EarlyExpired,
                Address::Garbage => Fate::Rejected,
                Address::Nobody | Address::Nowhere => Fate::Unknown,
            });
        }
    }

    fn last_end(&self) -> u64 {
        let ends = self.chats.iter().map(|chat| chat.now);
        ends.fold(self.over, u64::max)
    }

    /// The first look at the thresholds that finds too many failures, which nothing that is still
    /// to come can make good.
    fn abort_at(&self, case: &Case, most_failed: u64) -> Option<u64> {
        let looks = (1..).map(|look| look * HEARTBEAT);
        let mut looks = looks.take_while(|look| *look < self.last_end());
        let total = u64::try_from(case.answers.len()).unwrap();
        looks.find(|look| {
            let ended = self.chats.iter().filter(|chat| chat.now < *look);
            let failed = ended.filter(|chat| matches!(chat.ending, End::Failed(_)));
            failed.count() as u64 * 100 > most_failed * total
        })
    }

    fn outlook(&self, cuts: Cuts, aborted: bool) -> Outlook {
        let mut outlook = Outlook::default();
        for chat in &self.chats {
            outlook.add(chat);
            let at_once = self.chats.iter();
            let at_once =
                at_once.filter(|other| other.start <= chat.start && other.now > chat.start);
            let most = &mut outlook.chats.most_in_progress;
            *most = (*most).max(at_once.count() as u64);
        }
        outlook.chats.dropped = self.dropped;
        let last_end = self.last_end();
        let over = (last_end + GRID).min(cuts.teardown.max(last_end));
        for (letter, fate) in self.case.letters.iter().zip(self.fates.iter().flatten()) {
            if letter.to == Address::Nowhere {
                outlook.nowhere += 1;
                continue;
            }
            *outlook.all_fates.entry(*fate).or_default() += 1;
            // What nobody claimed belongs to the run on whose path it came.
            let other = letter.is_elsewhere();
            if letter.at < over && !(other && *fate == Fate::EarlyExpired) {
                *outlook.fates.entry(*fate).or_default() += 1;
                outlook.through_other_callbacks += u64::from(other);
            }
        }
        // Once no chat is due any more, a stop counts if it cuts one short.
        let early = self.over == cuts.starts;
        let cut_short = self.chats.iter().any(|chat| chat.is_cut_short);
        let stopped = !aborted && cuts.starts <= last_end && (early || cut_short);
        outlook.verdict = Some(self.verdict(&outlook.chats, stopped, aborted));
        outlook
    }

    fn verdict(&self, chats: &ChatCounts, stopped: bool, aborted: bool) -> Verdict {
        let ended = chats.passed + chats.failed;
        let held = match self.case.most_failed {
            None => chats.failed == 0,
            Some(most) => ended > 0 && chats.failed * 100 <= most * ended,
        };
        match (aborted, stopped, held) {
            (true, ..) | (_, false, false) => Verdict::Failed,
            (_, true, _) => Verdict::Stopped,
            (_, _, true) => Verdict::Passed,
        }
    }
}

impl Outlook {
    /// Whatever comes first leaves no chat at its steps.
    fn stopped_by(mut self, graceful: u64, other: u64) -> Self {
        if graceful < other {
            self.gracefully_stopped = self.chats.stopped;
        }
        self
    }

    fn add(&mut self, chat: &Chat<'_>) {
        self.chats.started += 1;
        match chat.ending {
            End::Passed => self.chats.passed += 1,
            End::Stopped => self.chats.stopped += 1,
            End::Failed(reason) => {
                self.chats.failed += 1;
                *self.chats.failed_by_reason.entry(reason).or_default() += 1;
            }
        }
        let duration = chat.steps_over - chat.start;
        self.endings.insert(chat.number, (chat.ending, duration));
        for outcome in &chat.outcomes {
            *self.steps.entry(outcome.clone()).or_default() += 1;
        }
    }
}
