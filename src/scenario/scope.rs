use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use minijinja::{
    Value,
    value::{Enumerator, Object},
};

use jiff::Timestamp;

use super::{Parameters, RowsOfRun, SessionValues, View};
use crate::{document::Place, driver::Origins};

/// The variable that holds the moment of `now` in microseconds; nobody can write its name.
pub(super) const MOMENT: &str = " now";

/// An expression or template that met a value it cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct EvaluationError {
    /// Where the expression stands.
    pub place: Place,
    /// What it is and what went wrong.
    pub message: String,
    /// It was ended because it took more time or room than is allowed.
    pub exceeded: bool,
}

/// What is the same for every chat of a run.
#[derive(Debug, Default, Clone)]
pub struct RunScope {
    /// `target`: its name, url, variables and secrets.
    pub target: Value,
    /// `inputs`, with defaults filled in.
    pub inputs: Value,
    /// `run.id`.
    pub run: Value,
    /// `callback.url`.
    pub callback: Value,
    /// `rows`, of which each chat takes its own.
    pub rows: Arc<RowsOfRun>,
    /// The servers that anything may lead requests to.
    pub origins: Arc<Origins>,
}

/// The values of every variable at one moment of one chat, as expressions see them.
///
/// Cloning is cheap: everything inside is shared.
#[derive(Clone)]
pub struct Scope {
    run: Arc<RunScope>,
    chat: Value,
    captures: Vec<(Arc<str>, Value)>,
    /// Those of `setup` are those of every chat until it has its own.
    sessions: SessionValues,
    passed: bool,
    round: Option<u64>,
    sequence: u64,
    moment: Moment,
    view: Option<Arc<dyn View>>,
}

/// What `now` is: the time at which an expression first asked for it, in microseconds since the epoch. Most
/// expressions do not ask.
struct Moment(AtomicI64);

impl Moment {
    /// A time that no clock shows, for one that nobody asked for.
    const UNKNOWN: i64 = i64::MIN;

    fn as_microsecond(&self) -> i64 {
        let now = Timestamp::now().as_microsecond();
        let known = &self.0;
        match known.compare_exchange(Self::UNKNOWN, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => now,
            Err(known) => known,
        }
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self(AtomicI64::new(Self::UNKNOWN))
    }
}

impl Clone for Moment {
    fn clone(&self) -> Self {
        Self(AtomicI64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Scope {
    /// The scope of `setup` and `teardown`, where there is no chat.
    pub fn of_run(run: Arc<RunScope>) -> Self {
        Self {
            run,
            chat: Value::UNDEFINED,
            captures: Vec::new(),
            sessions: SessionValues::default(),
            passed: false,
            round: None,
            sequence: 0,
            moment: Moment::default(),
            view: None,
        }
    }

    /// The scope of one chat, which begins with what `setup` captured.
    #[must_use]
    pub fn of_chat(&self, number: u64, id: &str) -> Self {
        self.of_mixed_chat(number, number.saturating_sub(1), id)
    }

    /// The same of the chat with this position among the chats of its scenario, from zero, where the run has chats of others.
    #[must_use]
    pub fn of_mixed_chat(&self, number: u64, ordinal: u64, id: &str) -> Self {
        let id = Value::from(id);
        let chat = Chat {
            number,
            ordinal,
            id,
        };
        Self {
            chat: Value::from_object(chat),
            sequence: ordinal,
            ..self.clone()
        }
    }

    /// A scope with these inputs alone, to try expressions when they are read.
    pub(super) fn of_defaults(defaults: Parameters) -> Arc<Self> {
        Arc::new(Self::of_run(Arc::new(RunScope {
            inputs: defaults.into(),
            ..RunScope::default()
        })))
    }

    /// The servers that anything may lead requests to.
    pub(super) fn origins(&self) -> &Arc<Origins> {
        &self.run.origins
    }

    /// What the sessions of the chat keep.
    pub fn sessions(&self) -> &SessionValues {
        &self.sessions
    }

    /// Expressions now see that the sessions of the chat keep this.
    pub fn set_sessions(&mut self, sessions: SessionValues) {
        self.sessions = sessions;
    }

    /// `now` is another time from here on, and stays the same until an answer or event is looked at.
    pub fn renew_moment(&mut self) {
        self.moment = Moment::default();
    }

    #[cfg(test)]
    pub(super) fn set_moment(&mut self, moment: Timestamp) {
        self.moment = Moment(AtomicI64::new(moment.as_microsecond()));
    }

    /// Expressions now see this besides the variables, and `now` is another time.
    pub fn look_at(&mut self, view: Arc<dyn View>) {
        self.renew_moment();
        self.view = Some(view);
    }

    /// The same with `now` as it is.
    pub(super) fn look_at_meanwhile(&mut self, view: Arc<dyn View>) {
        self.view = Some(view);
    }

    /// Expressions see the variables alone.
    pub fn look_away(&mut self) {
        self.view = None;
    }

    /// Sets a captured variable.
    pub fn capture(&mut self, name: &Arc<str>, value: Value) {
        match self.captures.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.captures.push((name.clone(), value)),
        }
    }

    /// The value of a captured variable, or of one of another track as in `agent.id`.
    pub fn captured(&self, name: &str) -> Option<Value> {
        let (first, field) = match name.split_once('.') {
            Some((track, own)) => (track, Some(own)),
            None => (name, None),
        };
        let found = self.captures.iter().find(|(known, _)| **known == *first);
        let (_, value) = found?;
        match field {
            None => Some(value.clone()),
            Some(own) => value
                .get_attr(own)
                .ok()
                .filter(|value| !value.is_undefined()),
        }
    }

    /// The captured variables.
    pub fn captures(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.captures.iter().map(|(name, value)| (name, value))
    }

    /// What expressions see besides the variables.
    pub fn view(&self) -> Option<&dyn View> {
        self.view.as_deref()
    }

    /// `passed`, for the `always` steps.
    pub fn set_passed(&mut self, passed: bool) {
        self.passed = passed;
    }

    /// `repeat.index`, inside a repeat.
    pub(super) fn round(&self) -> Option<u64> {
        self.round
    }

    /// `repeat.index`, from one; returns that of the repeat around.
    pub fn set_round(&mut self, round: Option<u64>) -> Option<u64> {
        std::mem::replace(&mut self.round, round)
    }

    /// The position of the chat among the chats of its scenario in its run, from zero; none outside chats.
    pub fn ordinal(&self) -> Option<u64> {
        let chat = self.chat.downcast_object_ref::<Chat>()?;
        Some(chat.ordinal)
    }

    /// What nobody may see of the rows of the chat: names of columns and values.
    pub fn confidential_rows(&self) -> impl Iterator<Item = (&str, Value)> {
        let ordinal = self.ordinal().into_iter();
        ordinal.flat_map(|ordinal| self.run.rows.confidential(ordinal))
    }

    /// Which one the chat is, counted from zero, among those that come to the entry in progress: among the chats of its
    /// scenario in its run, and inside a branch among those that take it. Each round of a repeat comes one later than the
    /// round before. It is zero outside chats.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Counts the chat among others from here on.
    pub fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// What is sent for `inputs.x` or `target.x`, if that is not the text of its value.
    pub(super) fn written(&self, path: &[Box<str>]) -> Option<&str> {
        let [group, name] = path else { return None };
        let group = match &**group {
            "inputs" => &self.run.inputs,
            "target" => &self.run.target,
            _ => return None,
        };
        Parameters::behind(group)?.written(name)
    }

    /// The value of `repeat.index`, for which no `repeat` is made.
    pub(super) fn field_of(&self, name: &str, field: &str) -> Option<Value> {
        let is_round = name == "repeat" && field == "index" && self.captured(name).is_none();
        self.round.filter(|_| is_round).map(Value::from)
    }

    /// The value of a variable, if it has one that is defined.
    pub(super) fn value_of(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.captures.iter().find(|(known, _)| **known == *name) {
            return Some(value.clone());
        }
        let value = match name {
            "target" => self.run.target.clone(),
            "inputs" => self.run.inputs.clone(),
            "run" => self.run.run.clone(),
            "callback" => self.run.callback.clone(),
            "chat" => self.chat.clone(),
            "rows" => Value::from_object(self.run.rows.view(self.ordinal()?)?),
            "passed" => Value::from(self.passed),
            "repeat" => Value::from_object(RoundView(self.round?)),
            MOMENT => Value::from(self.moment.as_microsecond()),
            _ => {
                let view = self.view.as_ref();
                let seen = view.and_then(|view| view.value_of(name));
                seen.or_else(|| self.sessions.value_of(name))?
            }
        };
        (!value.is_undefined()).then_some(value)
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value_of(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.value_of(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// `chat`. There is one for every chat, and a map of two would take ten times the room.
#[derive(Debug)]
struct Chat {
    number: u64,
    /// See [`Scope::ordinal`].
    ordinal: u64,
    id: Value,
}

impl Object for Chat {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "number" => Some(self.number.into()),
            "id" => Some(self.id.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["id", "number"])
    }
}

/// Targets hold secrets, which must not reach a log through `{:?}`.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.captures.iter().map(|(name, _)| name).collect();
        f.debug_struct("Scope")
            .field("captures", &names)
            .finish_non_exhaustive()
    }
}

/// The text of a value that serves as a key: servers send the same id as text and as a number, and
/// whole numbers with a point, as in `7.0`.
pub fn key_text(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    if !value.is_number() {
        return None;
    }
    if value.is_integer() {
        return Some(value.to_string());
    }
    let double = f64::try_from(value.clone()).ok()?;
    let whole = double.fract() == 0.0;
    // Zero has no sign.
    whole
        .then(|| format!("{:.0}", double + 0.0))
        .or_else(|| Some(value.to_string()))
}

/// `repeat`.
#[derive(Debug)]
struct RoundView(u64);

impl Object for RoundView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        (key == "index").then(|| self.0.into())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["index"])
    }
}

#[cfg(test)]
pub(super) mod tests;
