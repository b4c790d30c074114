use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use minijinja::{
    Value,
    value::{Enumerator, Object},
};

use jiff::Timestamp;

use super::{Answer, Expression, Input, Parameters, functions::MOMENT};
use crate::{
    document::Place,
    driver::{Cookies, Origins},
};

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
    cookies: Option<Arc<Cookies>>,
    passed: bool,
    round: Option<u64>,
    moment: Moment,
    look: Look,
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

#[derive(Clone)]
enum Look {
    Nothing,
    Request(Value),
    Answer(Arc<Answer>),
    Event {
        event: Value,
        elapsed: Duration,
        delivery: Option<Arc<Delivery>>,
    },
}

/// The request that brought an event, as expressions see it.
#[derive(Debug)]
pub struct Delivery {
    /// `method`.
    pub method: Value,
    /// `query`: the fields behind the `?` of its address.
    pub query: Value,
    /// `headers`, by names in lower case.
    pub headers: Value,
    /// `delivery`: all that it says, where it brings several events.
    pub whole: Value,
    /// `raw_body`: its body as it came, decompressed.
    pub raw_body: Value,
}

impl Scope {
    /// The scope of `setup` and `teardown`, where there is no chat.
    pub fn of_run(run: Arc<RunScope>) -> Self {
        Self {
            run,
            chat: Value::UNDEFINED,
            captures: Vec::new(),
            cookies: None,
            passed: false,
            round: None,
            moment: Moment::default(),
            look: Look::Nothing,
        }
    }

    /// The scope of one chat, which begins with what `setup` captured.
    #[must_use]
    pub fn of_chat(&self, number: u64, id: &str) -> Self {
        let id = Value::from(id);
        Self {
            chat: Value::from_object(Chat { number, id }),
            ..self.clone()
        }
    }

    /// A scope in which every input has its default, to try expressions when they are read.
    pub(super) fn of_defaults(inputs: &[Input]) -> Arc<Self> {
        let defaults: Parameters = inputs
            .iter()
            .filter_map(|input| Some((input.name.clone(), input.default.clone()?)))
            .collect();
        Arc::new(Self::of_run(Arc::new(RunScope {
            inputs: defaults.into(),
            ..RunScope::default()
        })))
    }

    /// The servers that anything may lead requests to.
    pub(super) fn origins(&self) -> &Arc<Origins> {
        &self.run.origins
    }

    /// The cookies, if they are kept.
    pub fn cookies(&self) -> Option<&Arc<Cookies>> {
        self.cookies.as_ref()
    }

    /// Expressions now see these cookies.
    pub fn set_cookies(&mut self, cookies: Option<Arc<Cookies>>) {
        self.cookies = cookies;
    }

    /// `now` is another time from here on, and stays the same until an answer or event is looked at.
    pub fn renew_moment(&mut self) {
        self.moment = Moment::default();
    }

    #[cfg(test)]
    pub(super) fn set_moment(&mut self, moment: Timestamp) {
        self.moment = Moment(AtomicI64::new(moment.as_microsecond()));
    }

    /// Expressions now see the request that is being made.
    pub(super) fn look_at_request(&mut self, request: Value) {
        self.look = Look::Request(request);
    }

    /// Expressions now see an answer.
    pub fn look_at_answer(&mut self, answer: Answer) {
        self.renew_moment();
        self.look = Look::Answer(Arc::new(answer));
    }

    /// Expressions now see an inbound event.
    pub fn look_at_event(
        &mut self,
        event: Value,
        elapsed: Duration,
        delivery: Option<Arc<Delivery>>,
    ) {
        self.renew_moment();
        self.look = Look::Event {
            event,
            elapsed,
            delivery,
        };
    }

    /// Expressions see neither answer nor event any more.
    pub fn look_away(&mut self) {
        self.look = Look::Nothing;
    }

    /// Sets a captured variable.
    pub fn capture(&mut self, name: &Arc<str>, value: Value) {
        match self.captures.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.captures.push((name.clone(), value)),
        }
    }

    /// The value of a captured variable.
    pub fn captured(&self, name: &str) -> Option<&Value> {
        let found = self.captures.iter().find(|(known, _)| **known == *name);
        found.map(|(_, value)| value)
    }

    /// The captured variables.
    pub fn captures(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.captures.iter().map(|(name, value)| (name, value))
    }

    /// The answer that expressions see.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.look {
            Look::Answer(answer) => Some(answer),
            Look::Nothing | Look::Request(_) | Look::Event { .. } => None,
        }
    }

    /// What this expression saw, for the message of one that did not hold.
    pub fn describe_look(&self, expression: &Expression) -> String {
        let (intro, value) = match &self.look {
            Look::Nothing | Look::Request(_) => return String::new(),
            Look::Answer(answer) => {
                let why = answer.not_json().filter(|_| expression.mentions("body"));
                let why = why.map_or(String::new(), |why| format!(", {why}"));
                let status = answer.describe_status();
                (format!("; answered {status}{why}"), answer.body())
            }
            Look::Event { event, .. } => ("; the event".to_owned(), event),
        };
        format!(
            "{intro}: {}",
            serde_json::to_string(value).unwrap_or_default()
        )
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

    /// What `a.b.c` stands for, if there is such a thing.
    pub(super) fn at(&self, path: &[Box<str>]) -> Option<Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.value_of(first)?;
        for name in rest {
            value = value.get_attr(name).ok()?;
        }
        (!value.is_undefined()).then_some(value)
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

    fn value_of(&self, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.captures.iter().find(|(known, _)| **known == *name) {
            return Some(value.clone());
        }
        let value = match (name, &self.look) {
            ("target", _) => self.run.target.clone(),
            ("inputs", _) => self.run.inputs.clone(),
            ("run", _) => self.run.run.clone(),
            ("callback", _) => self.run.callback.clone(),
            ("chat", _) => self.chat.clone(),
            ("passed", _) => Value::from(self.passed),
            ("repeat", _) => BTreeMap::from([("index", self.round?)]).into(),
            (MOMENT, _) => Value::from(self.moment.as_microsecond()),
            ("cookies", _) => {
                let cookies = self.cookies.as_ref()?.by_name().into_iter();
                cookies
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect()
            }
            ("request", Look::Request(request)) => request.clone(),
            ("status", Look::Answer(answer)) => Value::from(answer.status),
            ("headers", Look::Answer(answer)) => answer.headers().clone(),
            ("headers_all", Look::Answer(answer)) => answer.headers_all(),
            ("body", Look::Answer(answer)) => answer.whole_body()?.clone(),
            ("elapsed", Look::Answer(answer)) => Value::from(answer.elapsed.as_secs_f64()),
            ("event", Look::Event { event, .. }) => event.clone(),
            ("elapsed", Look::Event { elapsed, .. }) => Value::from(elapsed.as_secs_f64()),
            (
                name,
                Look::Event {
                    delivery: Some(delivery),
                    ..
                },
            ) => delivery.value_of(name)?.clone(),
            _ => return None,
        };
        (!value.is_undefined()).then_some(value)
    }
}

impl Delivery {
    fn value_of(&self, name: &str) -> Option<&Value> {
        Some(match name {
            "method" => &self.method,
            "query" => &self.query,
            "headers" => &self.headers,
            "delivery" => &self.whole,
            "raw_body" => &self.raw_body,
            _ => return None,
        })
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

#[cfg(test)]
pub(super) mod tests {
    use hyper::HeaderMap;

    use super::*;
    use crate::body::Received;

    pub(in crate::scenario) fn scope(captures: &[(&str, Value)]) -> Arc<Scope> {
        let mut scope = Scope::of_run(Arc::new(RunScope::default()));
        for (name, value) in captures {
            scope.capture(&(*name).into(), value.clone());
        }
        Arc::new(scope)
    }

    #[test]
    fn a_number_and_its_text_are_the_same_key() {
        let big = 9_007_199_254_740_993_i64;
        assert_eq!(
            key_text(&Value::from(big)),
            key_text(&Value::from(big.to_string()))
        );
        let of = |value: Value| key_text(&value);
        assert_eq!(of(12.0.into()).as_deref(), Some("12"));
        assert_eq!(of((-0.0).into()).as_deref(), Some("0"));
        assert_eq!(of(1e21.into()), of("1000000000000000000000".into()));
        assert_eq!(of(1.5.into()).as_deref(), Some("1.5"));
        assert_eq!(of(u128::MAX.into()), of(u128::MAX.to_string().into()));
        assert_eq!(key_text(&Value::UNDEFINED), None);
        assert_eq!(key_text(&Value::from("")), None);
    }

    #[test]
    fn a_scope_does_not_print_its_values() {
        let scope = scope(&[("token", "s3cret".into())]);
        assert_eq!(format!("{scope:?}"), r#"Scope { captures: ["token"], .. }"#);
    }

    fn seen(scope: &Scope, name: &str) -> Value {
        let found = Arc::new(scope.clone()).get_value_by_str(name);
        found.unwrap_or(Value::UNDEFINED)
    }

    #[test]
    fn a_chat_begins_with_what_setup_captured_and_keeps_its_own_to_itself() {
        let mut run = (*scope(&[("hook", 1.into()), ("id", "of setup".into())])).clone();
        assert!(seen(&run, "chat").is_undefined());
        let mut chat = run.of_chat(7, "run-7");
        chat.capture(&"id".into(), "of chat".into());
        chat.capture(&"id".into(), "of chat, later".into());
        assert_eq!(seen(&chat, "hook"), Value::from(1));
        assert_eq!(seen(&chat, "id"), Value::from("of chat, later"));
        let whole = serde_json::to_value(seen(&chat, "chat")).unwrap();
        assert_eq!(whole, serde_json::json!({ "id": "run-7", "number": 7 }));
        assert_eq!(seen(&run, "id"), Value::from("of setup"));
        run.capture(&"hook".into(), 2.into());
        assert_eq!(seen(&chat, "hook"), Value::from(1));
    }

    #[test]
    fn answers_and_events_are_seen_while_they_are_looked_at() {
        let mut chat = scope(&[]).of_chat(1, "run-1");
        let names = ["status", "headers", "body", "event", "elapsed"];
        let visible = |scope: &Scope| names.map(|name| !seen(scope, name).is_undefined());
        assert_eq!(visible(&chat), [false; 5]);
        let elapsed = Duration::from_millis(1500);
        let body = Received::whole(r#"{ "a": 1 }"#.into());
        chat.look_at_answer(Answer::new(201, HeaderMap::new(), body, elapsed));
        assert_eq!(visible(&chat), [true, true, true, false, true]);
        assert_eq!(seen(&chat, "elapsed"), Value::from(1.5));
        chat.look_at_event(Value::from("e"), elapsed, None);
        assert_eq!(visible(&chat), [false, false, false, true, true]);
        chat.look_away();
        assert_eq!(visible(&chat), [false; 5]);
    }

    #[test]
    fn the_round_is_that_of_the_innermost_repeat() {
        let mut chat = scope(&[]).of_chat(1, "run-1");
        let index = |scope: &Scope| seen(scope, "repeat").get_attr("index").ok();
        assert!(seen(&chat, "repeat").is_undefined());
        let around = chat.set_round(Some(2));
        let outer = chat.set_round(Some(5));
        assert_eq!(index(&chat), Some(Value::from(5)));
        chat.set_round(outer);
        assert_eq!(index(&chat), Some(Value::from(2)));
        chat.set_round(around);
        assert!(seen(&chat, "repeat").is_undefined());
    }
}
