//! How many requests a run sends and how long its chats take at most, as far as its inputs decide before anything
//! is known of the target.

mod branches;
mod socket_name;
mod stay;
mod tracks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

pub use self::stay::ShortStay;
use self::{branches::Ends, socket_name::SocketName, stay::Publications};
use super::{
    Bounds, EvaluationError, Expression, Item, Otherwise, Quantity, Repeat, RunScope, Scenario,
    Scope, Setting, Step,
    condition::{Condition, StaticScope},
    extent::Extent,
};

/// Steps and pauses, each as often as its round comes, that are looked at one by one because something in a
/// repeat depends on the round. Beyond that the cost is told as bounds: counting them takes the time of a
/// processor, whoever asks.
const MOST_LOOKS: u64 = 20_000;
/// How long conditions and settings are computed: one that works on a long list takes milliseconds, and a round
/// may have many. What is not computed by then is told as bounds.
const MOST_TIME: Duration = Duration::from_secs(2);
/// Settings that cannot be computed and are told.
const MOST_ERRORS: usize = 5;

/// What a run asks of the target if all its steps pass, with what comes at most where steps say `else`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Requests of a chat, those of its `always` steps included.
    pub chat: Bounds,
    /// Requests of the setup and the teardown, once a run.
    pub around: Bounds,
    /// How long the steps of a chat take at most by their timeouts and think times, or by the deadline of the
    /// scenario; `None` where that is not known. Drawn think times count as [`Pause::longest`].
    ///
    /// [`Pause::longest`]: super::Pause::longest
    pub longest_chat: Option<Duration>,
    /// The same for its `always` steps, also where a step before has failed.
    pub longest_cleanup: Option<Duration>,
    /// Sockets that a chat holds at once: those whatever it meets, and those at most.
    pub sockets: Bounds,
    /// Messages behind which a chat may leave its room sooner than deliveries may take.
    pub short_stays: Vec<ShortStay>,
    /// For how many chats there are rows, with the name of the file that has them, if they may run out.
    pub rows: Option<(Arc<str>, u64)>,
    /// Why steps that are reached fail with these inputs, whatever the target does; a few of them.
    pub errors: Vec<EvaluationError>,
}

impl Cost {
    /// What chats cost each of which is one of these; the setups and teardowns of all of them come once a run.
    pub fn of_any(costs: impl IntoIterator<Item = Self>) -> Self {
        let either = |a: Bounds, b: Bounds| Bounds {
            least: a.least.min(b.least),
            most: a.most.zip(b.most).map(|(a, b)| a.max(b)),
        };
        let longer = |a: Option<Duration>, b: Option<Duration>| a.zip(b).map(|(a, b)| a.max(b));
        let all = costs.into_iter().reduce(|mut sum, other| {
            sum.errors.extend(other.errors);
            sum.short_stays.extend(other.short_stays);
            Self {
                chat: either(sum.chat, other.chat),
                around: sum.around.plus(other.around),
                longest_chat: longer(sum.longest_chat, other.longest_chat),
                longest_cleanup: longer(sum.longest_cleanup, other.longest_cleanup),
                sockets: either(sum.sockets, other.sockets),
                short_stays: sum.short_stays,
                // How many each needs depends on its share.
                rows: None,
                errors: sum.errors,
            }
        });
        all.unwrap_or_else(Self::nothing)
    }

    fn nothing() -> Self {
        Self {
            chat: Bounds::ZERO,
            around: Bounds::ZERO,
            longest_chat: Some(Duration::ZERO),
            longest_cleanup: Some(Duration::ZERO),
            sockets: Bounds::ZERO,
            short_stays: Vec::new(),
            rows: None,
            errors: Vec::new(),
        }
    }

    /// Requests of a run with so many chats.
    pub fn of_chats(&self, chats: u64) -> Bounds {
        self.chat.times(Bounds::exactly(chats)).plus(self.around)
    }
}

impl Scenario {
    /// What a run of this scenario costs, with the values that expressions see as `target` and `inputs`. To count it
    /// may keep a processor busy for two seconds.
    pub fn cost(&self, target: minijinja::Value, inputs: &minijinja::Value) -> Cost {
        self.cost_within(MOST_TIME, target, inputs)
    }

    fn cost_within(
        &self,
        time: Duration,
        target: minijinja::Value,
        inputs: &minijinja::Value,
    ) -> Cost {
        let run = RunScope {
            target,
            inputs: inputs.clone(),
            ..RunScope::default()
        };
        let mut scope = Scope::of_run(Arc::new(run));
        // Every step passes.
        scope.set_passed(true);
        let mut counter = Counter {
            scope: Arc::new(scope),
            captures: BTreeSet::new(),
            sockets: BTreeMap::new(),
            track: None,
            is_certain: true,
            ends: Ends::No,
            conditions: BTreeMap::new(),
            looks: MOST_LOOKS,
            began: Instant::now(),
            time,
            errors: Vec::new(),
            published: Publications::default(),
            begin_of_list: 0,
        };
        let setup = counter.count_all(&self.setup);
        let of_setup = counter.captures.clone();
        let steps = counter.count_all(&self.steps);
        counter.ends = Ends::No;
        // They follow what the steps publish.
        let always = counter.count_behind(0, &self.always);
        let published = std::mem::take(&mut counter.published);
        counter.captures.clone_from(&of_setup);
        let teardown = counter.count_all(&self.teardown);
        let deadline = self.deadline.as_ref().and_then(|it| counter.evaluate(it));
        let errors = std::mem::take(&mut counter.errors);
        counter.captures = of_setup;
        let after_failure = counter.after_failure(&self.always);
        let cleanups = always.longest.zip(after_failure.longest);
        Cost {
            chat: steps.plus(always).requests,
            around: setup.plus(teardown).requests,
            longest_chat: (steps.longest.into_iter())
                .chain(deadline.and_then(Result::ok))
                .min(),
            sockets: counter.sockets(),
            rows: (self.rows.shortest()).map(|(source, rows)| (source.name.clone(), rows)),
            longest_cleanup: cleanups.map(|(passed, failed)| passed.max(failed)),
            short_stays: (self.sockets.deliveries.as_ref())
                .map(|rule| published.shorter_than(rule.within))
                .unwrap_or_default(),
            errors,
        }
    }
}

struct Counter<'a> {
    scope: Arc<Scope>,
    /// Those that exist for certain by now.
    captures: BTreeSet<Arc<str>>,
    /// The names of those that a chat may open, with their tracks: a second one of a name takes the place of the first.
    /// Whether it is certain that it does.
    sockets: BTreeMap<SocketName, bool>,
    /// The track that is looked at.
    track: Option<Arc<str>>,
    /// Whether what is looked at comes in every chat but for its own condition.
    is_certain: bool,
    /// Whether an `end` above has ended the steps of every chat that comes here.
    ends: Ends,
    /// By their sources; `None` for one that cannot be decided side by side.
    conditions: BTreeMap<&'a str, Option<Condition<'a>>>,
    /// How many steps and pauses of rounds may still be looked at one by one.
    looks: u64,
    began: Instant,
    /// How long conditions and settings may be computed.
    time: Duration,
    errors: Vec<EvaluationError>,
    published: Publications,
    /// How many messages were published before the list of steps that is counted.
    begin_of_list: usize,
}

impl<'a> Counter<'a> {
    fn count_all(&mut self, items: &'a [Item]) -> Extent {
        self.count_behind(self.published.count(), items)
    }

    /// The same, where all but so many messages were published by steps that belong to the list.
    fn count_behind(&mut self, begin: usize, items: &'a [Item]) -> Extent {
        let around = std::mem::replace(&mut self.begin_of_list, begin);
        let mut sum = Extent::NONE;
        for item in items {
            let before = self.published.count();
            let extent = match self.ends {
                Ends::No => self.count(item),
                Ends::Maybe => self.count_uncertain(|counter| counter.count(item)),
                Ends::Yes => break,
            };
            self.published.stay(begin, before, extent.stay);
            sum = sum.plus(extent);
        }
        self.begin_of_list = around;
        sum
    }

    /// The names under which sockets were counted.
    fn sockets(&self) -> Bounds {
        let certain = self.sockets.values().filter(|certain| **certain);
        Bounds {
            least: certain.count() as u64,
            most: Some(self.sockets.len() as u64),
        }
    }

    /// The `always` steps of a chat that did not pass, with the captures of the setup only.
    fn after_failure(&mut self, always: &'a [Item]) -> Extent {
        Arc::make_mut(&mut self.scope).set_passed(false);
        self.count_all(always)
    }

    fn count(&mut self, item: &'a Item) -> Extent {
        match item {
            Item::Step(step) => self.count_step(step),
            Item::Think(pause) => {
                if self.applies(pause.when.as_ref()).most == Some(0) {
                    return Extent::NONE;
                }
                let longest = pause.longest(|setting| self.time_of(setting));
                Extent {
                    longest,
                    stay: longest,
                    ..Extent::NONE
                }
            }
            Item::Repeat(repeat) => self.count_repeat(repeat),
            Item::Choose(choice) => self.count_choose(choice),
            Item::End(end) => self.count_end(end),
            Item::Together(together) => self.count_together(together),
            Item::WaitUntil(wait) => self.count_wait(wait.when.as_ref(), &wait.timeout),
            Item::Barrier(barrier) => self.count_wait(barrier.when.as_ref(), &barrier.timeout),
        }
    }

    fn count_step(&mut self, step: &'a Step) -> Extent {
        let applies = self.applies(step.when.as_ref());
        if applies.most == Some(0) {
            return Extent::NONE;
        }
        let longest = self.time_of(&step.timeout);
        if let Some(name) = step.action.connects() {
            let socket = SocketName {
                track: self.track.clone(),
                name: name.clone(),
            };
            let certain = self.sockets.entry(socket).or_default();
            *certain |= self.is_certain && applies.least > 0;
        }
        if applies.least > 0 {
            let names = step.captures.iter().map(|(name, _)| name.clone());
            self.captures.extend(names);
        }
        let is_certain = self.is_certain && applies.least > 0;
        (self.published).pass(step, is_certain, self.begin_of_list);
        let attempt = Extent {
            requests: self.requests_of(step, longest),
            longest,
            stay: match step.otherwise {
                Otherwise::End => Some(Duration::ZERO),
                _ => longest,
            },
        };
        self.count_otherwise(&step.otherwise, attempt)
            .times(applies)
    }

    /// Requests of a step that is performed, given how long it takes at most.
    fn requests_of(&mut self, step: &'a Step, longest: Option<Duration>) -> Bounds {
        let least = step.action.requests();
        let Some(every) = step.action.polls_every() else {
            return Bounds::exactly(least);
        };
        let every = self.time_of(every).filter(|every| !every.is_zero());
        let times = longest.zip(every);
        let times = times.map(|(longest, every)| longest.as_nanos().div_ceil(every.as_nanos()));
        let most = times.map(|times| u64::try_from(times).unwrap_or(u64::MAX).max(least));
        Bounds { least, most }
    }

    fn count_repeat(&mut self, repeat: &'a Repeat) -> Extent {
        let applies = self.applies(repeat.when.as_ref());
        let rounds = if applies.most == Some(0) {
            Bounds::ZERO
        } else {
            match self.evaluate(&repeat.count) {
                None => Bounds::up_to(None),
                Some(rounds) => rounds.map_or(Bounds::ZERO, Bounds::exactly),
            }
        };
        let all = applies.times(rounds);
        if all.most == Some(0) {
            return Extent::NONE;
        }
        let before = self.captures.clone();
        let around = self.is_certain;
        self.is_certain &= all.least > 0;
        let looks = rounds.least.saturating_mul(all_items(&repeat.items));
        let extent = if rounds.is_exact() && looks <= self.looks && looks_at_round(&repeat.items) {
            self.looks -= looks;
            (self.count_rounds(rounds.least, &repeat.items)).times(applies)
        } else {
            let outer = Arc::make_mut(&mut self.scope).set_round(None);
            let round = self.count_all(&repeat.items);
            Arc::make_mut(&mut self.scope).set_round(outer);
            round.times(self.ends.rounds(all))
        };
        self.is_certain = around;
        if all.least == 0 {
            self.ends = self.ends.uncertain();
            self.captures = before;
        }
        extent
    }

    fn count_rounds(&mut self, rounds: u64, items: &'a [Item]) -> Extent {
        let around = Arc::make_mut(&mut self.scope).set_round(None);
        let mut sum = Extent::NONE;
        let begin = self.published.count();
        for index in 1..=rounds {
            Arc::make_mut(&mut self.scope).set_round(Some(index));
            let before = self.published.count();
            let round = self.count_all(items);
            self.published.stay(begin, before, round.stay);
            self.published.forget_repeated(begin);
            sum = sum.plus(round);
        }
        Arc::make_mut(&mut self.scope).set_round(around);
        sum
    }

    /// How often what has this condition is done: once, never, or one of them.
    fn applies(&mut self, when: Option<&'a Expression>) -> Bounds {
        let Some(when) = when else {
            return Bounds::exactly(1);
        };
        if self.is_time_over() {
            return Bounds::up_to(Some(1));
        }
        let variables = self.variables();
        let condition = self.conditions.entry(when.source());
        let condition = condition.or_insert_with(|| Condition::of(when));
        let known = StaticScope {
            scope: &self.scope,
            variables,
            captures: &self.captures,
        };
        match condition.as_ref().and_then(|it| it.holds(&known)) {
            Some(holds) => Bounds::exactly(u64::from(holds)),
            None => Bounds::up_to(Some(1)),
        }
    }

    /// A duration, if it is known already. A chat that cannot compute it fails there at once.
    fn time_of(&mut self, setting: &Setting<Duration>) -> Option<Duration> {
        let time = self.evaluate(setting)?;
        Some(time.unwrap_or(Duration::ZERO))
    }

    /// The value of a setting, if it is known already. That it cannot be computed is noted.
    fn evaluate<T: Quantity>(
        &mut self,
        setting: &Setting<T>,
    ) -> Option<Result<T, EvaluationError>> {
        if matches!(setting, Setting::Computed(_)) && self.is_time_over() {
            return None;
        }
        let value = setting.evaluate_statically(&self.scope, self.variables())?;
        if let Err(error) = &value
            && self.errors.len() < MOST_ERRORS
            && !self.errors.contains(error)
        {
            self.errors.push(error.clone());
        }
        Some(value)
    }

    fn is_time_over(&self) -> bool {
        self.began.elapsed() >= self.time
    }

    fn variables(&self) -> &'static [&'static str] {
        const ALL: [&str; 4] = ["inputs", "target", "passed", "repeat"];
        if self.scope.round().is_some() {
            &ALL
        } else {
            &ALL[..3]
        }
    }
}

/// Whether a condition, a count or a time in here depends on the round.
fn looks_at_round(items: &[Item]) -> bool {
    let inside = |item: &Item| item.inner_lists().into_iter().any(looks_at_round);
    // Inside a repeat, it is the round of that one.
    let has_own_round = |item: &Item| matches!(item, Item::Repeat(_));
    let mut items = items.iter();
    items.any(|item| item.mentions("repeat") || (!has_own_round(item) && inside(item)))
}

/// Repeats and all that is in them included.
fn all_items(items: &[Item]) -> u64 {
    items.iter().map(Item::count).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
